//! Reviews with comments on lines.

use serde_json::{Value, json};

/// What a review comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Neither.
    Comment,
    /// It may land.
    Approve,
    /// It may not.
    RequestChanges,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Comment, Self::Approve, Self::RequestChanges];

    /// Returns the word that the API has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Comment => "COMMENT",
            Self::Approve => "APPROVE",
            Self::RequestChanges => "REQUEST_CHANGES",
        }
    }

    /// Returns the one that a word names, in letters of either case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str().eq_ignore_ascii_case(word))
    }

    /// Returns the state that a review has which was submitted with it.
    pub(super) fn state(self) -> &'static str {
        match self {
            Self::Comment => "COMMENTED",
            Self::Approve => "APPROVED",
            Self::RequestChanges => "CHANGES_REQUESTED",
        }
    }
}

/// A comment on a line, or on several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The file, from the top.
    pub path: String,
    /// The line; of several the last.
    pub line: i64,
    /// The first of several.
    pub start_line: Option<i64>,
    /// Whether lines are counted before the change and not after it.
    pub before: bool,
    /// What it says.
    pub body: String,
}

impl Comment {
    fn to_json(&self) -> Value {
        let side = if self.before { "LEFT" } else { "RIGHT" };
        let mut comment =
            json!({ "path": self.path, "line": self.line, "side": side, "body": self.body });
        if let Some(start) = self.start_line.filter(|start| *start != self.line) {
            comment["start_line"] = json!(start);
            comment["start_side"] = json!(side);
        }
        comment
    }
}

/// A review to submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// What it says as a whole.
    pub body: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// What it says of lines.
    pub comments: Vec<Comment>,
    /// The commit that was looked at; the newest if absent.
    pub commit: Option<String>,
}

impl Review {
    /// Returns it as the API takes it.
    pub fn to_json(&self) -> Value {
        let comments: Vec<Value> = self.comments.iter().map(Comment::to_json).collect();
        let mut review = json!({ "event": self.verdict.as_str(), "comments": comments });
        if !self.body.is_empty() {
            review["body"] = json!(self.body);
        }
        if let Some(commit) = &self.commit {
            review["commit_id"] = json!(commit);
        }
        review
    }
}
