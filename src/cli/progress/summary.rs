//! What a run leaves behind, at its end: who failed and why, the branches, and what to type next.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::Path;

use super::tokens;
use crate::agent::Subtype;
use crate::agent::budget::usd;
use crate::agent::tally::{Ended, Tally};
use crate::cli::terminal::{Styles, printable, say, stderr_size, styles};
use crate::cli::width::{fit_label, left, right, width, wrap};

/// Agents listed one by one; the rest is counted.
const SHOWN: usize = 20;
/// How wide a line may be where there is no terminal.
const WIDTH: usize = 100;
/// Lines of one reason; `agentlua logs` has all of it.
const REASON: usize = 3;
/// The columns that a label has at least, and at most.
const LABEL: (usize, usize) = (12, 40);

/// Prints what a run leaves behind; `again` is what goes on with it.
pub fn summary(run: &str, tally: &Tally, quiet: bool, again: Option<&str>) {
    if tally.ended.is_empty() {
        return;
    }
    let failed = tally.ended.iter().any(is_to_be_looked_at);
    if quiet && !failed {
        return;
    }
    let is_terminal = std::io::stderr().is_terminal();
    let columns = if is_terminal { stderr_size().columns } else { WIDTH };
    say(&render(run, tally, again, columns, &styles()));
}

fn render(run: &str, tally: &Tally, again: Option<&str>, columns: usize, style: &Styles) -> String {
    let Styles { dim, reset, .. } = style;
    let mut text = title(run, tally, style);
    // Failures first: they are what somebody has to look at.
    let (bad, good): (Vec<&Ended>, Vec<&Ended>) =
        tally.ended.iter().partition(|agent| is_to_be_looked_at(agent));
    let good = good.into_iter().filter(|agent| agent.branch.is_some());
    let listed: Vec<&Ended> = together(bad).into_iter().chain(good).collect();
    let shown = &listed[..listed.len().min(SHOWN)];
    table(&mut text, shown, columns, style);
    if listed.len() > shown.len() {
        let rest = &listed[shown.len()..];
        // Only those that left something are listed without it.
        let all = if rest.iter().all(|agent| has_left(agent)) { "" } else { " --all" };
        let more = rest.len();
        let _ = writeln!(text, "  {dim}… and {more} more:{reset} agentlua agents{all} --wide");
    }
    kept(&mut text, &tally.ended, style);
    next(&mut text, tally, &listed, style);
    if let Some(again) = again {
        let _ = writeln!(text, "{dim}go on:{reset} {again}");
    }
    text
}

fn is_to_be_looked_at(agent: &Ended) -> bool {
    agent.subtype != Subtype::Success || agent.denials > 0
}

fn has_left(agent: &Ended) -> bool {
    agent.branch.is_some() || agent.worktree_path.as_ref().is_some_and(|path| path.is_dir())
}

fn title(run: &str, tally: &Tally, style: &Styles) -> String {
    let Styles { red, yellow, green, bold, dim, reset, .. } = style;
    let count =
        |subtypes: &[Subtype]| tally.ended.iter().filter(|a| subtypes.contains(&a.subtype)).count();
    let (done, cancelled) = (count(&[Subtype::Success]), count(&[Subtype::ErrorCancelled]));
    let failed = tally.ended.len() - done - cancelled;
    let mut counts = vec![format!("{green}{done} done{reset}")];
    if failed > 0 {
        counts.push(format!("{red}{failed} failed{reset}"));
    }
    if cancelled > 0 {
        counts.push(format!("{yellow}{cancelled} cancelled{reset}"));
    }
    let agents = if tally.ended.len() == 1 { "agent" } else { "agents" };
    format!(
        "\n{bold}{} {agents}{reset}: {}{}{} {dim}({run}){reset}\n",
        tally.ended.len(),
        counts.join(", "),
        tokens(&tally.usage, "; "),
        spent(tally)
    )
}

