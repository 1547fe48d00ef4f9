//! The plan of a dry run, as a table that fits a terminal, and as a field of the last line.

use std::fmt::Write as _;

use crate::agent::budget::usd;
use crate::agent::permission::READING;
use crate::host::plan::{Planned, Report, Step};
use crate::tool::registry::Registry;

use super::progress::thousands;
use super::terminal::printable;

/// How wide a line may be.
const WIDTH: usize = 80;
/// What stands before each row.
const INDENT: usize = 2;
/// The columns that may be cut, and how short.
const CUT: [(usize, usize); 3] = [(1, 14), (0, 12), (3, 14)];

/// Returns the plan as people read it.
pub fn render(script: &str, report: &Report) -> String {
    let mut text = String::new();
    let title =
        format!("plan of {}: no model was asked, and nothing was changed", printable(script));
    paragraph(&mut text, "", 2, &title);
    agents(&mut text, report);
    text.push('\n');
    totals(&mut text, report);
    steps(&mut text, report);
    if let Some(error) = &report.ended_early {
        let word = format!(
            "after results that are made up here, an error of the script's own has ended it: {}; what it \
             would do after that is not in the plan",
            printable(error)
        );
        paragraph(&mut text, "ended early: ", 2, &word);
    }
    for note in &report.notes {
        paragraph(&mut text, "note: ", 6, &printable(note));
    }
    text
}

fn agents(text: &mut String, report: &Report) {
    if report.agents.is_empty() {
        return;
    }
    let rows: Vec<[String; 6]> = report.agents.iter().map(row).collect();
    let widths = widths(&rows);
    text.push('\n');
    line(text, &HEAD.map(str::to_owned), &widths);
    let (mut group, mut before) = ("", String::new());
    for (agent, row) in report.agents.iter().zip(&rows) {
        let own = group_of(&agent.call_path);
        if own != group {
            heading(text, own, report);
            (group, before) = (own, String::new());
        }
        line(text, row, &widths);
        let details = details(agent);
        if details != before {
            paragraph(text, "      ", 6, &details);
            before = details;
        }
        if let Some(error) = &agent.error {
            paragraph(text, "      cannot start: ", 6, &printable(error));
        }
    }
}

/// What the worst case leaves out.
const ONE_PATH: &str = "this is one path through the script: lists that are made up have one entry, \
                        booleans are true";

/// What stands above the columns.
const HEAD: [&str; 6] = ["LABEL", "BRANCH", "BASE", "MODEL", "TURNS", "AT MOST"];

fn row(agent: &Planned) -> [String; 6] {
    let short = |commit: &String| commit.chars().take(7).collect();
    [
        printable(&agent.label),
        agent.branch.as_deref().map_or_else(|| "-".to_owned(), printable),
        agent.base_commit.as_ref().map_or_else(|| "-".to_owned(), short),
        printable(agent.model.rsplit('/').next().unwrap_or(&agent.model)),
        agent.max_turns.to_string(),
        match agent.worst_case_usd {
            _ if agent.from_journal => "-".to_owned(),
            Some(most) => usd(most),
            None => "?".to_owned(),
        },
    ]
}

/// Returns how wide the columns are: as their cells, cut down to what fits a line.
fn widths(rows: &[[String; 6]]) -> [usize; 6] {
    let mut widths = HEAD.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let room = WIDTH - INDENT - 2 * (widths.len() - 1);
    while widths.iter().sum::<usize>() > room {
        let widest = CUT.into_iter().filter(|(column, least)| widths[*column] > *least);
        let Some((column, _)) = widest.max_by_key(|(column, _)| widths[*column]) else { break };
        widths[column] -= 1;
    }
    widths
}

fn line(text: &mut String, cells: &[String; 6], widths: &[usize; 6]) {
    let cells = cells.iter().zip(widths).enumerate().map(|(column, (cell, &width))| {
        let cell = cut(cell, width);
        // Numbers end where their column ends.
        if column >= 4 { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
    });
    let cells: Vec<String> = cells.collect();
    let _ = writeln!(text, "{}{}", " ".repeat(INDENT), cells.join("  ").trim_end());
}

/// Cuts a text, and says so.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let start: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{start}…")
}

