//! Commands against rules: what `Bash(git diff *)` covers.
//!
//! An allowance must hold for every part of a command and for whatever the shell puts in; a refusal
//! is enough once, and where it could hold.

use super::pattern::{Mark, Pattern};
use super::program;
use super::shell::{self, Part, Piece, Script, Word};

/// How deep commands in arguments are followed, as in `sh -c "sh -c …"`.
const MAX_DEPTH: usize = 4;

/// With more words nobody looks which of them a runner runs.
const MAX_RUNNER_WORDS: usize = 64;

/// Variables that change how a program prints or how much it says, and nothing that it runs.
const SAFE_VARIABLES: &str = "\
     CI CARGO_INCREMENTAL CARGO_TERM_COLOR CGO_ENABLED CLICOLOR CLICOLOR_FORCE COLUMNS \
     FORCE_COLOR GIT_OPTIONAL_LOCKS GIT_TERMINAL_PROMPT GO111MODULE GOARCH GOOS LANG \
     LC_ALL LC_CTYPE LC_COLLATE LC_MESSAGES LC_NUMERIC LC_TIME LINES NODE_ENV NO_COLOR \
     PYTHONDONTWRITEBYTECODE PYTHONHASHSEED PYTHONUNBUFFERED RUST_BACKTRACE RUST_LOG TZ";

/// What stands in the parentheses of a rule for Bash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BashRule {
    text: String,
    /// With a `*`.
    pattern: Option<Pattern>,
    /// Without: the command itself, taken apart, if that can be done.
    script: Option<Script>,
}

impl BashRule {
    /// Reads what stands in the parentheses. `git diff:*` is `git diff *`.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        let spelled = match text.strip_suffix(":*") {
            Some(words) => format!("{} *", words.trim_end()),
            None => text.to_owned(),
        };
        let pattern = spelled.contains('*').then(|| Pattern::new(&spelled));
        let script = if pattern.is_none() { shell::parse(&spelled).ok() } else { None };
        Self { text: spelled, pattern, script }
    }

    /// Returns it as people read it.
    pub(super) fn shown(&self) -> String {
        format!("`{}`", self.text.replace(" *", " …"))
    }

    /// Reports whether it is this command, as a whole.
    pub(super) fn is(&self, command: &str) -> bool {
        self.pattern.is_none() && self.text == command.trim()
    }

    /// Reports whether it lets a part run, whatever its words turn out to be.
    pub(super) fn allows(&self, part: &Part) -> bool {
        let words = program::unwrapped(&part.words);
        match (&self.pattern, &self.script) {
            (Some(pattern), _) => {
                !program::is_runner(words)
                    && !program::is_ruinous(words)
                    && (pattern.covers(&marks(words, Reading::Values))
                        || pattern.covers(&marks(words, Reading::AsWritten)))
            }
            (None, Some(script)) => match script.parts.as_slice() {
                [own] => same(&own.words, &part.words) || same(&own.words, words),
                _ => false,
            },
            (None, None) => false,
        }
    }

    /// Reports whether it could forbid these words, which begin with a program.
    fn could_forbid(&self, words: &[Word]) -> bool {
        let text = marks(words, Reading::Loosely);
        match &self.pattern {
            Some(pattern) => pattern.could_cover(&text),
            None => Pattern::new(&self.text).could_cover(&text),
        }
    }

    /// Reports whether it could forbid a part: the program, or one that it runs.
    pub(super) fn forbids(&self, part: &Part) -> bool {
        self.forbids_within(part, 0)
    }

    fn forbids_within(&self, part: &Part, depth: usize) -> bool {
        if part.words.is_empty() {
            return false;
        }
        let words = program::unwrapped(&part.words);
        if self.could_forbid(&part.words) || self.could_forbid(words) || self.forbids_named(words) {
            return true;
        }
        if !program::is_runner(words) {
            return false;
        }
        if words.len() > MAX_RUNNER_WORDS {
            return true;
        }
        // Any of its words may be the program that it runs, or a command of its own.
        (1..words.len())
            .any(|start| self.could_forbid(&words[start..]) || self.forbids_named(&words[start..]))
            || words[1..].iter().any(|word| self.forbids_text(word, depth))
            || self.forbids_joined(words, depth)
    }

    /// Holds it against the bare name of the program, and against `git` without the options before
    /// its subcommand.
    fn forbids_named(&self, words: &[Word]) -> bool {
        let path = words.first().and_then(Word::value).is_some_and(|first| first.contains('/'));
        let named = path
            && program::name(words).is_some_and(|name| {
                let mut text: Vec<Mark> = name.chars().map(Mark::Char).collect();
                text.extend(tail(&words[1..]));
                self.pattern_or_text().could_cover(&text)
            });
        named
            || program::git_words(words).is_some_and(|(plain, _)| {
                let mut text: Vec<Mark> = "git".chars().map(Mark::Char).collect();
                text.extend(tail(&plain[1..]));
                self.pattern_or_text().could_cover(&text)
            })
    }

    fn pattern_or_text(&self) -> Pattern {
        self.pattern.clone().unwrap_or_else(|| Pattern::new(&self.text))
    }

    /// Reads a word as a command, as `sh -c` does.
    fn forbids_text(&self, word: &Word, depth: usize) -> bool {
        let Some(text) = word.value() else { return false };
        text.contains(char::is_whitespace) && self.forbids_script(&text, depth)
    }

    /// Reads all words as one command, as `eval` does.
    fn forbids_joined(&self, words: &[Word], depth: usize) -> bool {
        let values: Option<Vec<String>> = words[1..].iter().map(Word::value).collect();
        let Some(values) = values.filter(|values| values.len() > 1) else { return false };
        matches!(program::name(words).as_deref(), Some("eval" | "watch" | "trap"))
            && self.forbids_script(&values.join(" "), depth)
    }

    fn forbids_script(&self, text: &str, depth: usize) -> bool {
        if depth == MAX_DEPTH {
            return true;
        }
        shell::parse(text).is_ok_and(|script| {
            script.parts.iter().any(|part| self.forbids_within(part, depth + 1))
        })
    }
}