/// Returns what a run cost, and of which models that is unknown.
fn spent(tally: &Tally) -> String {
    let mut text = String::new();
    if tally.cost_usd > 0.0 {
        let _ = write!(text, "; {}", usd(tally.cost_usd));
    }
    if !tally.unpriced.is_empty() {
        let _ = write!(text, "; cost unknown for {}", printable(&tally.unpriced.join(", ")));
    }
    text
}

/// Puts agents that have the same to tell beside each other, in the order of the first of each.
fn together(mut agents: Vec<&Ended>) -> Vec<&Ended> {
    let mut reasons: Vec<String> = Vec::new();
    agents.sort_by_cached_key(|agent| {
        let reason = reason(agent);
        reasons.iter().position(|known| *known == reason).unwrap_or_else(|| {
            reasons.push(reason);
            reasons.len() - 1
        })
    });
    agents
}

/// Returns why an agent is to be looked at; nothing for one that is not, or was simply cancelled.
fn reason(agent: &Ended) -> String {
    let told = matches!(agent.subtype, Subtype::Success | Subtype::ErrorCancelled);
    let message = agent.message.as_ref().filter(|_| !told).map(|message| printable(message));
    let denials = match agent.denials {
        0 => None,
        1 => Some("1 denied call".to_owned()),
        count => Some(format!("{count} denied calls")),
    };
    message.into_iter().chain(denials).collect::<Vec<_>>().join("; ")
}

fn table(text: &mut String, agents: &[&Ended], columns: usize, style: &Styles) {
    let Styles { red, yellow, green, .. } = style;
    let rows: Vec<[String; 6]> = agents.iter().map(|agent| cells(agent)).collect();
    let mut widths: [usize; 6] =
        std::array::from_fn(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0));
    let others: usize = widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum();
    let room = (columns + widths[LABEL_CELL]).saturating_sub(others).clamp(LABEL.0, LABEL.1);
    widths[LABEL_CELL] = widths[LABEL_CELL].min(room);
    let reasons: Vec<String> = agents.iter().map(|agent| reason(agent)).collect();
    let mut same = 0;
    for (index, (agent, row)) in agents.iter().zip(&rows).enumerate() {
        let tint = match agent.subtype {
            Subtype::Success => green,
            Subtype::ErrorCancelled => yellow,
            _ => red,
        };
        line(text, row, &widths, tint, style);
        same += 1;
        if reasons.get(index + 1) != Some(&reasons[index]) {
            explain(text, &reasons[index], same, columns, style);
            same = 0;
        }
    }
}

/// Which cell may be cut.
const LABEL_CELL: usize = 2;

fn cells(agent: &Ended) -> [String; 6] {
    let status = match agent.subtype {
        Subtype::Success => "done",
        Subtype::ErrorCancelled => "cancelled",
        _ => "failed",
    };
    let branch = agent.branch.clone().filter(|branch| *branch != agent.label);
    let files = match agent.files_changed {
        0 => String::new(),
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let cost = agent.outcome["total_cost_usd"].as_f64().filter(|cost| *cost > 0.0);
    [
        agent.id.clone(),
        status.to_owned(),
        printable(&agent.label),
        branch.unwrap_or_default(),
        files,
        cost.map(usd).unwrap_or_default(),
    ]
}

fn line(text: &mut String, row: &[String; 6], widths: &[usize; 6], tint: &str, style: &Styles) {
    let mut line = String::new();
    for (column, (cell, columns)) in row.iter().zip(widths).enumerate() {
        let cell = match column {
            _ if *columns == 0 => continue,
            1 if !tint.is_empty() => format!("{tint}{}{}", left(cell, *columns), style.reset),
            LABEL_CELL => left(&fit_label(cell, *columns), *columns),
            4.. => right(cell, *columns),
            _ => left(cell, *columns),
        };
        line.push_str("  ");
        line.push_str(&cell);
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

/// Says why the last agents failed.
fn explain(text: &mut String, reason: &str, count: usize, columns: usize, style: &Styles) {
    let whose = match count {
        _ if reason.is_empty() => return,
        1 => String::new(),
        2 => "both: ".to_owned(),
        count => format!("all {count}: "),
    };
    let mut lines = wrap(&format!("{whose}{reason}"), columns.saturating_sub(7).max(20));
    if lines.len() > REASON {
        lines.truncate(REASON);
        if let Some(last) = lines.last_mut() {
            last.push_str(" …");
        }
    }
    for line in lines {
        let _ = writeln!(text, "      {}{line}{}", style.yellow, style.reset);
    }
}

/// Says where the worktrees are that were kept.
fn kept(text: &mut String, ended: &[Ended], style: &Styles) {
    let Styles { dim, reset, .. } = style;
    let mut places: Vec<(&Path, usize)> = Vec::new();
    let paths = ended.iter().filter_map(|agent| agent.worktree_path.as_deref());
    for place in paths.filter(|path| path.is_dir()).filter_map(Path::parent) {
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, count)) => *count += 1,
            None => places.push((place, 1)),
        }
    }
    for (place, count) in places {
        let worktrees = if count == 1 { "1 worktree" } else { &format!("{count} worktrees") };
        let _ = writeln!(text, "{dim}kept:{reset} {worktrees} in {}", place.display());
    }
}

