//! What was found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::terminal::{Styles, printable};
use crate::error::Error;

/// Columns of the longest word for a level.
const LEVEL: usize = "problem".len();
/// The fewest columns that text is wrapped to.
const NARROW: usize = 30;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Neither good nor bad.
    Note,
    /// Agents work all the same.
    Warning,
    /// Agents do not work.
    Problem,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    fn colour(self, style: &Styles) -> &'static str {
        match self {
            Self::Ok => style.green,
            Self::Note => style.dim,
            Self::Warning => style.yellow,
            Self::Problem => style.red,
        }
    }
}

/// A thing that was looked at.
#[derive(Debug)]
struct Finding {
    section: &'static str,
    name: String,
    level: Level,
    text: String,
    /// What to type, or to change.
    hint: Option<String>,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
}

/// A part of the report, to be added to.
pub struct Section<'a> {
    name: &'static str,
    report: &'a mut Report,
}

impl Report {
    /// Opens a part of it.
    pub fn section(&mut self, name: &'static str) -> Section<'_> {
        Section { name, report: self }
    }

    /// Reports whether something keeps agents from working.
    pub fn has_problems(&self) -> bool {
        self.count(Level::Problem) > 0
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// Returns the report as one object.
    pub fn json(&self) -> Value {
        let finding = |finding: &Finding| {
            json!({
                "section": finding.section,
                "name": finding.name,
                "status": finding.level.word(),
                "text": finding.text,
                "hint": finding.hint,
            })
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "ok": !self.has_problems(),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    }

    /// Returns the report for people, in lines of `columns`, if that is known.
    pub fn text(&self, style: &Styles, columns: Option<usize>) -> String {
        let Styles { bold, dim, reset, .. } = style;
        let mut text = format!("{bold}agentlua {}{reset}\n", env!("CARGO_PKG_VERSION"));
        let names = self.findings.iter().map(|finding| finding.name.chars().count());
        let width = names.max().unwrap_or_default();
        let margin = "  ".len() + LEVEL + "  ".len() + width + "  ".len();
        let room = columns.map(|columns| columns.saturating_sub(margin).max(NARROW));
        let mut sections: Vec<&str> = Vec::new();
        for finding in &self.findings {
            if !sections.contains(&finding.section) {
                sections.push(finding.section);
            }
        }
        for section in sections {
            let _ = writeln!(text, "\n{bold}{section}{reset}");
            for finding in self.findings.iter().filter(|finding| finding.section == section) {
                let Finding { name, level, text: said, hint, .. } = finding;
                let (colour, word) = (level.colour(style), level.word());
                let _ = write!(text, "  {colour}{word:<LEVEL$}{reset}  {name:<width$}  ");
                text += &wrapped(&printable(said), room).join(&format!("\n{:margin$}", ""));
                text.push('\n');
                let hint = hint.iter().flat_map(|hint| wrapped(&format!("hint: {hint}"), room));
                for line in hint {
                    let _ = writeln!(text, "{:margin$}{dim}{line}{reset}", "");
                }
            }
        }
        text + "\n" + &self.verdict(style)
    }

    fn verdict(&self, style: &Styles) -> String {
        let counted = |level: Level| match self.count(level) {
            0 => None,
            1 => Some(format!("1 {}", level.word())),
            count => Some(format!("{count} {}s", level.word())),
        };
        let (problems, warnings) = (counted(Level::Problem), counted(Level::Warning));
        let counts: Vec<String> = problems.iter().chain(&warnings).cloned().collect();
        let (colour, verdict) = match problems {
            Some(_) => (style.red, "agents cannot work here"),
            None => (style.green, "agents can work here"),
        };
        let colon = if counts.is_empty() { "" } else { ": " };
        format!("{colour}{verdict}{}{colon}{}\n", style.reset, counts.join(", "))
    }
}

impl Section<'_> {
    /// Adds what is as it should be.
    pub fn ok(&mut self, name: &str, text: impl Into<String>) {
        self.add(Level::Ok, name, text.into(), None);
    }

    /// Adds what is neither good nor bad.
    pub fn note(&mut self, name: &str, text: impl Into<String>, hint: Option<&str>) {
        self.add(Level::Note, name, text.into(), hint.map(str::to_owned));
    }

    /// Adds what is good to know of.
    pub fn warning(&mut self, name: &str, text: impl Into<String>, hint: &str) {
        self.add(Level::Warning, name, text.into(), Some(hint.to_owned()));
    }

    /// Adds what keeps agents from working.
    pub fn problem(&mut self, name: &str, text: impl Into<String>, hint: &str) {
        self.add(Level::Problem, name, text.into(), Some(hint.to_owned()));
    }

    /// Adds an error that agents would meet.
    pub fn error(&mut self, name: &str, error: &Error) {
        self.add(Level::Problem, name, error.message.clone(), error.hint.clone());
    }

    fn add(&mut self, level: Level, name: &str, text: String, hint: Option<String>) {
        let (section, name) = (self.name, name.to_owned());
        self.report.findings.push(Finding { section, name, level, text, hint });
    }
}

/// Returns the text in lines of so many columns, broken between words.
fn wrapped(text: &str, columns: Option<usize>) -> Vec<String> {
    let Some(columns) = columns else { return vec![text.to_owned()] };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_its_line_and_what_to_type() {
        let mut report = Report::default();
        report.section("machine").ok("git", "2.50.1 (/usr/bin/git)");
        report.section("models").problem("model", "no key is set", "export ANTHROPIC_API_KEY=…");
        report.section("machine").note(
            "sandbox",
            "none: a command of an agent has your rights",
            None,
        );
        let text = report.text(&crate::cli::terminal::PLAIN, Some(52));
        let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(text, @r"
        agentlua VERSION

        machine
          ok       git      2.50.1 (/usr/bin/git)
          note     sandbox  none: a command of an agent has
                            your rights

        models
          problem  model    no key is set
                            hint: export ANTHROPIC_API_KEY=…

        agents cannot work here: 1 problem
        ");
    }
}