/// Returns the outermost call that an agent belongs to: nothing for one that was asked by itself.
fn group_of(call_path: &str) -> &str {
    let first = call_path.trim_start_matches('/');
    let first = first.split(['/', '[']).next().unwrap_or_default();
    if first.starts_with("query#") { "" } else { first }
}

fn heading(text: &mut String, group: &str, report: &Report) {
    let kind = group.split('#').next().unwrap_or_default();
    if kind.is_empty() {
        text.push('\n');
        return;
    }
    let count = report.agents.iter().filter(|agent| group_of(&agent.call_path) == group).count();
    let word = if kind == "race" { ", of which the first to be done wins" } else { "" };
    let _ = writeln!(text, "\n{}agent.{kind}: {}{word}", " ".repeat(INDENT), counted(count));
}

fn counted(count: usize) -> String {
    if count == 1 { "1 agent".to_owned() } else { format!("{count} agents") }
}

/// Returns what an agent may do, and what is done about it.
fn details(agent: &Planned) -> String {
    if let (true, Some(before)) = (agent.from_journal, &agent.before) {
        return printable(before);
    }
    let mut parts: Vec<String> = agent.before.iter().map(|before| printable(before)).collect();
    parts.push(tools(agent));
    let mut add = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            parts.push(format!("{word} {}", printable(&value)).trim_start().to_owned());
        }
    };
    let servers = (!agent.mcp_servers.is_empty()).then(|| agent.mcp_servers.join(", "));
    add("servers", servers);
    add("from", agent.base.clone());
    add("goes on with", agent.resumes.clone());
    let scope = |scope: &Vec<String>| match scope.len() {
        0 => "nothing".to_owned(),
        _ => scope.join(", "),
    };
    add("writes", agent.scope.as_ref().map(scope));
    add("set up by", agent.setup.as_ref().map(|setup| format!("`{setup}`")));
    add("verified by", agent.verify.clone());
    add("answers with data", agent.schema.then(String::new));
    let fallbacks = (!agent.fallbacks.is_empty()).then(|| agent.fallbacks.join(", "));
    add("falls back to", fallbacks);
    add("at most", agent.timeout.map(|seconds| format!("{seconds} s")));
    add("budget", agent.max_budget_usd.map(usd));
    let parts: Vec<String> = parts.iter().map(|part| part.trim_end().to_owned()).collect();
    parts.join("; ")
}

fn tools(agent: &Planned) -> String {
    let is = |names: &[String]| agent.tools == names;
    let usual = |name: &String| !Registry::optional().contains(&name.as_str());
    let every: Vec<String> = Registry::builtin_names().filter(usual).collect();
    let reading: Vec<String> =
        every.iter().filter(|name| READING.contains(&name.as_str())).cloned().collect();
    if agent.read_only {
        return "only looks".to_owned();
    }
    if is(&every) {
        return "every tool".to_owned();
    }
    if is(&reading) {
        return "only reads".to_owned();
    }
    if agent.tools.is_empty() {
        return "no tools".to_owned();
    }
    match agent.tools.strip_prefix(&every[..]) {
        Some(own) => format!("every tool and {}", own.join(", ")),
        None => agent.tools.join(", "),
    }
}

fn totals(text: &mut String, report: &Report) {
    let given = report.agents.iter().filter(|agent| agent.from_journal).count();
    if given > 0 {
        let word = format!("{}: nothing is asked, the outcome is from the journal", counted(given));
        paragraph(text, "", 2, &word);
    }
    let count = report.agents.iter().filter(|agent| agent.is_asked()).count();
    if count == 0 {
        text.push_str("no agent would start\n");
        return;
    }
    let once = count.min(report.concurrency);
    let known = usd(report.known_usd);
    let cost = match (report.worst_case_usd, report.max_budget_usd) {
        (Some(most), Some(budget)) if most >= budget => {
            let without = if report.unknown > 0 { "unknown".to_owned() } else { known };
            format!("{}, the run's budget (without it {without})", usd(most))
        }
        (Some(most), _) => usd(most),
        (None, _) if report.unknown == count => "unknown".to_owned(),
        (None, _) => {
            format!("{known} and what {} may cost, which is unknown", counted(report.unknown))
        }
    };
    paragraph(text, "", 2, &format!("{}, {once} at once; cost at most {cost}", counted(count)));
    paragraph(text, "", 2, ONE_PATH);
    let mut told: Vec<String> = Vec::new();
    for agent in report.agents.iter().filter(|agent| agent.is_asked()) {
        let line = if let Some(cost) = agent.cost {
            format!(
                "{}: a turn is taken for {} tokens in and {} out, {}",
                agent.model,
                thousands(cost.context_window),
                thousands(u64::from(cost.max_output_tokens)),
                usd(cost.turn_usd)
            )
        } else {
            let names = agent.cost_unknown.join(", ");
            format!("{names}: the price or the size of the context is not known")
        };
        if !told.contains(&line) {
            paragraph(text, "", 2, &line);
            told.push(line);
        }
    }
}