/// Reports whether the assignments of a part change nothing but what is printed.
pub(super) fn sets_safely(part: &Part) -> bool {
    unsafely_set(part).is_none()
}

/// Returns the first variable that a part sets and that may change more than what is printed.
pub(super) fn unsafely_set(part: &Part) -> Option<&str> {
    let is_safe = |name: &str| {
        program::listed(SAFE_VARIABLES, name) || (part.words.is_empty() && shell::is_tame(name))
    };
    part.assignments.iter().map(String::as_str).find(|name| !is_safe(name))
}

fn same(ours: &[Word], theirs: &[Word]) -> bool {
    ours.len() == theirs.len()
        && !ours.is_empty()
        && ours.iter().zip(theirs).all(|(a, b)| match (a.value(), b.value()) {
            (Some(a), Some(b)) => a == b,
            // What the shell puts in is the same for the same text.
            _ => a.raw() == b.raw(),
        })
}

/// How words become the text that a pattern is held against.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As the program gets them; blanks within a word are data.
    Values,
    /// As they are written, quotes and all, where nothing is put in.
    AsWritten,
    /// As the program might get them.
    Loosely,
}

fn marks(words: &[Word], reading: Reading) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if reading == Reading::Loosely && word.splits() && word.beginning().is_empty() && index > 0
        {
            // It may be no word at all.
            marks.push(Mark::Gap);
            continue;
        }
        if index > 0 {
            marks.push(Mark::Char(' '));
        }
        if reading == Reading::AsWritten && word.value().is_some() {
            marks.extend(word.raw().chars().map(Mark::Char));
            continue;
        }
        for piece in word.pieces() {
            match piece {
                Piece::Text(text) => marks.extend(text.chars().map(|c| match c {
                    c if c.is_whitespace() => Mark::Data,
                    c => Mark::Char(c),
                })),
                Piece::Names | Piece::Open { .. } => marks.push(Mark::Gap),
            }
        }
    }
    marks
}

/// Returns the marks of words that follow another.
fn tail(words: &[Word]) -> Vec<Mark> {
    let mut all = Vec::new();
    for word in words {
        if !(word.splits() && word.beginning().is_empty()) {
            all.push(Mark::Char(' '));
        }
        all.extend(marks(std::slice::from_ref(word), Reading::Loosely));
    }
    all
}