/// Says what to type to see and to land what was done.
fn next(text: &mut String, tally: &Tally, listed: &[&Ended], style: &Styles) {
    let Styles { dim, reset, .. } = style;
    let is_landable = |agent: &&&Ended| {
        let branch = agent.branch.as_ref().filter(|branch| !tally.merged.contains(*branch));
        let repo = agent.repo.as_ref().filter(|repo| repo.exists());
        let is_there = branch.is_some() && repo.is_some();
        is_there && agent.subtype == Subtype::Success && agent.files_changed > 0
    };
    let mut landable = listed.iter().filter(is_landable);
    let Some(first) = landable.next() else { return };
    let repo = first.repo.as_deref().map(elsewhere).unwrap_or_default();
    let more = match landable.count() {
        0 => String::new(),
        count => format!(" {dim}(and {count} more){reset}"),
    };
    let id = &first.id;
    let _ = writeln!(text, "{dim}look:{reset} agentlua diff {id}{repo}");
    let _ = writeln!(text, "{dim}land:{reset} agentlua merge {id}{repo}{more}");
}

/// Returns the flag that names a repository, unless one stands in it.
fn elsewhere(repo: &Path) -> String {
    match std::env::current_dir() {
        Ok(here) if here.starts_with(repo) => String::new(),
        _ => format!(" --repo {}", repo.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Usage;

    const PLAIN: Styles = Styles { red: "", yellow: "", green: "", bold: "", dim: "", reset: "" };

    fn ended(number: usize, subtype: Subtype, label: &str, branch: Option<&str>) -> Ended {
        Ended {
            id: format!("agent-{number:04x}"),
            label: label.into(),
            subtype,
            message: (subtype != Subtype::Success).then(|| "the model\nrefused".into()),
            branch: branch.map(Into::into),
            repo: Some("/".into()),
            worktree_path: branch.map(|_| "/usr/bin".into()),
            files_changed: usize::from(branch.is_some()) * number,
            denials: usize::from(subtype == Subtype::ErrorRefusal),
            outcome: std::sync::Arc::default(),
            excused: false,
            stopped: false,
        }
    }

    fn tally(ended: Vec<Ended>) -> Tally {
        let usage = Usage { input_tokens: 12_345, output_tokens: 67, ..Usage::default() };
        Tally { ended, usage, ..Tally::default() }
    }

    #[test]
    fn the_summary_names_every_failure_first_and_what_to_type() {
        let mut tally = tally(vec![
            ended(1, Subtype::Success, "auth", Some("fix/auth")),
            ended(2, Subtype::Success, "nothing to do", None),
            ended(3, Subtype::ErrorRefusal, "billing", None),
            ended(4, Subtype::ErrorCancelled, "search", None),
            ended(5, Subtype::Success, "fix/export", Some("fix/export")),
        ]);
        tally.cost_usd = 0.42;
        insta::assert_snapshot!(render("run-1", &tally, Some("agentlua resume run-1"), 80, &PLAIN), @r"

        5 agents: 3 done, 1 failed, 1 cancelled; 12.3k tokens in, 67 out; $0.42 (run-1)
          agent-0003  failed     billing
              the model refused; 1 denied call
          agent-0004  cancelled  search
          agent-0001  done       auth        fix/auth   1 file
          agent-0005  done       fix/export            5 files
        kept: 2 worktrees in /usr
        look: agentlua diff agent-0001
        land: agentlua merge agent-0001 (and 1 more)
        go on: agentlua resume run-1
        ");
    }

    #[test]
    fn hundreds_of_agents_are_counted_and_one_reason_is_told_once() {
        let label = "move every caller of the old interface to the new one";
        let all = (0..300).map(|number| match number % 100 {
            0..5 => ended(number, Subtype::ErrorVerify, label, Some("migrate/callers")),
            5 => ended(number, Subtype::ErrorMaxTurns, "src/auth", None),
            _ => ended(number, Subtype::Success, label, Some("migrate/callers")),
        });
        let mut tally = tally(all.collect());
        for agent in &mut tally.ended {
            if agent.subtype == Subtype::ErrorMaxTurns {
                agent.message = Some("20 turns were not enough ".repeat(20));
            }
        }
        let text = render("run-1", &tally, None, 80, &PLAIN);
        insta::assert_snapshot!(text, @r"

        300 agents: 282 done, 18 failed; 12.3k tokens in, 67 out (run-1)
          agent-0000  failed  move every caller of the old …  migrate/callers
          agent-0001  failed  move every caller of the old …  migrate/callers     1 file
          agent-0002  failed  move every caller of the old …  migrate/callers    2 files
          agent-0003  failed  move every caller of the old …  migrate/callers    3 files
          agent-0004  failed  move every caller of the old …  migrate/callers    4 files
          agent-0064  failed  move every caller of the old …  migrate/callers  100 files
          agent-0065  failed  move every caller of the old …  migrate/callers  101 files
          agent-0066  failed  move every caller of the old …  migrate/callers  102 files
          agent-0067  failed  move every caller of the old …  migrate/callers  103 files
          agent-0068  failed  move every caller of the old …  migrate/callers  104 files
          agent-00c8  failed  move every caller of the old …  migrate/callers  200 files
          agent-00c9  failed  move every caller of the old …  migrate/callers  201 files
          agent-00ca  failed  move every caller of the old …  migrate/callers  202 files
          agent-00cb  failed  move every caller of the old …  migrate/callers  203 files
          agent-00cc  failed  move every caller of the old …  migrate/callers  204 files
              all 15: the model refused
          agent-0005  failed  src/auth
          agent-0069  failed  src/auth
          agent-00cd  failed  src/auth
              all 3: 20 turns were not enough 20 turns were not enough 20 turns were
              not enough 20 turns were not enough 20 turns were not enough 20 turns
              were not enough 20 turns were not enough 20 turns were not enough 20 …
          agent-0006  done    move every caller of the old …  migrate/callers    6 files
          agent-0007  done    move every caller of the old …  migrate/callers    7 files
          … and 280 more: agentlua agents --wide
        kept: 297 worktrees in /usr
        look: agentlua diff agent-0006
        land: agentlua merge agent-0006 (and 281 more)
        ");
        assert!(text.lines().all(|line| width(line) <= 80), "{text}");
        // Those that left nothing are not listed unless one asks for all.
        for agent in &mut tally.ended {
            (agent.subtype, agent.branch, agent.worktree_path) =
                (Subtype::ErrorCancelled, None, None);
        }
        let text = render("run-1", &tally, None, 80, &PLAIN);
        assert!(text.contains("… and 280 more: agentlua agents --all --wide\n"), "{text}");
    }
}
