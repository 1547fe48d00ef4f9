//! The words of Lua text, with their places: enough to find what a message talks about.
//!
//! It takes any text, also what is no Lua: an unfinished string ends with its line, an unfinished long
//! one with the text. Comments are left out.

use std::ops::Range;

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A name or a keyword.
    Name,
    /// A number.
    Number,
    /// A string, with its quotes.
    Text,
    /// One letter of punctuation or an operator; `==`, `..` and the like are several.
    Symbol,
}

/// A word and its place in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lexeme {
    /// What it is.
    pub class: Class,
    /// Where it is.
    pub range: Range<usize>,
}

const KEYWORDS: [&str; 22] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
    "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// Reports whether a name is Lua's own.
pub fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name)
}

/// Returns the words of `text`.
pub fn lexemes(text: &str) -> Vec<Lexeme> {
    let bytes = text.as_bytes();
    // A shebang line is no Lua.
    let mut at = if text.starts_with('#') { text.find('\n').unwrap_or(text.len()) } else { 0 };
    let mut found = Vec::new();
    while at < bytes.len() {
        let rest = &text[at..];
        let letter = bytes[at];
        let (class, length) = if letter.is_ascii_whitespace() {
            at += 1;
            continue;
        } else if let Some(comment) = rest.strip_prefix("--") {
            let long = long_bracket(comment).map(|length| length + 2);
            at += long.unwrap_or_else(|| rest.find('\n').unwrap_or(rest.len()));
            continue;
        } else if letter == b'_' || letter.is_ascii_alphabetic() {
            (Class::Name, span(rest, |b| b == b'_' || b.is_ascii_alphanumeric()))
        } else if letter.is_ascii_digit() {
            (Class::Number, span(rest, |b| b == b'.' || b.is_ascii_alphanumeric()))
        } else if letter == b'"' || letter == b'\'' {
            (Class::Text, quoted(rest.as_bytes()))
        } else if let Some(length) = long_bracket(rest) {
            (Class::Text, length)
        } else {
            (Class::Symbol, rest.chars().next().map_or(1, char::len_utf8))
        };
        found.push(Lexeme { class, range: at..at + length });
        at += length;
    }
    found
}

/// Returns how many bytes from the start are such.
fn span(text: &str, is_part: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is_part(*byte)).count()
}

/// Returns the length of the string that `bytes` begin with.
fn quoted(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if bytes.get(at + 1..at + 3) == Some(b"\r\n") => at += 3,
            b'\\' => at += 2,
            b'\n' => return at,
            letter if letter == bytes[0] => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Returns the length of the `[[…]]` that `text` begins with, if it does.
fn long_bracket(text: &str) -> Option<usize> {
    let level = span(text.strip_prefix('[')?, |byte| byte == b'=');
    let open = level + 2;
    text[1 + level..].strip_prefix('[')?;
    let close = format!("]{}]", "=".repeat(level));
    Some(text[open..].find(&close).map_or(text.len(), |end| open + end + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        lexemes(text).into_iter().map(|word| &text[word.range]).collect()
    }

    #[test]
    fn words_are_found_whatever_the_text_is() {
        assert_eq!(
            words("a.b{c='x\\'y'}--z\n[[q\n]]3.5"),
            ["a", ".", "b", "{", "c", "=", "'x\\'y'", "}", "[[q\n]]", "3.5"]
        );
        assert_eq!(words("x = \"open\ny"), ["x", "=", "\"open", "y"]);
        assert_eq!(words("--[==[ c\n]==] é ["), ["é", "["]);
        assert_eq!(words("#!/bin/x y\nz [=[open"), ["z", "[=[open"]);
        assert_eq!(words("'a\\"), ["'a\\"]);
    }
}
