//! Progress in plain lines on standard error, and the summary at the end.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

use super::terminal::{Print, Styles, printable, say, styles};
use crate::agent::Subtype;
use crate::agent::budget::usd;
use crate::agent::tally::{Ended, Tally};
use crate::event::{Event, Level, Posted, Reporter, ToolSummary, Usage};

/// Tools named in one line of progress.
const SHOWN_CALLS: usize = 3;
/// Agents listed one by one in the summary; the rest is counted.
const SHOWN_AGENTS: usize = 20;

/// Prints events as lines.
pub struct Plain {
    quiet: bool,
    debug: bool,
    style: Styles,
    print: Mutex<Print>,
}

impl Plain {
    /// Makes a reporter that writes through `print`.
    pub fn new(quiet: bool, debug: bool, print: Print) -> Self {
        Self { quiet, debug, style: styles(), print: Mutex::new(print) }
    }

    fn line(&self, event: &Event) -> Option<String> {
        let Styles { yellow, red, green, bold, dim, reset, .. } = self.style;
        Some(match event {
            Event::Message { level: Level::Debug, .. } if !self.debug => return None,
            Event::Message { level: Level::Warn, text } => {
                format!("{yellow}warning{reset}: {text}")
            }
            Event::Message { level: Level::Error, text } => format!("{red}error{reset}: {text}"),
            _ if self.quiet => return None,
            Event::Message { text, .. } => text.clone(),
            Event::RunStarted { run, script, resumed: true } => {
                format!("{run} is resumed: {}", printable(script))
            }
            Event::Phase { name, .. } => format!("{bold}{}{reset}", printable(name)),
            Event::AgentStarted { agent, label, turns, .. } if *turns > 0 => {
                format!("{agent} {}: goes on at turn {}", printable(label), turns + 1)
            }
            Event::AgentStarted { agent, label, branch, .. } => {
                let on = branch.as_ref().map(|branch| format!(" on {branch}")).unwrap_or_default();
                format!("{agent} {}: started{on}", printable(label))
            }
            Event::TurnFinished { agent, turn, calls, .. } if !calls.is_empty() => {
                format!("{agent} {dim}turn {turn}{reset} {}", shown_calls(calls))
            }
            Event::ToolDenied { agent, tool, reason, .. } => {
                format!("{agent} {yellow}denied{reset} {tool}: {reason}")
            }
            Event::RetryScheduled { agent, attempt, delay_ms, reason, .. } => format!(
                "{agent} {yellow}retry {attempt}{reset} in {}: {}",
                duration(*delay_ms),
                printable(reason)
            ),
            Event::Compacted { agent, before, after } => {
                let (before, after) = (thousands(*before), thousands(*after));
                format!("{agent} {dim}summed up{reset}: {before} tokens became {after}")
            }
            // Outcomes that the journal had are told of together.
            Event::Verified { attempt: 0, ok: true, .. }
            | Event::AgentFinished { recalled: true, .. } => return None,
            Event::Verified { agent, attempt, ok, message, duration_ms } => {
                let took = duration(*duration_ms);
                let message = printable(message.as_deref().unwrap_or_default());
                match (attempt, ok) {
                    (_, true) => format!("{agent} {green}verified{reset} in {took}"),
                    (0, false) => format!("{agent} before it began: {message}"),
                    (_, false) => format!("{agent} {yellow}not verified{reset}: {message}"),
                }
            }
            Event::ModelChanged { agent, from, to, reason } => format!(
                "{agent} {yellow}{from} cannot answer{reset}: {}; {to} is asked from now on",
                printable(reason)
            ),
            Event::AgentFinished {
                agent,
                label,
                subtype,
                message,
                num_turns,
                duration_ms,
                usage,
                cost_usd,
                files_changed,
                ..
            } => {
                let turns = if *num_turns == 1 { "turn" } else { "turns" };
                let (took, tokens) = (duration(*duration_ms), tokens(usage, ", "));
                let took = match num_turns {
                    0 => String::new(),
                    count => format!(", {count} {turns}, {took}{tokens}{}", cost(*cost_usd)),
                };
                let label = printable(label);
                match (subtype.as_str(), message) {
                    ("success", _) => format!(
                        "{agent} {label}: {green}done{reset}, {}{took}",
                        files(*files_changed)
                    ),
                    ("error_cancelled", _) => {
                        format!("{agent} {label}: {yellow}cancelled{reset}{took}")
                    }
                    (subtype, message) => format!(
                        "{agent} {label}: {red}failed{reset}: {}{took}",
                        printable(message.as_deref().unwrap_or(subtype))
                    ),
                }
            }
            Event::WorktreeRemoved { agent, ignored_files, ignored_bytes, .. } => {
                let ignored = match ignored_files {
                    0 => String::new(),
                    1 => format!(", with 1 ignored file ({})", bytes(*ignored_bytes)),
                    count => format!(", with {count} ignored files ({})", bytes(*ignored_bytes)),
                };
                format!("{agent} nothing changed; its worktree is removed{ignored}")
            }
            Event::Merged { branch, into, status, commit } => {
                let short = commit.get(..10).unwrap_or(commit);
                match status.as_str() {
                    "up_to_date" => format!("{branch}: {into} has it already"),
                    _ => format!("{branch}: {green}merged{reset} into {into} ({short})"),
                }
            }
            _ => return None,
        })
    }
}

