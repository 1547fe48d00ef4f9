//! What a model is to agentlua: something that answers one [`Request`] with one whole [`Reply`].
//!
//! The trait is all that the agent loop knows. Behind it are the Anthropic Messages API, `OpenAI`'s
//! Chat Completions and what speaks like it, its Responses API, and models written in Lua.
//! Invariants:
//!
//! * A reply is complete or there is none: a stream that ends without its final event is a
//!   [`Failure`], so a tool can never run from half a message.
//! * What the provider sent is kept verbatim in [`Reply::wire`] and sent back unchanged, in its
//!   order, for as long as the conversation stays with that provider (thinking blocks carry
//!   signatures).
//! * A model asks once. When to ask again is the business of [`retry`], and whoever asks does it;
//!   only a refusal that says how the question has to be put is answered by putting it so
//!   (`form.rs`).

pub mod address;
pub mod anthropic;
mod call_id;
pub mod capability;
pub mod cassette;
mod complaint;
mod effort;
mod fault;
mod form;
mod format;
pub mod http;
mod ollama;
pub mod openai;
pub mod price;
pub mod rate;
pub mod responses;
pub mod retry;
mod room;
#[cfg(test)]
mod scripted;
pub mod select;
mod shown;
pub mod sse;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
pub use crate::event::Usage;
use crate::media::Media;
pub use call_id::CallIds;
use capability::Capabilities;
pub use effort::Effort;
use rate::RateLimits;

/// A tool as the model is told of it.
#[derive(Clone, Debug, Serialize)]
pub struct ToolSpec {
    /// The name that calls use.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// A JSON Schema of an object.
    pub input_schema: Value,
}

/// A tool call of a reply.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolCall {
    /// The id that the result has to carry; unique within a conversation.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments, an object. `Err` holds the text of arguments that are no JSON object.
    #[serde(serialize_with = "input_or_text")]
    pub input: Result<Value, String>,
}

fn input_or_text<S: serde::Serializer>(
    input: &Result<Value, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match input {
        Ok(value) => value.serialize(serializer),
        Err(text) => text.serialize(serializer),
    }
}

/// The answer to one tool call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolResult {
    /// The id of the call.
    pub id: String,
    /// The name of the tool, for models that see results by name.
    pub name: String,
    /// What the tool said.
    pub content: String,
    /// What it shows beside that.
    #[serde(skip)]
    pub media: Vec<Media>,
    /// Whether the call failed.
    pub is_error: bool,
}

/// One message of a conversation.
#[derive(Clone, Debug)]
pub enum Message {
    /// What the host says: the results of the last turn's calls, in their order, then texts.
    User {
        /// Exactly one result for each call of the message before.
        results: Vec<ToolResult>,
        /// Text blocks; at least one when there are no results, none empty.
        texts: Vec<String>,
    },
    /// What the model said.
    Assistant(Arc<Reply>),
}

/// Who asks, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The place of the call in the script: the same in every run of it.
    pub path: String,
    /// The name that people see.
    pub label: String,
    /// The agent's id, another in every run.
    pub agent: String,
    /// Where it works.
    pub directory: PathBuf,
    /// Whether that is a worktree.
    pub has_worktree: bool,
}

/// One question to a model.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// The turn it belongs to, from 1.
    pub turn: u32,
    /// The system prompt; the same bytes in every turn and for every sibling.
    pub system: Arc<str>,
    /// The tools on offer; the same in every turn.
    pub tools: Arc<[ToolSpec]>,
    /// The conversation: starts with a user message, then roles alternate.
    pub messages: Vec<Message>,
    /// The most tokens the reply may have; the model's own default when absent.
    pub max_output_tokens: Option<u32>,
    /// How hard to think, where the model can be told; the model's own default when absent.
    pub effort: Option<Effort>,
    /// The JSON Schema that the final text has to fit, where [`Capabilities::native_format`] says that
    /// the model can be held to it.
    pub format: Option<Arc<Value>>,
    /// The tool that the reply has to call, where [`Capabilities::forced_tool`] says that the model
    /// can be held to it.
    pub must_call: Option<Arc<str>>,
    /// The longest silence on the stream.
    pub idle_timeout: Duration,
}

/// Why a reply ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The model is done.
    EndTurn,
    /// It waits for tool results.
    ToolUse,
    /// The output limit cut it.
    MaxTokens,
    /// It refused.
    Refusal,
    /// It paused and wants its own message back.
    PauseTurn,
    /// The conversation no longer fits.
    ContextOverflow,
    /// Another word of the provider.
    Other(String),
}

impl StopReason {
    /// Returns the word in the Messages API's vocabulary.
    pub fn as_str(&self) -> &str {
        match self {
            Self::EndTurn => "end_turn",
            Self::ToolUse => "tool_use",
            Self::MaxTokens => "max_tokens",
            Self::Refusal => "refusal",
            Self::PauseTurn => "pause_turn",
            Self::ContextOverflow => "model_context_window_exceeded",
            Self::Other(word) => word,
        }
    }

