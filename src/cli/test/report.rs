//! What people and programs read of a call: a line for each case, the failures at the end, a count.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::file::{CaseReport, Failure, FileReport, Status};
use crate::cli::diagnostic;
use crate::cli::terminal::{Styles, stdout_styles};
use crate::error::{Error, Kind, Result, ResultExt};

/// Of what a failed case wrote, the last lines are shown.
const MAX_OUTPUT_LINES: usize = 60;

/// What became of all files.
#[derive(Serialize)]
pub struct Report<'a> {
    ok: bool,
    passed: usize,
    failed: usize,
    skipped: usize,
    not_run: usize,
    duration_ms: u64,
    files: &'a [FileReport],
}

/// Returns what counts in a file: its cases, and the file itself if it failed apart from them or has
/// none.
fn counted(file: &FileReport) -> Vec<Status> {
    let mut counted: Vec<_> = file.cases.iter().map(|case| case.status).collect();
    if file.error.is_some() || (file.cases.is_empty() && file.left_out == 0) {
        counted.push(file.status);
    }
    counted
}

impl<'a> Report<'a> {
    /// Counts.
    pub fn new(files: &'a [FileReport], duration: Duration) -> Self {
        let all: Vec<Status> = files.iter().flat_map(counted).collect();
        let count = |status| all.iter().filter(|each| **each == status).count();
        Self {
            ok: count(Status::Failed) == 0,
            passed: count(Status::Passed),
            failed: count(Status::Failed),
            skipped: count(Status::Skipped),
            not_run: count(Status::NotRun),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            files,
        }
    }

    /// Reports whether nothing failed.
    pub fn is_ok(&self) -> bool {
        self.ok
    }

    /// Reports whether there was nothing to run.
    pub fn is_empty(&self) -> bool {
        self.passed + self.failed + self.skipped + self.not_run == 0
    }

    /// Returns it for programs.
    ///
    /// # Errors
    /// Internal: a fault of ours.
    pub fn json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        Ok(text.or_kind(Kind::Internal, || "cannot write JSON")? + "\n")
    }

    /// Returns the failures and the count.
    pub fn end(&self) -> String {
        let style = stdout_styles();
        let Styles { red, green, yellow, bold, reset, .. } = style;
        let mut text = String::new();
        if self.failed > 0 {
            let _ = writeln!(text, "\n{bold}failures{reset}");
        }
        for file in self.files {
            for case in file.cases.iter().filter(|case| case.status == Status::Failed) {
                failed_case(&mut text, &style, file, case);
            }
            if let Some(error) = &file.error {
                failed_file(&mut text, &style, file, error);
            }
        }
        if !text.is_empty() || !self.files.is_empty() {
            text.push('\n');
        }
        let mut parts = Vec::new();
        for (count, what, colour) in [
            (self.passed, "passed", green),
            (self.failed, "failed", red),
            (self.skipped, "skipped", yellow),
            (self.not_run, "not run", yellow),
        ] {
            if count > 0 || what == "passed" {
                let colour = if count > 0 { colour } else { "" };
                let reset = if count > 0 { reset } else { "" };
                parts.push(format!("{colour}{count} {what}{reset}"));
            }
        }
        let files = self.files.len();
        let noun = if files == 1 { "file" } else { "files" };
        let time = time(self.duration_ms);
        let _ = writeln!(text, "{} in {files} {noun} ({time})", parts.join(", "));
        text
    }
}

/// Returns the lines of a file and its cases.
pub fn lines(file: &FileReport) -> String {
    let style = stdout_styles();
    let Styles { dim, bold, reset, .. } = style;
    // A file that the filter left nothing of is not worth a line.
    if counted(file).is_empty() {
        return String::new();
    }
    let mut text = String::new();
    let took = if file.status == Status::NotRun && file.cases.is_empty() {
        String::new()
    } else {
        format!(" {dim}({}){reset}", time(file.duration_ms))
    };
    let _ = writeln!(text, "{bold}{}{reset}{took}", printable(&file.path));
    for case in &file.cases {
        let took = match case.status {
            Status::NotRun => String::new(),
            _ => format!(" {dim}({}){reset}", time(case.duration_ms)),
        };
        let why = case.reason.as_ref().map(|why| format!(": {}", printable(why)));
        let why = why.unwrap_or_default();
        let word = word(&style, case.status);
        let _ = writeln!(text, "  {word} {}{why}{took}", printable(&case.name));
    }
    match (&file.error, file.cases.is_empty(), file.status) {
        (Some(error), ..) => {
            let why = printable(error.message.lines().next().unwrap_or_default());
            let _ = writeln!(text, "  {} {why}", word(&style, Status::Failed));
        }
        (None, true, Status::NotRun) => {
            let _ = writeln!(text, "  {}", word(&style, Status::NotRun));
        }
        (None, true, status) => {
            let _ = writeln!(text, "  {} no cases; the file ran to its end", word(&style, status));
        }
        _ => {}
    }
    text
}