impl Reporter for Plain {
    fn report(&self, event: &Posted) {
        if let Some(mut line) = self.line(event) {
            line.push('\n');
            if let Ok(mut print) = self.print.lock() {
                print(&line);
            }
        }
    }
}

fn shown_calls(calls: &[ToolSummary]) -> String {
    let mut shown: Vec<String> = calls
        .iter()
        .take(SHOWN_CALLS)
        .map(|call| format!("{} {}", call.tool, printable(&call.argument)).trim_end().to_owned())
        .collect();
    if calls.len() > SHOWN_CALLS {
        shown.push(format!("{} more", calls.len() - SHOWN_CALLS));
    }
    shown.join(", ")
}

/// Prints what a run leaves behind; `again` is what goes on with it.
pub fn summary(run: &str, tally: &Tally, quiet: bool, again: Option<&str>) {
    if tally.ended.is_empty() {
        return;
    }
    let failed =
        tally.ended.iter().any(|agent| !agent.subtype.eq(&Subtype::Success) || agent.denials > 0);
    if quiet && !failed {
        return;
    }
    say(&render(run, tally, again, &styles()));
}

fn render(run: &str, tally: &Tally, again: Option<&str>, style: &Styles) -> String {
    let Styles { bold, dim, reset, .. } = style;
    let mut text = String::new();
    let count =
        |subtypes: &[Subtype]| tally.ended.iter().filter(|a| subtypes.contains(&a.subtype)).count();
    let (done, cancelled) = (count(&[Subtype::Success]), count(&[Subtype::ErrorCancelled]));
    let failed = tally.ended.len() - done - cancelled;
    let mut counts = vec![format!("{done} done")];
    if failed > 0 {
        counts.push(format!("{failed} failed"));
    }
    if cancelled > 0 {
        counts.push(format!("{cancelled} cancelled"));
    }
    let agents = if tally.ended.len() == 1 { "agent" } else { "agents" };
    let _ = writeln!(
        text,
        "\n{bold}{} {agents}{reset}: {}{}{} {dim}({run}){reset}",
        tally.ended.len(),
        counts.join(", "),
        tokens(&tally.usage, "; "),
        spent(tally)
    );
    // Failures first: they are what somebody has to look at.
    let (good, bad): (Vec<&Ended>, Vec<&Ended>) = tally
        .ended
        .iter()
        .partition(|agent| agent.subtype == Subtype::Success && agent.denials == 0);
    let listed: Vec<&Ended> =
        bad.into_iter().chain(good.into_iter().filter(|agent| agent.branch.is_some())).collect();
    for agent in listed.iter().take(SHOWN_AGENTS) {
        let _ = writeln!(text, "  {}", agent_line(agent, style));
    }
    if listed.len() > SHOWN_AGENTS {
        let _ =
            writeln!(text, "  … {} more: `agentlua agents --wide`", listed.len() - SHOWN_AGENTS);
    }
    let landable = listed.iter().find(|agent| {
        let branch = agent.branch.as_ref().filter(|branch| !tally.merged.contains(*branch));
        branch.is_some() && agent.subtype == Subtype::Success && agent.files_changed > 0
    });
    if let Some(Ended { branch: Some(branch), repo: Some(repo), .. }) = landable
        && repo.exists()
    {
        let git = git_for(repo);
        let _ = writeln!(
            text,
            "{dim}look:{reset} {git} diff HEAD...{branch}\n{dim}land:{reset} {git} merge {branch}"
        );
    }
    if let Some(again) = again {
        let _ = writeln!(text, "{dim}go on:{reset} {again}");
    }
    text
}

/// Returns how git is called for a repository: plainly, where one stands in it.
fn git_for(repo: &Path) -> String {
    match std::env::current_dir() {
        Ok(here) if here.starts_with(repo) => "git".to_owned(),
        _ => format!("git -C {}", repo.display()),
    }
}

