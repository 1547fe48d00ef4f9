//! Lines of a source with a caret under what is meant, fitted to the width.

use std::fmt::Write as _;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::text::Text;
use crate::cli::terminal::{Styles, printable};

/// How many columns a tab takes.
const TAB: usize = 4;

/// Writes the lines that `marks` begin in, each with its caret, and line `first` before them. `width`
/// is that of the screen in columns.
pub fn write(
    block: &mut String,
    text: &Text<'_>,
    first: usize,
    marks: &[Range<usize>],
    width: usize,
    style: &Styles,
) {
    let Styles { red, dim, reset, .. } = style;
    let mut numbers: Vec<usize> = marks.iter().map(|mark| text.line_of(mark.start)).collect();
    numbers.push(first);
    numbers.sort_unstable();
    numbers.dedup();
    let digits = numbers.last().map_or(1, |last| last.to_string().len());
    // `  12 | ` stands before the text.
    let room = width.saturating_sub(digits + 5).max(20);
    let mut before = None;
    for number in numbers {
        let Some(line) = text.line(number) else { continue };
        if before.is_some_and(|before: usize| before + 1 < number) {
            let _ = writeln!(block, "  {dim}{:>digits$}{reset}", "⋮");
        }
        before = Some(number);
        let mark = marks.iter().find(|mark| text.line_of(mark.start) == number);
        let mark = mark.map(|mark| mark.start - line.start..mark.end.min(line.end) - line.start);
        let (shown, caret) = fitted(text.at(line), mark, room);
        let _ = writeln!(block, "  {dim}{number:>digits$} |{reset} {shown}");
        if let Some(caret) = caret {
            let (indent, carets) = (" ".repeat(caret.start), "^".repeat(caret.len().max(1)));
            let _ = writeln!(block, "  {:>digits$} {dim}|{reset} {indent}{red}{carets}{reset}", "");
        }
    }
}

/// Returns the part of a line that fits into `room` columns, and the columns of the caret in it.
fn fitted(line: &str, mark: Option<Range<usize>>, room: usize) -> (String, Option<Range<usize>>) {
    let letters: Vec<(usize, String, usize)> = line
        .trim_end()
        .char_indices()
        .map(|(at, letter)| match letter {
            '\t' => (at, " ".repeat(TAB), TAB),
            _ => (at, printable(letter.encode_utf8(&mut [0; 4])), letter.width().unwrap_or(1)),
        })
        .collect();
    let mark = mark.map(|mark| {
        let index = |byte| letters.partition_point(|(at, ..)| *at < byte);
        index(mark.start)..index(mark.end)
    });
    let columns = |range: Range<usize>| letters[range].iter().map(|(.., width)| width).sum();
    let total: usize = columns(0..letters.len());
    let mut shown = 0..letters.len();
    if total > room {
        let from = mark.as_ref().map_or(0, |mark| mark.start);
        // What is meant stands in the first third, unless the line's start fits with it.
        let end = mark.as_ref().map_or(0, |mark| columns(0..mark.end));
        if end + 1 > room {
            while shown.start < from && columns(shown.start..from) + 1 > room / 3 {
                shown.start += 1;
            }
        }
        while columns(shown.clone()) + 2 > room {
            shown.end -= 1;
        }
        while shown.start > 0 && columns(shown.start - 1..shown.end) + 2 <= room {
            shown.start -= 1;
        }
    }
    let text: String = letters[shown.clone()].iter().map(|(_, text, _)| text.as_str()).collect();
    let head = if shown.start > 0 { "…" } else { "" };
    let tail = if shown.end < letters.len() { "…" } else { "" };
    let caret = mark.map(|mark| {
        let offset = usize::from(shown.start > 0);
        let start = columns(shown.start..mark.start.max(shown.start)) + offset;
        let end = mark.end.min(shown.end).max(mark.start);
        start..start + columns(mark.start..end)
    });
    (format!("{head}{text}{tail}"), caret)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn shown(line: &str, word: &str, room: usize) -> String {
        let start = line.find(word).unwrap();
        let (text, caret) = fitted(line, Some(start..start + word.len()), room);
        let caret = caret.unwrap();
        format!("{text}\n{}{}", " ".repeat(caret.start), "^".repeat(caret.len().max(1)))
    }

    #[test]
    fn the_caret_stands_under_the_word() {
        assert_eq!(shown("\tf(x)\r", "x", 60), "    f(x)\n      ^");
        assert_eq!(shown("f('日本', é, x)", "x", 60), "f('日本', é, x)\n             ^");
        assert_eq!(shown("a\u{1b}[31m, x", "x", 60), "a [31m, x\n        ^");
    }

    #[test]
    fn long_lines_are_cut_around_it() {
        let line = format!("{}, here, {}", "a".repeat(100), "b".repeat(100));
        assert_eq!(
            shown(&line, "here", 40),
            format!("…{}, here, {}…\n             ^^^^", "a".repeat(10), "b".repeat(20))
        );
        let line = format!("here, {}", "日".repeat(100));
        assert_eq!(shown(&line, "here", 20), format!("here, {}…\n^^^^", "日".repeat(6)));
    }
}
