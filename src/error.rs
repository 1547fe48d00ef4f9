//! The one error value: for `?` in Rust, for fields in Lua, for the block on the terminal.
//!
//! Inside a module failures travel as `anyhow::Error`; where they leave it they become an
//! [`Error`] with a [`Kind`]. Messages are lower-case clauses that name the thing in backticks;
//! a hint is the next thing to type. Neither holds colour, Rust types or paths of our own source,
//! because scripts see them.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

/// A result whose error is ours.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a closed set that scripts may match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The script, the command line or a configuration asks for something that cannot be.
    Usage,
    /// A model could not be asked, or answered with nothing usable.
    Model,
    /// A limit on turns or money was reached.
    Budget,
    /// A tool failed in a way that its model cannot mend.
    Tool,
    /// Git refused, or a branch or merge is not in the state that was asked for.
    Git,
    /// A verification said no.
    Verify,
    /// The operating system said no: files, processes, network.
    Io,
    /// A time limit passed.
    Timeout,
    /// Somebody called it off.
    Cancelled,
    /// The model refused.
    Refused,
    /// A fault of agentlua itself.
    Internal,
}

impl Kind {
    /// Every kind, in the order of the manual.
    pub const ALL: [Self; 11] = [
        Self::Usage,
        Self::Model,
        Self::Budget,
        Self::Tool,
        Self::Git,
        Self::Verify,
        Self::Io,
        Self::Timeout,
        Self::Cancelled,
        Self::Refused,
        Self::Internal,
    ];

    /// Returns the word that scripts see as `e.kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Model => "model",
            Self::Budget => "budget",
            Self::Tool => "tool",
            Self::Git => "git",
            Self::Verify => "verify",
            Self::Io => "io",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
            Self::Internal => "internal",
        }
    }

    /// Returns the kind that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Returns the exit code of a run that this kind of error ended.
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Usage => 2,
            Self::Budget => 3,
            Self::Internal => 70,
            _ => 1,
        }
    }
}

/// An error with its kind, a message, perhaps a hint, the script line it belongs to, and a cause.
#[derive(Clone, Debug)]
pub struct Error {
    /// What went wrong, for programs.
    pub kind: Kind,
    /// What went wrong, for people: a lower-case clause.
    pub message: String,
    /// The next thing to type or to change.
    pub hint: Option<String>,
    /// The script position it was raised at, such as `review.lua:12`.
    pub at: Option<String>,
    more: Option<Box<More>>,
    source: Option<Arc<anyhow::Error>>,
}

/// What few errors have: apart, so that a result stays small.
#[derive(Clone, Debug, Default)]
struct More {
    /// Further fields that scripts read by name (`outcome`, `merge`, `errors`).
    details: Map<String, Value>,
    /// What `at` is a position in, where that is known.
    text: Option<Arc<[u8]>>,
}

impl Error {
    /// Makes an error of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, at: None, more: None, source: None }
    }

    /// Makes a usage error.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Makes the usage error for what the manual names and this version lacks.
    pub fn not_built(what: impl fmt::Display) -> Self {
        Self::usage(format!("{what} is not built yet"))
    }

    /// Makes an internal error.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Adds the next thing to type.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a field that scripts can read, such as `outcome`.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.more.get_or_insert_default().details.insert(field.to_owned(), value);
        self
    }

    /// Adds what caused it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.source = Some(Arc::new(cause.into()));
        self
    }

    /// Adds the source text that `at` is a position in: of what is no file, or may have been changed.
    #[must_use]
    pub fn within(mut self, text: impl Into<Arc<[u8]>>) -> Self {
        self.more.get_or_insert_default().text = Some(text.into());
        self
    }

    /// Returns the source text that `at` is a position in, if it is known.
    pub fn text(&self) -> Option<&[u8]> {
        self.more.as_deref().and_then(|more| more.text.as_deref())
    }

    /// Returns the field `name`, if it was added.
    pub fn detail(&self, name: &str) -> Option<&Value> {
        self.more.as_deref().and_then(|more| more.details.get(name))
    }

    /// Returns the added fields.
    pub fn details(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.more.iter().flat_map(|more| more.details.iter())
    }

    /// Returns the messages of the causes, nearest first, leaving out what the message already says.
    pub fn causes(&self) -> Vec<String> {
        let Some(source) = &self.source else { return Vec::new() };
        let mut causes: Vec<String> = Vec::new();
        for cause in source.chain() {
            let text = plain(&cause.to_string());
            if !self.message.contains(&text) && causes.last() != Some(&text) {
                causes.push(text);
            }
        }
        causes
    }
}

/// Returns what the system says as a clause: without its number, without a capital.
fn plain(text: &str) -> String {
    let Some((said, number)) = text.rsplit_once(" (os error ") else { return text.to_owned() };
    if !number.ends_with(')') {
        return text.to_owned();
    }
    let start = said.rfind(": ").map_or(0, |colon| colon + 2);
    let (before, clause) = said.split_at(start);
    let mut letters = clause.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    before.chars().chain(first).chain(letters).collect()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in self.causes() {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Gives foreign errors a kind where they leave a module.
pub trait ResultExt<T> {
    /// Turns the error into ours, with `message` in front and itself as the cause.
    fn or_kind<M: Into<String>>(self, kind: Kind, message: impl FnOnce() -> M) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> ResultExt<T> for std::result::Result<T, E> {
    fn or_kind<M: Into<String>>(self, kind: Kind, message: impl FnOnce() -> M) -> Result<T> {
        self.map_err(|cause| Error::new(kind, message()).because(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_words_are_the_same_set() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::from_word("oops"), None);
    }

    #[test]
    fn display_names_each_cause_once() {
        let cause = anyhow::anyhow!("no such file").context("cannot open `a`");
        let error = Error::new(Kind::Io, "cannot read `a`").because(cause);
        assert_eq!(error.to_string(), "cannot read `a`: cannot open `a`: no such file");
    }
}