fn steps(text: &mut String, report: &Report) {
    if report.steps.is_empty() {
        return;
    }
    text.push_str("\nthe script itself would do this, which was not done:\n");
    for Step { text: step, times, .. } in &report.steps {
        let times = if *times > 1 { format!(" ({times} times)") } else { String::new() };
        paragraph(text, "  ", 4, &format!("{}{times}", printable(step)));
    }
    if report.more_steps > 0 {
        let _ = writeln!(text, "  and {} more", report.more_steps);
    }
}

/// Adds a text in lines that fit, the first after `start`, the others after `indent` blanks.
fn paragraph(text: &mut String, start: &str, indent: usize, words: &str) {
    let mut line = start.to_owned();
    let mut is_fresh = true;
    for word in words.split(' ') {
        if !is_fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            (line, is_fresh) = (" ".repeat(indent), true);
        }
        if !is_fresh {
            line.push(' ');
        }
        line.push_str(word);
        is_fresh = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::plan::Cost;

    fn planned(label: &str, path: &str) -> Planned {
        Planned {
            call_path: path.to_owned(),
            label: label.to_owned(),
            branch: Some(format!("migrate/{label}")),
            base_commit: Some("0123456789abcdef".to_owned()),
            model: "anthropic/claude-sonnet-5".to_owned(),
            tools: ["Read", "Write", "Edit", "Bash", "Glob", "Grep"].map(str::to_owned).to_vec(),
            verify: Some(format!("`npm test -- {label}`")),
            max_turns: 20,
            cost: Some(Cost {
                context_window: 1_000_000,
                max_output_tokens: 32_000,
                turn_usd: 2.82,
            }),
            worst_case_usd: Some(56.4),
            ..Planned::default()
        }
    }

    #[test]
    fn a_plan_fits_a_terminal() {
        let long = "a very long label that somebody has taken from the first line of a prompt";
        let report = Report {
            agents: vec![
                planned("auth", "/iter#1[auth]/query#1"),
                planned("billing", "/iter#1[billing]/query#1"),
                planned(long, "/query#1"),
            ],
            steps: vec![
                Step { kind: "merge", text: "merge `migrate/auth` into `main`".into(), times: 1 },
                Step { kind: "command", text: "run `npm ci`".into(), times: 3 },
            ],
            notes: vec!["the model `x` needs a key: K is not set".into()],
            concurrency: 4,
            worst_case_usd: Some(100.0),
            known_usd: 169.2,
            max_budget_usd: Some(100.0),
            ..Report::default()
        };
        let text = render("migrate.lua", &report);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        insta::assert_snapshot!(text, @r"
        plan of migrate.lua: no model was asked, and nothing was changed

          LABEL              BRANCH             BASE     MODEL            TURNS  AT MOST

          agent.iter: 2 agents
          auth               migrate/auth       0123456  claude-sonnet-5     20   $56.40
              every tool; verified by `npm test -- auth`
          billing            migrate/billing    0123456  claude-sonnet-5     20   $56.40
              every tool; verified by `npm test -- billing`

          a very long labe…  migrate/a very l…  0123456  claude-sonnet-5     20   $56.40
              every tool; verified by `npm test -- a very long label that somebody has
              taken from the first line of a prompt`

        3 agents, 3 at once; cost at most $100.00, the run's budget (without it $169.20)
        this is one path through the script: lists that are made up have one entry,
          booleans are true
        anthropic/claude-sonnet-5: a turn is taken for 1.0M tokens in and 32.0k out,
          $2.82

        the script itself would do this, which was not done:
          merge `migrate/auth` into `main`
          run `npm ci` (3 times)
        note: the model `x` needs a key: K is not set
        ");
    }
}
