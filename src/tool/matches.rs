//! Lines of files that match a pattern, as Grep answers them.

use std::io;

use grep_matcher::{LineTerminator, Matcher};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{
    BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkMatch,
};

use super::ToolError;

/// How many characters of a line are shown.
const LINE_CHARS: usize = 500;
/// The longest line, and the largest file when patterns may span lines.
const HEAP: usize = 32 * 1024 * 1024;

/// What is searched for, and how much around it is shown.
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) ignore_case: bool,
    pub(super) multiline: bool,
    pub(super) before: usize,
    pub(super) after: usize,
}

impl Pattern {
    /// Returns what finds it.
    pub(super) fn matcher(&self) -> Result<RegexMatcher, ToolError> {
        let mut builder = RegexMatcherBuilder::new();
        builder.case_insensitive(self.ignore_case).multi_line(true).crlf(true);
        if self.multiline {
            builder.line_terminator(None).dot_matches_new_line(true);
        }
        builder.build(&self.text).map_err(|error| {
            ToolError::reply(format!("`{}` is not a regular expression: {error}", self.text))
        })
    }

    /// Returns what looks through files; it leaves those alone that are binary.
    pub(super) fn searcher(&self) -> Searcher {
        SearcherBuilder::new()
            .line_terminator(LineTerminator::crlf())
            .multi_line(self.multiline)
            .before_context(self.before)
            .after_context(self.after)
            .binary_detection(BinaryDetection::quit(0))
            .heap_limit(Some(HEAP))
            .build()
    }
}

/// The part of a long list that is answered.
pub(super) struct Page {
    skip: usize,
    entries: usize,
    bytes: usize,
    /// What is on it.
    pub(super) lines: Vec<String>,
    /// Whether there is more that had no room.
    pub(super) cut: bool,
}

impl Page {
    /// Makes a page of at most so many entries and bytes, after the first `skip` entries.
    pub(super) fn new(skip: usize, entries: usize, bytes: usize) -> Self {
        Self { skip, entries, bytes, lines: Vec::new(), cut: false }
    }

    /// Adds an entry; reports whether there is need of another.
    pub(super) fn add(&mut self, entry: String) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.lines.len() == self.entries || entry.len() >= self.bytes {
            self.cut = true;
        } else {
            self.bytes -= entry.len() + 1;
            self.lines.push(entry);
        }
        !self.cut
    }
}

/// Puts the matching lines of one file on a page.
pub(super) struct Lines<'a> {
    /// The file's name.
    pub(super) path: &'a str,
    /// Whether the number of each line is shown.
    pub(super) numbers: bool,
    /// What to show of a line instead of all of it: the parts that match.
    pub(super) only: Option<&'a RegexMatcher>,
    /// Where they go.
    pub(super) page: &'a mut Page,
}

impl Lines<'_> {
    fn add(&mut self, mark: char, number: Option<u64>, line: &[u8]) -> bool {
        let line = String::from_utf8_lossy(line.trim_ascii_end());
        let line = match line.char_indices().nth(LINE_CHARS) {
            Some((cut, _)) => format!("{}[…]", &line[..cut]),
            None => line.into_owned(),
        };
        let path = self.path;
        match number.filter(|_| self.numbers) {
            Some(number) => self.page.add(format!("{path}{mark}{number}{mark}{line}")),
            None => self.page.add(format!("{path}{mark}{line}")),
        }
    }
}

impl Sink for Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        for (number, line) in (found.line_number().unwrap_or(1)..).zip(found.lines()) {
            let mut more = true;
            match self.only {
                None => more = self.add(':', Some(number), line),
                Some(matcher) => matcher.find_iter(line, |part| {
                    more = self.add(':', Some(number), &line[part]);
                    more
                })?,
            }
            if !more {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> io::Result<bool> {
        debug_assert!(*context.kind() != SinkContextKind::Other);
        Ok(self.add('-', context.line_number(), context.bytes()))
    }

    fn context_break(&mut self, _: &Searcher) -> io::Result<bool> {
        Ok(self.page.add("--".to_owned()))
    }
}

/// Counts the matching lines of one file, up to a number.
pub(super) struct Count {
    /// How many there are so far.
    pub(super) lines: u64,
    /// How many are enough.
    pub(super) enough: u64,
}

impl Sink for Count {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        self.lines += found.lines().count() as u64;
        Ok(self.lines < self.enough)
    }
}
