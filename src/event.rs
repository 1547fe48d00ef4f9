//! What happens in a run, as values: every step emits one [`Event`], and whatever is shown, logged
//! or stored is made from events and nothing else.
//!
//! An event knows nothing of terminals or files; a [`Reporter`] does. What programs and scripts read
//! is its object ([`sdk`]): `--output-format stream-json`, `on_event` and `task:events()` have the same.

pub mod log;
pub mod sdk;

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use futures_util::future::{BoxFuture, join_all};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Tokens of one or several model turns, in Anthropic's meaning for every provider:
/// `input_tokens` is the uncached rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl std::ops::SubAssign for Usage {
    /// What is not there cannot be taken away.
    fn sub_assign(&mut self, other: Self) {
        let less = |all: &mut u64, part| *all = all.saturating_sub(part);
        less(&mut self.input_tokens, other.input_tokens);
        less(&mut self.output_tokens, other.output_tokens);
        less(&mut self.cache_read_input_tokens, other.cache_read_input_tokens);
        less(&mut self.cache_creation_input_tokens, other.cache_creation_input_tokens);
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
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are named by the terms of the manual")]
pub enum Event {
    /// The script began.
    RunStarted { run: String, script: String, resumed: bool },
    /// The script has come to another part of its work: `agent.phase`.
    Phase { run: String, name: String },
    /// The script and everything it started have ended.
    RunFinished { run: String },
    /// An agent exists and waits for a place.
    AgentQueued { agent: String, label: String },
    /// An agent has its place and its worktree.
    AgentStarted {
        agent: String,
        label: String,
        model: String,
        /// Turns of earlier lives.
        turns: u32,
        max_turns: u32,
        branch: Option<String>,
        worktree_path: Option<PathBuf>,
        base_commit: Option<String>,
    },
    /// An agent is about to ask for the first time.
    ConversationBegan {
        agent: String,
        label: String,
        model: String,
        cwd: PathBuf,
        tools: Vec<String>,
        branch: Option<String>,
        worktree_path: Option<PathBuf>,
        base_commit: Option<String>,
    },
    /// A model said something: a message in the form of the Messages API.
    Said { agent: String, message: Value },
    /// It was answered: results of its calls, texts.
    Answered { agent: String, message: Value },
    /// A model answered, whole.
    TurnFinished {
        agent: String,
        turn: u32,
        calls: Vec<ToolSummary>,
        usage: Usage,
        cost_usd: Option<f64>,
    },
    /// A tool gave its result.
    ToolFinished { agent: String, turn: u32, tool: String, ok: bool, duration_ms: u64 },
    /// A call was refused by the rules.
    ToolDenied { agent: String, tool: String, tool_use_id: String, reason: String },
    /// An agent's work was verified; attempt 0 is what was there before it began.
    Verified { agent: String, attempt: u32, ok: bool, message: Option<String>, duration_ms: u64 },
    /// A model could not answer, and another is asked for the rest of the agent's life.
    ModelChanged { agent: String, from: String, to: String, reason: String },
    /// A model request failed and is asked again after a wait.
    RetryScheduled {
        agent: String,
        attempt: u32,
        delay_ms: u64,
        /// The provider's HTTP status, where one came.
        status: Option<u64>,
        /// The word for what happened, where there is one: `rate_limit`, `overloaded`, ….
        word: Option<String>,
        reason: String,
    },
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
        cost_usd: Option<f64>,
        denials: usize,
        /// Its whole outcome, as scripts see it.
        outcome: Arc<Value>,
        /// Whether it had ended in an earlier life of the run, and the journal has its outcome.
        recalled: bool,
    },
    /// A worktree that held nothing was removed, with what ignored files it had.
    WorktreeRemoved { agent: String, path: PathBuf, ignored_files: u64, ignored_bytes: u64 },
    /// A branch was merged.
    Merged { branch: String, into: String, status: String, commit: String },
    /// The script or the host has something to say.
    Message { level: Level, text: String },
}

impl Event {
    /// Returns what programs and scripts see of it, in the conversation `session`; nothing for what is for
    /// people alone.
    pub fn object(&self, session: Option<&str>) -> Option<Value> {
        sdk::object(self, session)
    }
}

/// A tool call as people see it: the name and the one argument that matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolSummary {
    /// The tool's name.
    pub tool: String,
    /// The argument that tells most, cut to one short line.
    pub argument: String,
}

/// An event on its way to those who listen: with the conversation that it belongs to, and its
/// object, which is made once and only when somebody wants it.
pub struct Posted {
    event: Event,
    session: Option<Arc<str>>,
    object: OnceLock<Option<Arc<Value>>>,
}

impl Posted {
    /// Returns the id of the conversation that it belongs to, if it belongs to one.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Returns what programs and scripts see of it; nothing for what is for people alone.
    pub fn object(&self) -> Option<&Arc<Value>> {
        let make = || self.event.object(self.session.as_deref()).map(Arc::new);
        self.object.get_or_init(make).as_ref()
    }
}

impl Deref for Posted {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}

/// Someone who listens to events: the terminal, a stream, a function of the script.
pub trait Reporter: Send + Sync {
    /// Takes note of `event`. Must not block for long.
    fn report(&self, event: &Posted);

    /// Waits until it can take more. Agents wait for it in every turn, so what it has to hold is
    /// bounded by what they say in one.
    fn caught_up(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The listeners of a run, or those of one agent; cheap to clone.
#[derive(Clone)]
pub struct Events {
    reporters: Arc<[Arc<dyn Reporter>]>,
    session: Option<Arc<str>>,
}

impl Events {
    /// Makes a bus with these listeners.
    pub fn new(reporters: Vec<Arc<dyn Reporter>>) -> Self {
        Self { reporters: reporters.into(), session: None }
    }

    /// Adds a listener.
    #[must_use]
    pub fn with(self, listener: Arc<dyn Reporter>) -> Self {
        let reporters = self.reporters.iter().cloned().chain([listener]).collect();
        Self { reporters, ..self }
    }

    /// Returns the bus of one conversation: what is emitted on it bears its id and is heard by
    /// `listener` too.
    #[must_use]
    pub fn within(&self, session: &str, listener: Option<Arc<dyn Reporter>>) -> Self {
        Self {
            reporters: self.reporters.iter().cloned().chain(listener).collect(),
            session: Some(session.into()),
        }
    }

    /// Returns the id of the conversation.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Tells every listener.
    pub fn emit(&self, event: Event) {
        let posted = Posted { event, session: self.session.clone(), object: OnceLock::new() };
        for reporter in self.reporters.iter() {
            reporter.report(&posted);
        }
    }

    /// Waits until every listener can take more.
    pub async fn caught_up(&self) {
        join_all(self.reporters.iter().map(|reporter| reporter.caught_up())).await;
    }

    /// Emits a warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.emit(Event::Message { level: Level::Warn, text: text.into() });
    }
}
