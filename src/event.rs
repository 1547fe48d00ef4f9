//! What happens in a run, as values: every step emits one [`Event`], and whatever is shown, logged
//! or stored is made from events and nothing else.
//!
//! An event knows nothing of terminals or files; a [`Reporter`] does.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

/// Tokens of one or several model turns, in Anthropic's meaning for every provider:
/// `input_tokens` is the uncached rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Input tokens that no cache served.
    pub input_tokens: u64,
    /// Tokens that the model wrote.
    pub output_tokens: u64,
    /// Input tokens that were read from a cache.
    pub cache_read_input_tokens: u64,
    /// Input tokens that were written to a cache.
    pub cache_creation_input_tokens: u64,
}

impl Usage {
    /// Returns every token that went in, cached or not.
    pub fn total_input(&self) -> u64 {
        self.input_tokens + self.cache_read_input_tokens + self.cache_creation_input_tokens
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cache_read_input_tokens += other.cache_read_input_tokens;
        self.cache_creation_input_tokens += other.cache_creation_input_tokens;
    }
}

/// How loud a message of the script or of the host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Shown only when asked for.
    Debug,
    /// Shown unless quiet.
    Info,
    /// Always shown; the run goes on.
    Warn,
    /// Always shown.
    Error,
}

/// One step of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named by the terms of the manual")]
pub enum Event {
    /// The script began.
    RunStarted { run: String, script: String },
    /// The script and everything it started have ended.
    RunFinished { run: String },
    /// An agent exists and waits for a place.
    AgentQueued { agent: String, label: String },
    /// An agent has its place and its worktree.
    AgentStarted {
        agent: String,
        label: String,
        model: String,
        branch: Option<String>,
        worktree_path: Option<PathBuf>,
        base_commit: Option<String>,
    },
    /// A model answered, whole.
    TurnFinished { agent: String, turn: u32, calls: Vec<ToolSummary>, usage: Usage },
    /// A tool gave its result.
    ToolFinished { agent: String, turn: u32, tool: String, ok: bool, duration_ms: u64 },
    /// A call was refused by the rules.
    ToolDenied { agent: String, tool: String, reason: String },
    /// A model request failed and is asked again after a wait.
    RetryScheduled { agent: String, attempt: u32, delay_ms: u64, reason: String },
    /// A conversation had become too long and was summed up: its tokens before and after, roughly.
    Compacted { agent: String, before: u64, after: u64 },
    /// An agent ended; whatever it did is on its branch.
    AgentFinished {
        agent: String,
        label: String,
        subtype: String,
        message: Option<String>,
        branch: Option<String>,
        worktree_path: Option<PathBuf>,
        head_commit: Option<String>,
        files_changed: usize,
        num_turns: u32,
        duration_ms: u64,
        usage: Usage,
        denials: usize,
    },
    /// A worktree that held nothing was removed, with what ignored files it had.
    WorktreeRemoved { agent: String, path: PathBuf, ignored_files: u64, ignored_bytes: u64 },
    /// A branch was merged.
    Merged { branch: String, into: String, status: String, commit: String },
    /// The script or the host has something to say.
    Message { level: Level, text: String },
}

/// A tool call as people see it: the name and the one argument that matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolSummary {
    /// The tool's name.
    pub tool: String,
    /// The argument that tells most, cut to one short line.
    pub argument: String,
}

/// Someone who listens to events: the terminal, the journal.
pub trait Reporter: Send + Sync {
    /// Takes note of `event`. Must not block for long.
    fn report(&self, event: &Event);
}

/// The listeners of a run; cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<[Arc<dyn Reporter>]>);

impl Events {
    /// Makes a bus with these listeners.
    pub fn new(reporters: Vec<Arc<dyn Reporter>>) -> Self {
        Self(reporters.into())
    }

    /// Tells every listener.
    #[expect(clippy::needless_pass_by_value, reason = "an event is made to be emitted")]
    pub fn emit(&self, event: Event) {
        for reporter in self.0.iter() {
            reporter.report(&event);
        }
    }

    /// Emits a warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.emit(Event::Message { level: Level::Warn, text: text.into() });
    }
}
