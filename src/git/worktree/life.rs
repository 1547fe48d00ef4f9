//! What an intent says of a worktree: enough for the next start to take it back or to put its work in.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::git::snapshot::CommitMessage;

/// The kind of the intents that hold one.
pub const KIND: &str = "worktree";

/// How far a worktree has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is being made: nobody has worked in it.
    Making,
    /// An agent was, or may have been, in it.
    Working,
}

/// The detail of an intent of the kind `worktree`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Life {
    /// The agent's id: the name of the folder and of what is kept about it.
    pub id: String,
    /// The run, as refs are named after it; empty when it belongs to none.
    pub run: String,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Whether it was made with the worktree: only then may it be deleted with it.
    #[serde(default)]
    pub branch_created: bool,
    /// Whether it was there before: then it stays.
    #[serde(default)]
    pub reopened: bool,
    /// The commit it was made at.
    pub base_commit: String,
    /// Its folder.
    pub path: PathBuf,
    /// How far it has come.
    pub state: State,
    /// What the branch pointed to when the agent entered.
    #[serde(default)]
    pub start_commit: Option<String>,
    /// The message that the work is committed with; absent when it stays uncommitted.
    #[serde(default)]
    pub commit: Option<CommitMessage>,
    /// The `config.worktree` of the worktree as the agent found it, byte for byte.
    #[serde(default)]
    pub config_worktree: Option<Vec<u8>>,
    /// The only paths that the agent may change, if it was limited.
    #[serde(default)]
    pub scope: Option<Vec<String>>,
}

impl Life {
    /// Returns what refs for its work start with, without the last slash.
    pub fn namespace(&self) -> String {
        namespace(&self.run, &self.id)
    }
}

/// Returns what refs for the work of an agent start with, without the last slash.
pub fn namespace(run: &str, id: &str) -> String {
    format!("refs/agentlua/{}/{id}", if run.is_empty() { "keep" } else { run })
}
