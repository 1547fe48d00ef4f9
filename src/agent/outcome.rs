//! How an agent ended: the fields that scripts read, in the Agent SDK's words.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::verify::Verification;
use crate::error::{Error, Kind};
use crate::event::Usage;
use crate::journal::Status;

/// The ways to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subtype {
    /// The model gave its final text.
    Success,
    /// It would have needed another turn.
    ErrorMaxTurns,
    /// The money was spent.
    ErrorMaxBudgetUsd,
    /// Its time was over.
    ErrorTimeout,
    /// Somebody called it off.
    ErrorCancelled,
    /// The model refused.
    ErrorRefusal,
    /// Something failed; the error says what.
    ErrorDuringExecution,
    /// The answer never fitted the schema.
    ErrorStructuredOutput,
    /// The verification never passed.
    ErrorVerify,
    /// It could not get, or not finish, its worktree.
    ErrorWorktree,
    /// A command changed files outside its scope.
    ErrorScope,
}

impl Subtype {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Success,
        Self::ErrorMaxTurns,
        Self::ErrorMaxBudgetUsd,
        Self::ErrorTimeout,
        Self::ErrorCancelled,
        Self::ErrorRefusal,
        Self::ErrorDuringExecution,
        Self::ErrorStructuredOutput,
        Self::ErrorVerify,
        Self::ErrorWorktree,
        Self::ErrorScope,
    ];

    /// Returns the way that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subtype| subtype.as_str() == word)
    }

    /// Returns the word that scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ErrorMaxTurns => "error_max_turns",
            Self::ErrorMaxBudgetUsd => "error_max_budget_usd",
            Self::ErrorTimeout => "error_timeout",
            Self::ErrorCancelled => "error_cancelled",
            Self::ErrorRefusal => "error_refusal",
            Self::ErrorDuringExecution => "error_during_execution",
            Self::ErrorStructuredOutput => "error_structured_output",
            Self::ErrorVerify => "error_verify",
            Self::ErrorWorktree => "error_worktree",
            Self::ErrorScope => "error_scope",
        }
    }

    /// Returns the kind of error that it raises, unless its cause has one.
    fn kind(self) -> Kind {
        match self {
            Self::ErrorMaxTurns | Self::ErrorMaxBudgetUsd => Kind::Budget,
            Self::ErrorTimeout => Kind::Timeout,
            Self::ErrorCancelled => Kind::Cancelled,
            Self::ErrorRefusal => Kind::Refused,
            Self::ErrorStructuredOutput => Kind::Model,
            Self::ErrorVerify => Kind::Verify,
            Self::ErrorWorktree | Self::ErrorScope => Kind::Git,
            Self::Success | Self::ErrorDuringExecution => Kind::Internal,
        }
    }

    /// Returns the status that the registry keeps.
    pub fn status(self) -> Status {
        match self {
            Self::Success => Status::Completed,
            Self::ErrorCancelled => Status::Cancelled,
            _ => Status::Failed,
        }
    }
}

/// A tool call that the rules refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Denial {
    /// The tool.
    pub tool_name: String,
    /// The call's id.
    pub tool_use_id: String,
    /// What it was called with.
    pub tool_input: Value,
}

/// The fields of an outcome, for the strictness of result tables.
pub const FIELDS: &[&str] = &[
    "ok",
    "subtype",
    "result",
    "structured_output",
    "id",
    "session_id",
    "label",
    "branch",
    "worktree_path",
    "base_commit",
    "head_commit",
    "files_changed",
    "num_turns",
    "duration_ms",
    "duration_api_ms",
    "usage",
    "total_cost_usd",
    "stop_reason",
    "permission_denials",
    "verify",
];

/// How an agent ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which way.
    pub subtype: Subtype,
    /// Why, unless it succeeded.
    pub error: Option<Error>,
    /// The final text; the last text there was, if it did not get to an end.
    pub result: String,
    /// The agent's id.
    pub id: String,
    /// The conversation's id.
    pub session_id: String,
    /// The name that people see.
    pub label: String,
    /// The branch, with a worktree.
    pub branch: Option<String>,
    /// The worktree, with one that is still there: it is removed when nothing changed.
    pub worktree_path: Option<PathBuf>,
    /// The commit it started from.
    pub base_commit: Option<String>,
    /// The commit that holds its work.
    pub head_commit: Option<String>,
    /// Paths that differ from the base, sorted.
    pub files_changed: Vec<String>,
    /// Model round trips.
    pub num_turns: u32,
    /// Wall-clock time, from the moment it had its place.
    pub duration_ms: u64,
    /// Time spent on model requests.
    pub duration_api_ms: u64,
    /// Tokens.
    pub usage: Usage,
    /// USD; absent when a price is unknown.
    pub total_cost_usd: Option<f64>,
    /// The last reply's stop reason.
    pub stop_reason: Option<String>,
    /// Calls that the rules refused.
    pub permission_denials: Vec<Denial>,
    /// The last value for the schema, whether it fitted or not.
    pub structured_output: Option<Value>,
    /// What verification came to, where there was one.
    pub verify: Option<Verification>,
}

impl Outcome {
    /// Makes that of an agent that did nothing, and cost nothing.
    pub fn without_work(id: String, label: &str, subtype: Subtype) -> Self {
        Self {
            subtype,
            error: None,
            result: String::new(),
            structured_output: None,
            id,
            session_id: String::new(),
            label: label.to_owned(),
            branch: None,
            worktree_path: None,
            base_commit: None,
            head_commit: None,
            files_changed: Vec::new(),
            num_turns: 0,
            duration_ms: 0,
            duration_api_ms: 0,
            usage: Usage::default(),
            total_cost_usd: Some(0.0),
            stop_reason: None,
            permission_denials: Vec::new(),
            verify: None,
        }
    }

    /// Reports whether the agent succeeded.
    pub fn ok(&self) -> bool {
        self.subtype == Subtype::Success
    }

    /// Reports whether it had a worktree that went because nothing had changed.
    pub fn left_nothing(&self) -> bool {
        self.branch.is_some() && self.worktree_path.is_none() && self.files_changed.is_empty()
    }

    /// Returns the fields that scripts see.
    pub fn to_json(&self) -> Value {
        json!({
            "ok": self.ok(),
            "subtype": self.subtype.as_str(),
            "result": self.result,
            "id": self.id,
            "session_id": self.session_id,
            "label": self.label,
            "branch": self.branch,
            "worktree_path": self.worktree_path.as_ref().map(|path| path.display().to_string()),
            "base_commit": self.base_commit,
            "head_commit": self.head_commit,
            "files_changed": self.files_changed,
            "num_turns": self.num_turns,
            "duration_ms": self.duration_ms,
            "duration_api_ms": self.duration_api_ms,
            "usage": self.usage,
            "total_cost_usd": self.total_cost_usd,
            "stop_reason": self.stop_reason,
            "permission_denials": self.permission_denials,
            "structured_output": self.structured_output,
            "verify": self.verify,
        })
    }

    /// Returns the error that a failed outcome raises, with the outcome in it.
    pub fn to_error(&self) -> Error {
        let mut error = match &self.error {
            Some(error) => error.clone(),
            None => Error::new(self.subtype.kind(), format!("agent `{}` failed", self.label)),
        };
        if self.subtype != Subtype::ErrorDuringExecution {
            error.kind = self.subtype.kind();
        }
        error.with("outcome", self.to_json())
    }
}