fn word(style: &Styles, status: Status) -> String {
    let Styles { red, yellow, green, reset, .. } = style;
    match status {
        Status::Passed => format!("{green}ok  {reset}"),
        Status::Failed => format!("{red}FAIL{reset}"),
        Status::Skipped => format!("{yellow}skip{reset}"),
        Status::NotRun => format!("{yellow}not run{reset}"),
    }
}

fn failed_case(text: &mut String, style: &Styles, file: &FileReport, case: &CaseReport) {
    let Styles { bold, reset, .. } = style;
    let (path, name) = (printable(&file.path), printable(&case.name));
    let _ = writeln!(text, "\n{bold}{path}: {name}{reset}");
    if let Some(error) = &case.error {
        failure(text, style, error);
    }
    output(text, style, &case.output);
}

/// Writes why a file failed apart from its cases. What its process said at its end is the whole story:
/// told once, and what it wrote before is its output.
fn failed_file(text: &mut String, style: &Styles, file: &FileReport, error: &Failure) {
    let Styles { red, bold, reset, .. } = style;
    let _ = writeln!(text, "\n{bold}{}{reset}", printable(&file.path));
    let first = error.message.lines().next().unwrap_or_default();
    let Some(start) = file.output.rfind(&format!("error: {first}")) else {
        failure(text, style, error);
        return output(text, style, &file.output);
    };
    let (before, block) = file.output.split_at(start);
    for (index, line) in block.trim_end().lines().enumerate() {
        let (red, reset) = if index == 0 { (*red, *reset) } else { ("", "") };
        let _ = writeln!(text, "  {red}{}{reset}", printable(line));
    }
    output(text, style, before);
}

/// Writes what went wrong: the message, the line, the difference, the way to it.
fn failure(text: &mut String, style: &Styles, error: &Failure) {
    let Styles { red, green, dim, bold, reset, .. } = style;
    let mut lines = error.message.trim_end().lines();
    let kind = error.kind.as_ref().filter(|kind| *kind != "verify");
    let kind = kind.map(|kind| format!("{kind}: ")).unwrap_or_default();
    let _ = writeln!(text, "  {red}{kind}{}{reset}", printable(lines.next().unwrap_or_default()));
    if let Some(at) = &error.at {
        let _ = writeln!(text, "  {dim}at{reset} {at}");
        let mut placed = Error::new(Kind::Verify, &*error.message);
        placed.at = Some(at.clone());
        text.push_str(&diagnostic::source(&placed, error.kind.is_some(), style));
    }
    for line in lines {
        let colour = match line.as_bytes() {
            [b'-', b' ', ..] => green,
            [b'+', b' ', ..] => red,
            _ => "",
        };
        let reset = if colour.is_empty() { "" } else { reset };
        let _ = writeln!(text, "    {colour}{}{reset}", printable(line));
    }
    for item in &error.items {
        let _ = writeln!(text, "  {dim}in{reset} {}", printable(item));
    }
    for frame in &error.frames {
        let _ = writeln!(text, "  {dim}from{reset} {}", printable(frame));
    }
    if let Some(hint) = &error.hint {
        let _ = writeln!(text, "  {bold}hint{reset}: {}", printable(hint));
    }
}

/// Writes the end of what a case wrote.
fn output(text: &mut String, style: &Styles, output: &str) {
    let Styles { dim, reset, .. } = style;
    let lines: Vec<&str> = output.trim_end().lines().collect();
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {dim}output{reset}");
    let left_out = lines.len().saturating_sub(MAX_OUTPUT_LINES);
    if left_out > 0 {
        let _ = writeln!(text, "    {dim}… {left_out} lines before{reset}");
    }
    for line in &lines[left_out..] {
        let _ = writeln!(text, "    {}", printable(line));
    }
}

/// Returns a line without what would move the cursor; tabs stay.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}

/// Returns a duration as people say it.
fn time(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}
