//! What a tool is: a name and schema that the model is told, and a function from JSON to text.
//!
//! Names and inputs of the built-in tools are those of the Agent SDK, because models are trained on
//! them. Who reads an error decides its kind: [`ToolError::Reply`] goes back to the model, which may
//! try something else; [`ToolError::Fatal`] ends the agent.

pub mod bash;
mod blocking;
pub mod edit;
mod file;
pub mod glob;
pub mod grep;
mod input;
mod line_ends;
mod matches;
pub mod mcp;
pub mod output;
pub mod read;
pub mod registry;
pub mod seen;
pub mod sight;
mod watch;
pub mod web_fetch;
pub mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::media::Media;
use crate::workspace::Workspace;

/// What a call may touch: one for each agent, shared by its calls.
pub struct Context {
    /// The agent's files.
    pub workspace: Arc<dyn Workspace>,
    /// Which files the model has seen, and as what.
    pub seen: seen::Seen,
    /// The environment of commands: already reduced to what is allowed.
    pub env: BTreeMap<String, String>,
    /// Where output that is too long for the model is kept whole.
    pub spill_dir: PathBuf,
    /// Starts commands and sees to their end.
    pub processes: crate::process::Processes,
    /// Ends the agent's work when cancelled; a tool returns soon after.
    pub cancel: CancellationToken,
    /// The agent's id, for tools that are told.
    pub agent: String,
    /// The name that people see.
    pub label: String,
    /// The branch, with a worktree.
    pub branch: Option<String>,
    /// The turn that is under way.
    pub turn: AtomicU32,
    /// What the model sees beside text.
    pub sees: sight::Sees,
}

/// Why a call has no result.
#[derive(Debug, Clone)]
pub enum ToolError {
    /// The model is told, and goes on.
    Reply(String),
    /// The agent cannot go on.
    Fatal(Error),
}

impl ToolError {
    /// Makes an answer to the model.
    pub fn reply(text: impl Into<String>) -> Self {
        Self::Reply(text.into())
    }
}

impl From<crate::workspace::Denied> for ToolError {
    fn from(denied: crate::workspace::Denied) -> Self {
        Self::Reply(denied.to_string())
    }
}

/// What a call came to, for the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// What it reads.
    pub text: String,
    /// What it sees beside that.
    pub media: Vec<Media>,
}

impl From<String> for Output {
    fn from(text: String) -> Self {
        Self { text, media: Vec::new() }
    }
}

/// The result of a call.
pub type ToolOutput = Result<Output, ToolError>;

/// Something that a model can call.
pub trait Tool: Send + Sync {
    /// Returns the name.
    fn name(&self) -> &str;

    /// Returns what the model is told: when to use it, what it answers.
    fn description(&self) -> &str;

    /// Returns the JSON Schema of the input.
    fn input_schema(&self) -> Value;

    /// Reports whether calls only look, so that those of one turn may run side by side.
    fn read_only(&self) -> bool;

    /// Returns the hash of its code, of one that the script wrote.
    fn code(&self) -> Option<&str> {
        None
    }

    /// Returns the argument that tells people most about a call, such as the path.
    fn summary(&self, input: &Value) -> String;

    /// Runs the call.
    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput>;
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
