//! `agentlua check`, and the same before `run`: what is found, what is left alone, and how it is said.

#[path = "check/agrees.rs"]
mod agrees;
#[path = "check/command.rs"]
mod command;
#[path = "check/finds.rs"]
mod finds;
#[path = "support/home.rs"]
mod home;
#[path = "check/leaves.rs"]
mod leaves;
#[path = "check/mutants.rs"]
mod mutants;

use std::path::PathBuf;

use agentlua::check::{Finding, Script, Severity, check};

/// Looks at a script without modules.
fn look(source: &str) -> Vec<Finding> {
    let script = Script {
        name: "main.lua".to_owned(),
        source: source.into(),
        dir: PathBuf::from("nowhere"),
    };
    check(vec![script]).expect("the check")
}

/// Returns a finding as a line: `2:5-9 error: what (hint)`; `warning` likewise.
fn line(finding: &Finding) -> String {
    let Finding { line, column, end_column, message, .. } = finding;
    let word = if finding.severity == Severity::Error { "error" } else { "warning" };
    let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{line}:{column}-{end_column} {word}: {message}{hint}")
}