fn agent_line(agent: &Ended, style: &Styles) -> String {
    let Styles { red, yellow, green, dim, reset, .. } = style;
    let mark = match agent.subtype {
        Subtype::Success => format!("{green}done{reset}"),
        Subtype::ErrorCancelled => format!("{yellow}cancelled{reset}"),
        _ => format!("{red}failed{reset}"),
    };
    let mut line = format!("{} {mark} {}", agent.id, printable(&agent.label));
    if let Some(branch) = &agent.branch {
        if *branch != agent.label {
            let _ = write!(line, " {dim}on{reset} {branch}");
        }
        let _ = write!(line, " ({})", files(agent.files_changed));
    }
    let told = matches!(agent.subtype, Subtype::Success | Subtype::ErrorCancelled);
    if let (Some(message), false) = (&agent.message, told) {
        let _ = write!(line, ": {}", printable(message));
    }
    if agent.denials > 0 {
        let calls = if agent.denials == 1 { "call" } else { "calls" };
        let _ = write!(line, "; {yellow}{} denied {calls}{reset}", agent.denials);
    }
    line
}

/// Returns how many files have changed.
pub fn files(count: usize) -> String {
    match count {
        0 => "no files changed".to_owned(),
        1 => "1 file changed".to_owned(),
        count => format!("{count} files changed"),
    }
}

/// Returns the tokens, with what separates them from what stands before; nothing for none.
fn tokens(usage: &Usage, before: &str) -> String {
    if *usage == Usage::default() {
        return String::new();
    }
    let (input, output) = (thousands(usage.total_input()), thousands(usage.output_tokens));
    format!("{before}{input} tokens in, {output} out")
}

/// Returns what an agent cost; nothing when that is unknown or nothing.
fn cost(cost: Option<f64>) -> String {
    cost.filter(|cost| *cost > 0.0).map(|cost| format!(", {}", usd(cost))).unwrap_or_default()
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

/// Shows a count as `842`, `12.3k` or `4.1M`.
pub fn thousands(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{:.1}k", count as f64 / 1e3),
        _ => format!("{:.1}M", count as f64 / 1e6),
    }
}

/// Shows a time as `842 ms`, `1.5 s` or `2 min 3 s`.
pub fn duration(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{:.1} s", millis as f64 / 1e3),
        _ => format!("{} min {} s", millis / 60_000, millis / 1_000 % 60),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1_000_000 => format!("{} kB", count.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Styles = Styles { red: "", yellow: "", green: "", bold: "", dim: "", reset: "" };

    fn ended(id: &str, subtype: Subtype, branch: Option<&str>) -> Ended {
        Ended {
            id: id.into(),
            label: "auth".into(),
            subtype,
            message: (subtype != Subtype::Success).then(|| "the model\nrefused".into()),
            branch: branch.map(Into::into),
            repo: Some("/".into()),
            worktree_path: None,
            files_changed: usize::from(branch.is_some()),
            denials: usize::from(subtype == Subtype::ErrorRefusal),
            outcome: std::sync::Arc::default(),
            excused: false,
        }
    }

    #[test]
    fn the_summary_names_every_failure_first_and_what_to_type() {
        let tally = Tally {
            ended: vec![
                ended("agent-0001", Subtype::Success, Some("fix/auth")),
                ended("agent-0002", Subtype::Success, None),
                ended("agent-0003", Subtype::ErrorRefusal, None),
                ended("agent-0004", Subtype::ErrorCancelled, None),
            ],
            usage: Usage { input_tokens: 12_345, output_tokens: 67, ..Usage::default() },
            ..Tally::default()
        };
        insta::assert_snapshot!(render("run-1", &tally, Some("agentlua resume run-1"), &PLAIN), @r"

        4 agents: 2 done, 1 failed, 1 cancelled; 12.3k tokens in, 67 out (run-1)
          agent-0003 failed auth: the model refused; 1 denied call
          agent-0004 cancelled auth
          agent-0001 done auth on fix/auth (1 file changed)
        look: git diff HEAD...fix/auth
        land: git merge fix/auth
        go on: agentlua resume run-1
        ");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [thousands(9_999), thousands(12_345), thousands(4_100_000)],
            ["9999", "12.3k", "4.1M"]
        );
        assert_eq!(
            [duration(5), duration(1_500), duration(61_000)],
            ["5 ms", "1.5 s", "1 min 1 s"]
        );
        assert_eq!([bytes(1), bytes(2_500_000)], ["1 kB", "2.5 MB"]);
    }
}
