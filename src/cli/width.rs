//! How wide text is on a terminal, and how it is made to fit.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How large a terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How many letters stand side by side.
    pub columns: usize,
    /// How many lines stand below each other.
    pub rows: usize,
}

impl Size {
    /// Returns the size that a terminal tells of; one that does not know says 0.
    pub fn of(columns: u16, rows: u16) -> Self {
        let known = |count: u16, usual: usize| if count == 0 { usual } else { usize::from(count) };
        Self { columns: known(columns, 80), rows: known(rows, 24) }
    }
}

/// Returns how many columns a line takes, its styles not counted.
pub fn width(line: &str) -> usize {
    let mut total = 0;
    let mut rest = line;
    while let Some(at) = rest.find("\x1b[") {
        total += rest[..at].width();
        let style = &rest[at + 2..];
        rest = style.find('m').map_or("", |end| &style[end + 1..]);
    }
    total + rest.width()
}

/// Reports whether text is part of one line that fits, with nothing in it that moves the cursor.
pub fn is_plain(text: &[u8], size: Size) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        if rest[..at].contains(char::is_control) {
            return false;
        }
        let style = rest[at..].strip_prefix("\x1b[").and_then(|style| {
            let end = style.find(|c: char| !c.is_ascii_digit() && c != ';')?;
            style[end..].strip_prefix('m')
        });
        match style {
            Some(after) => rest = after,
            None => return false,
        }
    }
    !rest.contains(char::is_control) && width(text) < size.columns
}

/// Returns the text in at most this many columns; what is cut off is marked.
pub fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (mut fitted, mut room) = (String::new(), columns.saturating_sub(1));
    for letter in text.chars() {
        let wide = letter.width().unwrap_or(0);
        if wide > room {
            break;
        }
        room -= wide;
        fitted.push(letter);
    }
    if columns > 0 {
        fitted.push('…');
    }
    fitted
}

/// Returns a label in at most this many columns. Of a path or a branch the end tells it from the others, of
/// words the beginning.
pub fn fit_label(label: &str, columns: usize) -> String {
    if label.contains(' ') { fit(label, columns) } else { fit_end(label, columns) }
}

/// Returns the end of the text in at most this many columns; that something is cut off is marked.
fn fit_end(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut room = columns.saturating_sub(1);
    let mut start = text.len();
    for (at, letter) in text.char_indices().rev() {
        let wide = letter.width().unwrap_or(0);
        if wide > room {
            break;
        }
        room -= wide;
        start = at;
    }
    let mark = if columns > 0 { "…" } else { "" };
    format!("{mark}{}", &text[start..])
}

/// Returns the text in exactly this many columns, at their left.
pub fn left(text: &str, columns: usize) -> String {
    let fitted = fit(text, columns);
    let missing = columns.saturating_sub(fitted.width());
    fitted + &" ".repeat(missing)
}

/// Returns the text in exactly this many columns, at their right.
pub fn right(text: &str, columns: usize) -> String {
    let fitted = fit(text, columns);
    " ".repeat(columns.saturating_sub(fitted.width())) + &fitted
}

/// Returns the text in lines of at most this many columns, broken at its blanks; a longer word stays whole.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.width());
        if line > 0 && line + 1 + word.width() > columns {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_take_two_columns_and_styles_none() {
        assert_eq!(width("\x1b[32mdone\x1b[0m 日本"), 9);
        assert_eq!(
            [fit("日本語", 5), fit("日本語", 6), fit("auth", 3)],
            ["日本…", "日本語", "au…"]
        );
        assert_eq!(
            [left("日本語", 6), right("ab", 4), left("日本語", 4)],
            ["日本語", "  ab", "日… "]
        );
        assert_eq!([fit("abc", 0), fit_end("abc", 0)], ["", ""]);
        assert_eq!([fit_end("日本語", 5), fit_end("src/auth", 5)], ["…本語", "…auth"]);
    }

    #[test]
    fn text_is_broken_at_blanks() {
        assert_eq!(wrap("a test is red: src/auth", 9), ["a test is", "red:", "src/auth"]);
        assert_eq!(wrap("https://example.com/long is", 10), ["https://example.com/long", "is"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn text_that_moves_the_cursor_is_not_plain() {
        let size = Size { columns: 10, rows: 5 };
        for plain in ["", "go on?", "\x1b[1;31mred\x1b[0m", "123456789"] {
            assert!(is_plain(plain.as_bytes(), size), "{plain:?}");
        }
        for moving in ["1\r2", "a\tb", "\x1b[2A", "\x1b]0;t\x07", "\x1b[", "1234567890"] {
            assert!(!is_plain(moving.as_bytes(), size), "{moving:?}");
        }
        assert!(!is_plain(b"\xff", size));
    }
}
