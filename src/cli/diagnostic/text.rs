//! A source text: its lines as Lua counts them, its words, its calls.

use std::borrow::Cow;
use std::ops::Range;

use super::lexeme::{Class, Lexeme, is_keyword, lexemes};

/// A text whose words are known.
pub struct Text<'a> {
    whole: Cow<'a, str>,
    lines: Vec<Range<usize>>,
    words: Vec<Lexeme>,
}

/// A call in it.
pub struct Call {
    /// What is called, as it is written: `agent.query`.
    pub path: String,
    /// Where that stands.
    pub callee: Range<usize>,
    /// The words of the arguments, with their brackets.
    pub arguments: Range<usize>,
}

/// An argument of a call or a field of a table.
pub struct Element {
    /// The name before `=`, and its place.
    pub key: Option<(String, Range<usize>)>,
    /// The words of the value.
    pub value: Range<usize>,
}

impl<'a> Text<'a> {
    /// Reads bytes; those that are no UTF-8 are replaced.
    pub fn new(bytes: &'a [u8]) -> Self {
        let whole = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
        Self { lines: lines(&whole), words: lexemes(&whole), whole }
    }

    /// Returns what stands at a place.
    pub fn at(&self, range: Range<usize>) -> &str {
        self.whole.get(range).unwrap_or_default()
    }

    /// Returns the place of a line, from 1, without its end.
    pub fn line(&self, number: usize) -> Option<Range<usize>> {
        self.lines.get(number.checked_sub(1)?).cloned()
    }

    /// Returns the number of the line that a byte is in.
    pub fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|line| line.start <= byte).max(1)
    }

    /// Returns the number of the last line that says something.
    pub fn last_line(&self) -> usize {
        let said = self.lines.iter().rposition(|line| !self.whole[line.clone()].trim().is_empty());
        said.map_or(1, |index| index + 1)
    }

    /// Returns the words that begin in a line, as indices.
    pub fn words_of(&self, line: usize) -> Range<usize> {
        let Some(place) = self.line(line) else { return 0..0 };
        let from = self.words.partition_point(|word| word.range.start < place.start);
        from..self.words.partition_point(|word| word.range.start < place.end)
    }

    /// Returns a word.
    pub fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", |word| &self.whole[word.range.clone()])
    }

    /// Returns what a word is.
    pub fn class(&self, index: usize) -> Option<Class> {
        self.words.get(index).map(|word| word.class)
    }

    /// Returns the place of a run of words.
    pub fn place(&self, words: Range<usize>) -> Option<Range<usize>> {
        let (first, last) = (self.words.get(words.start)?, words.end.checked_sub(1)?);
        (last >= words.start).then(|| first.range.start..self.words[last].range.end)
    }

    /// Reports whether a word is a name that is not Lua's own.
    pub fn is_name(&self, index: usize) -> bool {
        self.class(index) == Some(Class::Name) && !is_keyword(self.word(index))
    }

    /// Returns what a string says; its escapes stay as they are written.
    pub fn said(&self, index: usize) -> Option<&str> {
        let word = self.word(index);
        if self.class(index) != Some(Class::Text) {
            return None;
        }
        if let Some(inner) = word.strip_prefix('[') {
            let level = inner.bytes().take_while(|byte| *byte == b'=').count() + 2;
            return word.get(level..word.len().checked_sub(level)?);
        }
        word.get(1..word.len() - 1)
    }

    /// Returns the calls whose arguments begin in a line, in their order.
    pub fn calls(&self, line: usize) -> Vec<Call> {
        self.words_of(line).filter_map(|index| self.call(index)).collect()
    }

    /// Returns the call whose arguments begin with a word.
    fn call(&self, index: usize) -> Option<Call> {
        let opens = matches!(self.word(index), "(" | "{") || self.class(index) == Some(Class::Text);
        let last = index.checked_sub(1)?;
        if !opens || !self.is_name(last) {
            return None;
        }
        let mut first = last;
        while first >= 2
            && matches!(self.word(first - 1), "." | ":")
            && self.class(first - 2) == Some(Class::Name)
        {
            first -= 2;
        }
        let is_definition = first > 0 && self.word(first - 1) == "function";
        // `{ f = x, "text" }` has no call, and neither has `x = y` before a line that begins with one.
        let callee = (!is_definition).then(|| self.place(first..last + 1))??;
        let path = (first..=last).map(|index| self.word(index)).collect();
        Some(Call { path, callee, arguments: index..self.closing(index) })
    }

    /// Returns the index after the bracket that closes the one at `open`; after the word if it is none.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for index in open..self.words.len() {
            match self.word(index) {
                "(" | "{" | "[" => depth += 1,
                ")" | "}" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return index + 1;
            }
        }
        self.words.len()
    }

    /// Returns the elements between the brackets that `words` begin and end with.
    pub fn elements(&self, words: Range<usize>) -> Vec<Element> {
        let mut elements = Vec::new();
        let mut from = words.start + 1;
        let mut index = from;
        while index < words.end {
            let word = self.word(index);
            let is_last = index + 1 == words.end;
            if (matches!(word, "," | ";") || is_last) && index > from {
                elements.push(self.element(from..index));
            }
            if matches!(word, "," | ";") {
                from = index + 1;
                index += 1;
            } else if word == "function" {
                index = self.end_of_function(index, words.end);
            } else {
                index = self.closing(index).max(index + 1);
            }
        }
        elements
    }

    /// Returns the index after the `end` of a function.
    fn end_of_function(&self, from: usize, limit: usize) -> usize {
        let mut depth = 0_usize;
        for index in from..limit {
            match self.word(index) {
                // `for` and `while` have a `do`.
                "function" | "if" | "do" | "repeat" => depth += 1,
                "end" | "until" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return index + 1;
            }
        }
        limit
    }

    fn element(&self, words: Range<usize>) -> Element {
        let start = words.start;
        let assigns = |index| self.word(index) == "=" && self.word(index + 1) != "=";
        if self.class(start) == Some(Class::Name) && assigns(start + 1) {
            let key = self.place(start..start + 1).map(|at| (self.word(start).to_owned(), at));
            return Element { key, value: start + 2..words.end };
        }
        if self.word(start) == "[" && assigns(start + 3) {
            let name = self.said(start + 1).unwrap_or_else(|| self.word(start + 1)).to_owned();
            let key = self.place(start + 1..start + 2).map(|at| (name, at));
            return Element { key, value: start + 4..words.end };
        }
        Element { key: None, value: words }
    }
}

/// Returns the lines as Lua counts them: two different ends in a row are one.
fn lines(text: &str) -> Vec<Range<usize>> {
    let (bytes, mut lines) = (text.as_bytes(), Vec::new());
    let (mut start, mut at) = (0, 0);
    while at < bytes.len() {
        if matches!(bytes[at], b'\n' | b'\r') {
            lines.push(start..at);
            let pair = bytes
                .get(at + 1)
                .is_some_and(|next| matches!(next, b'\n' | b'\r') && *next != bytes[at]);
            at += usize::from(pair);
            start = at + 1;
        }
        at += 1;
    }
    lines.push(start..bytes.len());
    lines
}
