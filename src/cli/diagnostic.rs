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

use std::borrow::Cow;
use std::fmt::Write as _;

use super::terminal::{Styles, columns, printable, printable_lines, say, styles};
use super::width::{width as width_of, wrap};
use crate::check::{Finding, Severity};
use crate::error::{Error, Kind};
use crate::vm::{Uncaught, traceback};
use text::Text;
pub use typed::mistyped;

/// How wide a block may be where there is no terminal.
const WIDTH: usize = 100;
/// How many bytes are shown of a message, and of each cause.
const SHOWN: usize = 8 << 10;
/// What stands before the further lines of a message: where no line of ours begins.
const MARGIN: &str = "    ";
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
    let (word, message) = (finding.severity.word(), shown(&finding.message));
    let mut block = format!("{color}{word}{reset}: {bold}{message}{reset}\n");
    let _ = writeln!(block, "  {dim}at{reset} {}:{}", printable(&finding.file), finding.line);
    if let Some(line) = text.line(finding.line) {
        let words = text.at(line.clone());
        let byte = |column: usize| {
            let found = words.char_indices().nth(column.saturating_sub(1));
            line.start + found.map_or(words.len(), |(at, _)| at)
        };
        // Where something is not closed, what opens it is of interest too.
        let marks = if mark::is_syntax(&finding.message) {
            mark::marks(&text, finding.line, &finding.error(), true)
        } else {
            std::iter::once(byte(finding.column)..byte(finding.end_column)).collect()
        };
        excerpt::write(&mut block, &text, finding.line, &marks, width(), style);
    }
    write_hint(&mut block, finding.hint.as_deref(), columns(), style);
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
    render(error, None, &styles(), columns())
}

/// Returns the block for an error that nobody caught.
pub fn uncaught_text(uncaught: &Uncaught) -> String {
    render(&uncaught.error, Some(uncaught), &styles(), columns())
}

/// Returns the columns that a block may take.
fn width() -> usize {
    columns().unwrap_or(WIDTH)
}

/// Returns text from outside as a block may hold it: no longer than people read, and only as text.
fn shown(text: &str) -> String {
    printable_lines(&capped(text.trim_end(), SHOWN), MARGIN)
}

/// Returns the first `most` bytes of a text; of a longer one it says how long it was.
pub(super) fn capped(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let head = &text[..text.floor_char_boundary(most)];
    Cow::Owned(format!("{head}… (cut: it has {} bytes)", text.len()))
}

/// Returns the block for an error, for a terminal of so many columns.
fn render(
    error: &Error,
    uncaught: Option<&Uncaught>,
    style: &Styles,
    columns: Option<usize>,
) -> String {
    let mut block = String::new();
    let Styles { red, bold, dim, reset, .. } = style;
    let message = shown(&error.message);
    let (first, more) = message.split_at(message.find('\n').unwrap_or(message.len()));
    let _ = writeln!(block, "{red}error{reset}: {bold}{first}{reset}{more}");
    if let Some(at) = &error.at {
        let _ = writeln!(block, "  {dim}at{reset} {}", printable(at));
        let is_ours = uncaught.is_none_or(|uncaught| !uncaught.raw);
        write_source(&mut block, error, is_ours, columns.unwrap_or(WIDTH), style);
    }
    if let Some(uncaught) = uncaught {
        write_way(&mut block, uncaught, style);
    }
    for cause in error.causes() {
        let _ = writeln!(block, "{dim}caused by{reset}: {}", shown(&cause));
    }
    if error.kind == Kind::Internal && uncaught.is_none_or(|uncaught| !uncaught.raw) {
        let _ = writeln!(block, "this is a fault of agentlua; please report it with the script");
    }
    write_hint(&mut block, error.hint.as_deref(), columns, style);
    block
}

/// Writes a hint; on a terminal its lines end between words.
fn write_hint(block: &mut String, hint: Option<&str>, columns: Option<usize>, style: &Styles) {
    let Styles { bold, reset, .. } = style;
    let Some(hint) = hint else { return };
    let margin = " ".repeat("hint: ".len());
    let hint = printable_lines(&capped(hint, SHOWN), "");
    let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(margin.len()).max(20));
    let fitted = |line: &str| match width_of(line) {
        wide if wide > room => wrap(line, room).join(&format!("\n{margin}")),
        _ => line.to_owned(),
    };
    let lines: Vec<_> = hint.lines().map(fitted).collect();
    let _ = writeln!(block, "\n{bold}hint{reset}: {}", lines.join(&format!("\n{margin}")));
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
            let _ = writeln!(
                block,
                "  {dim}{}{reset}: {}",
                printable(item.unwrap_or_default()),
                shown(text)
            );
        }
    }
    for item in &uncaught.items {
        let _ = writeln!(block, "  {dim}in{reset} {}", shown(&item.to_string()));
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
        let _ = match frame.strip_prefix(traceback::LEFT_OUT) {
            Some(count) => writeln!(block, "  {dim}…{reset} {count}"),
            None => writeln!(block, "  {dim}from{reset} {}{times}", shown(frame)),
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::PLAIN;

    #[test]
    fn what_others_say_is_shown_as_text() {
        let evil = "no\x1b[2J\x07 luck\r\nhint: rm -rf /\n  at x.lua:1\x1b]0;t\x07\u{202e}";
        let cause = anyhow::anyhow!("{evil}").context(format!("it said {evil}"));
        let error = Error::new(Kind::Git, evil).hint(evil).because(cause);
        let item = crate::vm::trail::Item {
            combinator: "agent.map".to_owned(),
            index: None,
            key: Some(evil.to_owned()),
            label: Some(evil.to_owned()),
        };
        let items = vec![item];
        let frames = vec![format!("function '{evil}' (x.lua:1)")];
        let block = render(&error, None, &PLAIN, None);
        let way = Uncaught { error, raw: false, frames, items };
        for block in [block, render(&way.error, Some(&way), &PLAIN, Some(40))] {
            assert!(!block.contains(|c: char| c.is_control() && c != '\n'), "{block:?}");
            assert_eq!(block.matches("\nhint: ").count(), 1, "{block}");
            assert!(!block.contains("\nhint: rm") && !block.contains("\n  at "), "{block}");
        }
    }

    #[test]
    fn endless_messages_are_cut() {
        let long = "é".repeat(1 << 20);
        let block = render(&Error::new(Kind::Tool, long), None, &PLAIN, None);
        assert!(block.len() < SHOWN + 100, "{}", block.len());
        assert!(block.ends_with("é… (cut: it has 2097152 bytes)\n"));
    }

    #[test]
    fn hints_end_their_lines_between_words() {
        let error = Error::usage("no").hint("set the one variable or pass the other option");
        let block = render(&error, None, &PLAIN, Some(30));
        assert_eq!(
            block,
            "error: no\n\nhint: set the one variable or\n      pass the other option\n"
        );
    }
}