    /// Reads a word of [`StopReason::as_str`].
    pub fn from_word(word: &str) -> Self {
        let known = [
            Self::EndTurn,
            Self::ToolUse,
            Self::MaxTokens,
            Self::Refusal,
            Self::PauseTurn,
            Self::ContextOverflow,
        ];
        let found = known.into_iter().find(|reason| reason.as_str() == word);
        found.unwrap_or_else(|| Self::Other(word.to_owned()))
    }

    /// Reports whether a call at the very end of such a reply may lack its rest; it must not run.
    fn cuts_calls(&self) -> bool {
        matches!(self, Self::MaxTokens | Self::Refusal | Self::ContextOverflow)
    }

    /// Returns what stands for the arguments of such a call.
    fn cut_note(&self) -> String {
        format!("cut by {}: the call is not complete and was not run", self.as_str())
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// All text blocks, joined.
    pub text: String,
    /// The tool calls, in order, with ids made unique.
    pub calls: Vec<ToolCall>,
    /// Why it ended.
    pub stop: StopReason,
    /// What it cost in tokens.
    pub usage: Usage,
    /// The message as the provider's own wire format has it, to be sent back verbatim by the model
    /// whose [`Model::wire`] equals `wire_format`; others rebuild it from `text` and `calls`.
    pub wire: Value,
    /// Which wire format `wire` is in.
    pub wire_format: &'static str,
    /// What the provider said is left of its limits.
    pub limits: RateLimits,
}

impl Reply {
    /// Reports whether there is nothing in it that could be sent back.
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.calls.is_empty()
    }

    /// Returns how many bytes it is, roughly as its provider gets it back.
    pub fn weight(&self) -> usize {
        if self.wire_format == cassette::WIRE {
            return cassette::weight(&self.wire);
        }
        if !self.wire.is_null() {
            return written(&self.wire);
        }
        let inputs = self.calls.iter().map(|call| match &call.input {
            Ok(input) => written(input),
            Err(text) => text.len(),
        });
        self.text.len() + inputs.sum::<usize>()
    }
}

/// Returns how many bytes a value is written with.
fn written(value: &Value) -> usize {
    use std::fmt::Write as _;

    struct Count(usize);
    impl std::fmt::Write for Count {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut count = Count(0);
    let _ = write!(count, "{value}");
    count.0
}

/// A piece of a reply while it streams: for display only, never acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Some text.
    Text(String),
    /// A tool call began.
    Call(String),
}

/// Whether asking the same again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No: the request, the key or the account is at fault.
    Never,
    /// Yes, after a pause that grows.
    Backoff,
    /// Yes, but not before this long.
    After(Duration),
    /// Yes, without a pause: a recording is asked, and it has what came next.
    AtOnce,
}

/// A question that got no whole answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What happened. Of the models here its details are `reason`, a word such as
    /// `context_overflow` or `billing_error` (the list is in `fault.rs`), and mostly `status`.
    pub error: Error,
    /// Whether to ask again.
    pub retry: Retry,
    /// The provider said that it has too much to do (429, 529); such a pause may last minutes.
    pub overloaded: bool,
    /// What was heard all the same.
    pub heard: Box<Heard>,
}

/// What a failed try still told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// What the provider said is left of its limits.
    pub limits: RateLimits,
    /// Tokens that were counted before it broke off.
    pub usage: Usage,
}

impl Failure {
    fn new(error: Error, retry: Retry) -> Self {
        Self { error, retry, overloaded: false, heard: Box::default() }
    }

    /// Makes a failure that asking again cannot mend.
    pub fn fatal(error: Error) -> Self {
        Self::new(error, Retry::Never)
    }

    /// Makes a failure worth asking again.
    pub fn transient(error: Error) -> Self {
        Self::new(error, Retry::Backoff)
    }
}

/// What a call came to when it was recorded.
pub type Recorded = Result<ToolResult, Error>;

/// Something that answers.
pub trait Model: Send + Sync {
    /// Returns the name that people gave it, such as `anthropic/claude-sonnet-5`.
    fn name(&self) -> &str;

    /// Returns the wire format of its replies.
    fn wire(&self) -> &'static str;

    /// Returns what it can do; when unknown, what every model can.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Returns what names all that shares its limits at the provider: host, key and model. There is
    /// one host and one key of each provider in a process, so the name will do. Absent for a model
    /// that nobody else limits.
    fn pool(&self) -> Option<&str> {
        Some(self.name())
    }

    /// Returns the hash of its code, of one that the script wrote.
    fn code(&self) -> Option<&str> {
        None
    }

    /// Reports whether a request is cheaper when one with the same beginning came before it.
    fn caches_prefixes(&self) -> bool {
        false
    }

    /// Returns what the call `id` of one of its replies came to, where that is not to be found out by
    /// running the tool: a recording is asked, and has it.
    fn recorded<'a>(&'a self, caller: &'a Caller, id: &'a str) -> Option<BoxFuture<'a, Recorded>> {
        let _ = (caller, id);
        None
    }

    /// Asks once. `chunks` hears the reply while it grows; only the returned reply counts.
    /// Dropping the future ends the request.
    fn ask<'a>(
        &'a self,
        request: &'a Request,
        chunks: &'a (dyn Fn(Chunk) + Send + Sync),
    ) -> BoxFuture<'a, Result<Reply, Failure>>;
}
