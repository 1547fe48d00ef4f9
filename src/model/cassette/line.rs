//! The lines of a cassette: JSON, one value a line. The first is the header; texts that many questions
//! share stand once, before their first use, and are known by a hash.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind};
use crate::event::Usage;
use crate::model::capability::Capabilities;
use crate::model::price::Price;
use crate::model::rate::RateLimits;
use crate::model::{Failure, Heard, Reply, Retry, StopReason, ToolCall, ToolResult};

/// The version of the format.
pub const VERSION: u32 = 1;
/// Texts longer than this are kept once.
const SHORT: usize = 512;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    pub agentlua_cassette: u32,
    /// When it was recorded, for people.
    pub created: String,
    /// The script, as it was typed.
    pub script: String,
    /// Whether the run was one that went on: answers of its earlier lives are not there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
}

/// Every other line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// The model of agents that name none.
    Default { model: String },
    /// A model that is asked from here on.
    Model { name: String, capabilities: Capabilities, price: Option<Price> },
    /// A value that further lines name by its hash.
    Kept { hash: String, value: Value },
    /// A question and what came of it.
    Answer(Box<Answer>),
    /// A number that the script drew, or a time that it read, by the path of the call.
    Drawn { call: String, kind: String, key: String, value: Value },
    /// The end. Without it the process was ended while it recorded.
    End { interrupted: bool },
}

/// A question, as far as it is new in its conversation, and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The place of the call in the script.
    pub call: String,
    /// The name that people see.
    pub label: String,
    /// The turn, from 1.
    pub turn: u32,
    /// Which question of that turn it is, from 1.
    pub n: u32,
    /// Who was asked.
    pub model: String,
    /// The hash of the system prompt.
    pub system: String,
    /// The hash of the tools.
    pub tools: String,
    /// What calls came to since the last answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<Resulted>,
    /// What the user or the host said since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<Said>,
    /// What came of it.
    #[serde(flatten)]
    pub came: Came,
}

/// A text, or the hash of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Said {
    /// It.
    Text(String),
    /// Where it is.
    Kept { kept: String },
}

/// What came of a question.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// An answer.
    Reply(Replied),
    /// None: it failed.
    Failure(Failed),
    /// Nobody waited for the end of it.
    Cut {},
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replied {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    pub stop: String,
    pub usage: Usage,
    /// How many bytes it was on its wire: how much of a long conversation is kept depends on it.
    pub bytes: u64,
}

/// A call of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    pub id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The arguments, where they are no JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// What a call came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resulted {
    pub id: String,
    pub name: String,
    pub content: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// How many pictures and documents it showed, which are not kept.
    #[serde(default, skip_serializing_if = "is_none")]
    pub media: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Why there was no answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failed {
    pub kind: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
    /// Whether asking again could help.
    pub again: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overloaded: bool,
    /// What it cost all the same.
    pub usage: Usage,
}

impl From<&Reply> for Replied {
    fn from(reply: &Reply) -> Self {
        let call = |call: &ToolCall| Call {
            id: call.id.clone(),
            name: call.name.clone(),
            input: call.input.as_ref().ok().cloned(),
            broken: call.input.as_ref().err().cloned(),
        };
        Self {
            text: reply.text.clone(),
            calls: reply.calls.iter().map(call).collect(),
            stop: reply.stop.as_str().to_owned(),
            usage: reply.usage,
            bytes: reply.weight() as u64,
        }
    }
}

impl Replied {
    /// Returns the reply that it was.
    pub fn restored(self) -> Reply {
        let call = |call: Call| ToolCall {
            id: call.id,
            name: call.name,
            input: call.input.ok_or(call.broken.unwrap_or_default()),
        };
        Reply {
            text: self.text,
            calls: self.calls.into_iter().map(call).collect(),
            stop: StopReason::from_word(&self.stop),
            usage: self.usage,
            wire: serde_json::json!({ "bytes": self.bytes }),
            wire_format: super::WIRE,
            limits: RateLimits::default(),
        }
    }
}

impl From<&Failure> for Failed {
    fn from(failure: &Failure) -> Self {
        let Failure { error, retry, overloaded, heard } = failure;
        Self {
            kind: error.kind.as_str().to_owned(),
            // With its causes, which are not kept apart.
            message: error.to_string(),
            hint: error.hint.clone(),
            details: error.details().map(|(name, value)| (name.clone(), value.clone())).collect(),
            again: *retry != Retry::Never,
            overloaded: *overloaded,
            usage: heard.usage,
        }
    }
}

impl Failed {
    /// Returns the failure that it was. `again` tells whether the recording has what came next.
    pub fn restored(self, again: bool) -> Failure {
        let kind = Kind::from_word(&self.kind).unwrap_or(Kind::Model);
        let mut error = Error::new(kind, self.message);
        error.hint = self.hint;
        for (name, value) in self.details {
            error = error.with(&name, value);
        }
        Failure {
            error,
            retry: if again { Retry::AtOnce } else { Retry::Never },
            overloaded: self.overloaded,
            heard: Box::new(Heard { limits: RateLimits::default(), usage: self.usage }),
        }
    }
}

impl From<&ToolResult> for Resulted {
    fn from(result: &ToolResult) -> Self {
        Self {
            id: result.id.clone(),
            name: result.name.clone(),
            content: result.content.clone(),
            is_error: result.is_error,
            media: result.media.len(),
        }
    }
}

impl Resulted {
    /// Returns the result that it was.
    pub fn restored(self) -> ToolResult {
        let mut content = self.content;
        if self.media > 0 {
            content.push_str("\n[what it showed was not recorded]");
        }
        let (id, name, is_error) = (self.id, self.name, self.is_error);
        ToolResult { id, name, content, media: Vec::new(), is_error }
    }
}

/// Returns whether a text is kept apart.
pub fn is_long(text: &str) -> bool {
    text.len() > SHORT
}

/// Returns what a value is known by.
pub fn hash(value: &Value) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(value.to_string()).iter().take(8) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
