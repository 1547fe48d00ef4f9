//! The machine: git, the shell, the terminal, what confines agents.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use super::Place;
use super::report::Report;
use crate::cli::terminal;
use crate::git;
use crate::process;

/// Looks at it.
pub(super) async fn look(place: &Place, report: &mut Report) {
    let mut section = report.section("machine");
    match git::version(&place.dir).await {
        Ok(version) => section.ok("git", format!("{version}{}", place.located("git"))),
        Err(error) => {
            let hint = "install git 2.40 or newer, and see that it is in PATH";
            section.problem("git", error.message, hint);
        }
    }
    let shell = process::shell(place.variable("PATH").as_deref().map(AsRef::as_ref), &place.dir);
    if shell.ends_with("bash") {
        section.ok("shell", place.shown(&shell));
    } else {
        let hint = "install bash: models write for it";
        section.warning("shell", format!("{}: there is no bash", shell.display()), hint);
    }
    section.note(
        "sandbox",
        "none: a command of an agent has your rights; rules decide which are run",
        None,
    );
    terminal_line(place, report);
}

fn terminal_line(place: &Place, report: &mut Report) {
    let mut section = report.section("machine");
    let Some((columns, lines)) = terminal::size() else {
        section.note("terminal", "none on standard output: plain lines, no colour", None);
        return;
    };
    let colour = if place.variable("NO_COLOR").is_some() {
        "no colour (NO_COLOR is set)"
    } else if place.variable("TERM").is_some_and(|term| term == "dumb") {
        "no colour (TERM is dumb)"
    } else {
        "colour"
    };
    let mut text = format!("{columns} columns, {lines} lines, {colour}");
    if !std::io::stderr().is_terminal() {
        text += ", standard error goes elsewhere";
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| place.variable(name));
    let is_utf8 = locale.as_deref().is_some_and(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    if is_utf8 {
        section.ok("terminal", text + ", UTF-8");
    } else {
        let said = locale.unwrap_or_else(|| "unset".to_owned());
        section.note("terminal", text + &format!("; LANG is {said}, marks may look odd"), None);
    }
}

impl Place {
    /// Returns where a program is found, as the end of a line.
    fn located(&self, program: &str) -> String {
        let path = self.variable("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).map(|dir: PathBuf| dir.join(program));
        let found = found.into_iter().find(|file: &PathBuf| Path::is_file(file));
        found.map(|file| format!(" ({})", self.shown(&file))).unwrap_or_default()
    }
}
