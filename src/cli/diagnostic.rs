//! Errors as a person reads them: what, where, through what, why, and what to do next.
//!
//! ```text
//! error: `agent.query` has no option `promt`
//!   at main.lua:2
//!   2 |   local outcome = agent.query { promt = "x" }
//!     |                                 ^^^^^
//!   from main chunk (main.lua:5)
//!
//! hint: did you mean `prompt`?
//! ```

mod excerpt;
mod lexeme;
mod mark;
mod text;
mod typed;

use std::fmt::Write as _;

use super::terminal::{Styles, columns, say, styles};
use crate::check::{Finding, Severity};
use crate::error::{Error, Kind};
use crate::vm::{Uncaught, traceback};
use text::Text;
pub use typed::mistyped;

/// How wide a block may be where there is no terminal.
const WIDTH: usize = 100;
/// How many frames are shown of a deep stack, at its top and at its bottom.
const FRAMES: (usize, usize) = (10, 5);

/// Returns the block for a mistake in `source` that was found without running it.
pub fn finding(finding: &Finding, source: &[u8], style: &Styles) -> String {
    let text = Text::new(source);
    let Styles { red, yellow, bold, dim, reset, .. } = style;
    let color = match finding.severity {
        Severity::Warning => yellow,
        Severity::Error => red,
    };
    let mut block =
        format!("{color}{}{reset}: {bold}{}{reset}\n", finding.severity.word(), finding.message);
    let _ = writeln!(block, "  {dim}at{reset} {}:{}", finding.file, finding.line);
    if let Some(line) = text.line(finding.line) {
        let words = text.at(line.clone());
        let byte = |column: usize| {
            let found = words.char_indices().nth(column.saturating_sub(1));
            line.start + found.map_or(words.len(), |(at, _)| at)
        };
        // Where something is not closed, what opens it is of interest too.
        let marks = match mark::is_syntax(&finding.message) {
            true => mark::marks(&text, finding.line, &finding.error(), true),
            false => vec![byte(finding.column)..byte(finding.end_column)],
        };
        excerpt::write(&mut block, &text, finding.line, &marks, width(), style);
    }
    write_hint(&mut block, finding.hint.as_deref(), style);
    block
}

/// Prints an error of the command line itself.
pub fn print(error: &Error) {
    say(&text(error));
}

/// Prints an error that no script caught.
pub fn print_uncaught(uncaught: &Uncaught) {
    say(&uncaught_text(uncaught));
}

/// Returns the block for an error of a line that could not be compiled.
pub fn text(error: &Error) -> String {
    render(error, None, &styles(), width())
}

/// Returns the block for an error that nobody caught.
pub fn uncaught_text(uncaught: &Uncaught) -> String {
    render(&uncaught.error, Some(uncaught), &styles(), width())
}

/// Returns the columns that a block may take.
fn width() -> usize {
    columns().unwrap_or(WIDTH)
}

/// Returns the block for an error.
fn render(error: &Error, uncaught: Option<&Uncaught>, style: &Styles, width: usize) -> String {
    let mut block = String::new();
    let Styles { red, bold, dim, reset, .. } = style;
    let message = error.message.trim_end();
    let (first, more) = message.split_once('\n').unwrap_or((message, ""));
    let _ = writeln!(block, "{red}error{reset}: {bold}{first}{reset}");
    for line in more.lines() {
        let _ = writeln!(block, "{line}");
    }
    if let Some(at) = &error.at {
        let _ = writeln!(block, "  {dim}at{reset} {at}");
        let is_ours = uncaught.is_none_or(|uncaught| !uncaught.raw);
        write_source(&mut block, error, is_ours, width, style);
    }
    if let Some(uncaught) = uncaught {
        write_way(&mut block, uncaught, style);
    }
    for cause in error.causes() {
        let _ = writeln!(block, "{dim}caused by{reset}: {cause}");
    }
    if error.kind == Kind::Internal && uncaught.is_none_or(|uncaught| !uncaught.raw) {
        let _ = writeln!(block, "this is a fault of agentlua; please report it with the script");
    }
    write_hint(&mut block, error.hint.as_deref(), style);
    block
}

fn write_hint(block: &mut String, hint: Option<&str>, style: &Styles) {
    let Styles { bold, reset, .. } = style;
    if let Some(hint) = hint {
        let _ = writeln!(block, "\n{bold}hint{reset}: {hint}");
    }
}

/// Writes the line that an error is at, with what it means.
fn write_source(block: &mut String, error: &Error, is_ours: bool, width: usize, style: &Styles) {
    let Some((path, line)) = error.at.as_deref().and_then(place) else { return };
    let file;
    let source = if let Some(source) = error.text() {
        source
    } else {
        let Some(read) = read(path) else { return };
        file = read;
        &file
    };
    let text = Text::new(source);
    // The end of a text is where its last word ends.
    let line = if error.message.ends_with("<eof>") { line.min(text.last_line()) } else { line };
    let marks = mark::marks(&text, line, error, is_ours);
    excerpt::write(block, &text, line, &marks, width, style);
}

/// Writes through what an error came: items of fan-outs, calls, and all that failed before it.
fn write_way(block: &mut String, uncaught: &Uncaught, style: &Styles) {
    let Styles { dim, reset, .. } = style;
    if let Some(errors) = uncaught.error.detail("errors").and_then(|errors| errors.as_array()) {
        for part in errors {
            let (item, text) = (part["item"].as_str(), part["message"].as_str());
            let text = text.unwrap_or_default().lines().next().unwrap_or_default();
            let _ = writeln!(block, "  {dim}{}{reset}: {text}", item.unwrap_or_default());
        }
    }
    for item in &uncaught.items {
        let _ = writeln!(block, "  {dim}in{reset} {item}");
    }
    // The first frame is the position above, unless the error was caught and raised again.
    let known = |frame: &String| traceback::position(frame) == uncaught.error.at;
    let again = uncaught.frames.first().is_some_and(known);
    let mut frames: Vec<(&str, usize)> = Vec::new();
    for frame in uncaught.frames.iter().skip(usize::from(again)) {
        match frames.last_mut() {
            Some((last, times)) if last == frame => *times += 1,
            _ => frames.push((frame, 1)),
        }
    }
    let left_out = frames.len().saturating_sub(FRAMES.0 + FRAMES.1);
    for (index, (frame, times)) in frames.iter().enumerate() {
        if left_out > 0 && index == FRAMES.0 {
            let _ = writeln!(block, "  {dim}…{reset} {left_out} more");
        }
        if left_out > 0 && (FRAMES.0..FRAMES.0 + left_out).contains(&index) {
            continue;
        }
        let times = if *times > 1 { format!(", {times} times") } else { String::new() };
        let _ = writeln!(block, "  {dim}from{reset} {frame}{times}");
    }
}

/// Splits `file:12`.
fn place(at: &str) -> Option<(&str, usize)> {
    let (path, number) = at.rsplit_once(':')?;
    Some((path, number.parse().ok()?))
}

/// Returns what is in the file of a position.
fn read(path: &str) -> Option<Vec<u8>> {
    // These are no files, though there may be one of that name.
    if path == "stdin" || path == "repl" || path.starts_with("[string ") {
        return None;
    }
    std::fs::read(path).ok()
}

/// Returns the source line of an error that came from elsewhere, with its caret; nothing without a file.
/// `is_ours` tells whether a function of ours has raised it, and not Lua or the script.
pub(super) fn source(error: &Error, is_ours: bool, style: &Styles) -> String {
    let mut block = String::new();
    write_source(&mut block, error, is_ours, WIDTH, style);
    block
}
