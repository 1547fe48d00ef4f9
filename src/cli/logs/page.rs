//! One agent's transcript for people: turn by turn, what the model said, what it called, and the
//! beginning of what came of each call.

use std::fmt::Write as _;

use serde_json::Value;

use super::View;
use super::events::{self, spent, word};
use super::text::{self, Width, cut, plain};
use crate::agent::spoken::Spoken;
use crate::cli::progress::{duration, thousands};
use crate::cli::terminal::{Styles, printable, stdout_styles};
use crate::event::Usage;
use crate::host::onlooker::{News, What};
use crate::journal::AgentRow;
use crate::model::{Reply, ToolResult};

/// Lines of a result that are shown.
const SHOWN: usize = 5;
/// Lines of a task that are shown.
const TASK: usize = 40;

/// The page, as far as it is written.
pub(super) struct Page {
    style: Styles,
    width: Width,
    turn: u32,
    /// When the model was given what it answers next.
    asked_at: i64,
    /// Whether it has begun before, in another process.
    has_begun: bool,
    /// Whether its end was told.
    is_over: bool,
    /// What stands above everything.
    heading: Option<String>,
}

impl Page {
    /// Begins the page of an agent.
    pub fn new(row: &AgentRow) -> Self {
        Self::of(row, stdout_styles(), Width::of_stdout())
    }

    fn of(row: &AgentRow, style: Styles, width: Width) -> Self {
        let Styles { bold, dim, reset, .. } = style;
        let branch = row.branch.as_ref().map(|branch| format!(", on {branch}"));
        let base = row.base_commit.as_ref().and_then(|commit| commit.get(..10));
        let base = base.map(|base| format!(", from {base}")).unwrap_or_default();
        let label = width.line(row.id.len() + 1, &plain(row.label.lines().next().unwrap_or("")));
        let heading = format!(
            "{bold}{} {label}{reset}\n{dim}of {}{}{base}{reset}\n",
            row.id,
            row.run,
            printable(&branch.unwrap_or_default()),
        );
        let heading = Some(heading);
        Self { style, width, turn: 0, asked_at: 0, has_begun: false, is_over: false, heading }
    }

    fn said(&mut self, kept: &Spoken, at: i64) -> String {
        let mut page = String::new();
        match kept {
            Spoken::Past(agent) => {
                let _ = writeln!(page, "\ngoes on from {}", printable(agent));
            }
            Spoken::Opening(_) => {
                let task = kept.task().unwrap_or_default();
                let lines: Vec<&str> = task.trim().lines().collect();
                let _ = writeln!(page, "\n{}asked{}", self.style.bold, self.style.reset);
                self.width.paragraph(&mut page, 2, &lines[..lines.len().min(TASK)].join("\n"));
                self.rest(&mut page, 2, lines.len().saturating_sub(TASK));
            }
            Spoken::Reply(_, reply) => self.reply(&mut page, reply, at),
            Spoken::Answer(results, texts) => {
                for result in results {
                    self.result(&mut page, result);
                }
                self.told(&mut page, texts);
            }
            Spoken::Said(texts) => self.told(&mut page, texts),
            // The event beside it says so.
            Spoken::SummedUp(_) => {}
        }
        self.asked_at = at;
        page
    }

    fn reply(&mut self, page: &mut String, reply: &Reply, at: i64) {
        let Styles { bold, dim, reset, .. } = self.style;
        self.turn += 1;
        let mut facts = Vec::new();
        if reply.usage != Usage::default() {
            let (input, output) = (reply.usage.total_input(), reply.usage.output_tokens);
            facts.push(format!("{} tokens in, {} out", thousands(input), thousands(output)));
        }
        let took = u64::try_from(at - self.asked_at).ok().filter(|_| self.asked_at > 0);
        facts.extend(took.map(duration));
        let facts = facts.join(", ");
        let _ = writeln!(page, "\n{bold}turn {}{reset}  {dim}{facts}{reset}", self.turn);
        self.width.paragraph(page, 2, &reply.text);
        for call in &reply.calls {
            let _ = writeln!(page, "  * {}", self.width.line(4, &text::call(call)));
        }
    }

    fn result(&self, page: &mut String, result: &ToolResult) {
        let Styles { red, dim, reset, .. } = self.style;
        let name = printable(&result.name);
        let failed =
            if result.is_error { format!(" {red}failed{reset}{dim}") } else { String::new() };
        let content = result.content.trim_matches('\n').trim_end();
        let mut lines = content.lines();
        if content.lines().nth(1).is_none() {
            let only = lines.next().map_or("nothing".to_owned(), |line| plain(line.trim_start()));
            let before = 4 + name.chars().count() + 7 * usize::from(result.is_error) + 2;
            let only = self.width.line(before, &only);
            let _ = writeln!(page, "    {dim}{name}{failed}: {only}{reset}");
            return;
        }
        let _ = writeln!(page, "    {dim}{name}{failed}:{reset}");
        let shown: Vec<String> = lines.by_ref().take(SHOWN).map(plain).collect();
        // Numbered lines stand far to the right.
        let far = |line: &String| line.len() - line.trim_start().len();
        let far = shown.iter().filter(|line| !line.is_empty()).map(far).min().unwrap_or_default();
        for line in shown {
            let line = self.width.line(6, line.get(far..).unwrap_or_default());
            let _ = writeln!(page, "{}", format!("      {dim}{line}{reset}").trim_end());
        }
        self.rest(page, 6, lines.count());
    }

    fn rest(&self, page: &mut String, indent: usize, count: usize) {
        let lines = if count == 1 { "line" } else { "lines" };
        if count > 0 {
            let Styles { dim, reset, .. } = self.style;
            let _ = writeln!(page, "{:indent$}{dim}… {count} more {lines}{reset}", "");
        }
    }

    fn told(&self, page: &mut String, texts: &[String]) {
        for text in texts {
            let _ = writeln!(page, "\n{}told{}", self.style.bold, self.style.reset);
            self.width.paragraph(page, 2, text);
        }
    }

    fn event(&mut self, object: &Value) -> String {
        if word(object, "subtype") == "init" {
            let again = std::mem::replace(&mut self.has_begun, true);
            return if again { "\ngoes on in another process\n".to_owned() } else { String::new() };
        }
        let Some(line) = events::line(object, &self.style) else { return String::new() };
        let ends = word(object, "type") == "result";
        self.is_over |= ends;
        if ends { format!("\n{line}\n") } else { format!("  {line}\n") }
    }
}

impl View for Page {
    fn show(&mut self, news: &News) -> String {
        let text = match &news.what {
            What::Said(kept, _) => {
                self.is_over = false;
                self.said(kept, news.at)
            }
            What::Event(object) => self.event(object),
        };
        if text.is_empty() { text } else { self.heading.take().unwrap_or_default() + &text }
    }

    fn end(&mut self, agents: &[AgentRow]) -> String {
        let heading = self.heading.take().unwrap_or_default();
        let Some(row) = agents.first().filter(|_| !self.is_over) else { return heading };
        let turns = u64::from(row.turns.max(self.turn));
        let spent = if turns > 0 { spent(turns, row.usage, row.cost_usd) } else { String::new() };
        let why = row.subtype.as_ref().filter(|_| row.status.as_str() == "failed");
        let why = why.map(|subtype| format!(" ({subtype})")).unwrap_or_default();
        format!("{heading}\n{}{why}{}\n", row.status.as_str(), cut(&spent, 200))
    }
}
