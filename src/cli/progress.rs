//! Progress in plain lines on standard error, and how numbers are shown in it.

mod summary;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use summary::summary;

use super::terminal::{Print, Styles, printable, printable_lines, styles};
use crate::agent::budget::usd;
use crate::event::{Event, Level, Posted, Reporter, ToolSummary, Usage};

/// Tools named in one line of progress.
const SHOWN_CALLS: usize = 3;

/// Prints events as lines.
pub struct Plain {
    quiet: bool,
    debug: bool,
    style: Styles,
    print: Mutex<Print>,
    /// Agents that were cancelled: that they left nothing goes without saying.
    cancelled: Mutex<BTreeSet<String>>,
}

impl Plain {
    /// Makes a reporter that writes through `print`.
    pub fn new(quiet: bool, debug: bool, print: Print) -> Self {
        let (print, cancelled) = (Mutex::new(print), Mutex::default());
        Self { quiet, debug, style: styles(), print, cancelled }
    }

    fn message(&self, level: Level, text: &str) -> Option<String> {
        let Styles { yellow, red, reset, .. } = self.style;
        let text = told(text);
        match level {
            Level::Debug if !self.debug => None,
            Level::Warn => Some(format!("{yellow}warning{reset}: {text}")),
            Level::Error => Some(format!("{red}error{reset}: {text}")),
            Level::Debug | Level::Info => (!self.quiet).then_some(text),
        }
    }

    /// Returns the line that tells of an event, if one does.
    pub fn line(&self, event: &Event) -> Option<String> {
        let Styles { yellow, red, green, bold, dim, reset, .. } = self.style;
        Some(match event {
            Event::Message { level, text } => return self.message(*level, text),
            _ if self.quiet => return None,
            Event::RunStarted { run, script, resumed: true } => resumed(run, script),
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
                format!("{agent} {yellow}denied{reset} {}: {}", printable(tool), printable(reason))
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
                        self.cancelled().insert(agent.clone());
                        format!("{agent} {label}: {yellow}cancelled{reset}{took}")
                    }
                    (subtype, message) => format!(
                        "{agent} {label}: {red}failed{reset}: {}{took}",
                        printable(message.as_deref().unwrap_or(subtype))
                    ),
                }
            }
            Event::WorktreeRemoved { agent, ignored_files: 0, .. }
                if self.cancelled().remove(agent) =>
            {
                return None;
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

    fn cancelled(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Returns a message as it is shown: its further lines do not begin where ours do.
fn told(text: &str) -> String {
    printable_lines(text, "    ")
}

fn resumed(run: &str, script: &str) -> String {
    format!("{run} is resumed: {}", printable(script))
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

    #[test]
    fn that_a_cancelled_agent_left_nothing_goes_without_saying() {
        let plain = Plain::new(false, false, Box::new(|_| {}));
        let finished = |agent: &str, subtype: &str| Event::AgentFinished {
            agent: agent.into(),
            label: "job".into(),
            subtype: subtype.into(),
            message: None,
            branch: None,
            worktree_path: None,
            head_commit: None,
            files_changed: 0,
            num_turns: 0,
            duration_ms: 0,
            usage: Usage::default(),
            cost_usd: None,
            denials: 0,
            outcome: std::sync::Arc::default(),
            recalled: false,
        };
        let removed = |agent: &str, ignored_files| Event::WorktreeRemoved {
            agent: agent.into(),
            path: "/w".into(),
            ignored_files,
            ignored_bytes: 1,
        };
        let mut told = Vec::new();
        for (agent, subtype, ignored) in
            [("a", "error_cancelled", 0), ("b", "error_cancelled", 1), ("c", "success", 0)]
        {
            told.extend(plain.line(&finished(agent, subtype)));
            told.extend(plain.line(&removed(agent, ignored)));
        }
        assert_eq!(
            told,
            [
                "a job: cancelled",
                "b job: cancelled",
                "b nothing changed; its worktree is removed, with 1 ignored file (1 kB)",
                "c job: done, no files changed",
                "c nothing changed; its worktree is removed",
            ]
        );
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
