//! Errors as a person reads them: what, where, through what, why, and what to do next.

use std::fmt::Write as _;

use super::terminal::{Styles, say, styles};
use crate::error::{Error, Kind};
use crate::vm::{Uncaught, traceback};

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
    render(error, None, &styles())
}

/// Returns the block for an error that nobody caught.
pub fn uncaught_text(uncaught: &Uncaught) -> String {
    render(&uncaught.error, Some(uncaught), &styles())
}

/// Returns the block for an error.
fn render(error: &Error, uncaught: Option<&Uncaught>, style: &Styles) -> String {
    let mut block = String::new();
    let Styles { red, bold, dim, reset, .. } = style;
    let message = error.message.trim_end();
    let _ = writeln!(block, "{red}error{reset}: {bold}{message}{reset}");
    if let Some(at) = &error.at {
        let _ = writeln!(block, "  {dim}at{reset} {at}");
        if let Some((number, line)) = source_line(at) {
            let width = number.to_string().len();
            let _ = writeln!(block, "  {dim}{number:>width$} |{reset} {}", line.trim_end());
        }
    }
    if let Some(uncaught) = uncaught {
        for item in &uncaught.items {
            let _ = writeln!(block, "  {dim}in{reset} {item}");
        }
        // The first frame is the position above, unless the error was caught and raised again.
        let known = |frame: &String| traceback::position(frame) == error.at;
        let again = uncaught.frames.first().is_some_and(known);
        for frame in uncaught.frames.iter().skip(usize::from(again)) {
            let _ = writeln!(block, "  {dim}from{reset} {frame}");
        }
    }
    for cause in error.causes() {
        let _ = writeln!(block, "{dim}caused by{reset}: {cause}");
    }
    if error.kind == Kind::Internal && uncaught.is_none_or(|uncaught| !uncaught.raw) {
        let _ = writeln!(block, "this is a fault of agentlua; please report it with the script");
    }
    if let Some(hint) = &error.hint {
        let _ = writeln!(block, "\n{bold}hint{reset}: {hint}");
    }
    block
}

/// Returns the line that `file:12` names, if the file is there.
pub(super) fn source_line(at: &str) -> Option<(usize, String)> {
    let (path, number) = at.rsplit_once(':')?;
    let number: usize = number.parse().ok()?;
    // These are no files, though there may be one of that name.
    if path == "stdin" || path == "repl" {
        return None;
    }
    let text = std::fs::read(path).ok()?;
    let line = text.split(|byte| *byte == b'\n').nth(number.checked_sub(1)?)?;
    let line: String = String::from_utf8_lossy(line).chars().take(160).collect();
    Some((number, super::terminal::printable(&line)))
}
