//! A conversation and a reply without a wire format: what scenarios see and what they answer.
//!
//! Both wires read their requests into a [`Talk`] and write a [`Reply`] out; nothing here knows how.

use serde_json::Value;

/// A tool name that no client declares; the only one that may be used undeclared.
pub const UNKNOWN_TOOL: &str = "NoSuchTool";

/// The wire formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Anthropic's Messages API.
    Anthropic,
    /// Chat Completions.
    OpenAi,
    /// The Responses API.
    Responses,
}

impl Wire {
    /// Returns the word of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Responses => "responses",
        }
    }
}

/// A tool call that came back in a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub id: String,
    pub name: String,
    pub input: Value,
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub id: String,
    pub text: String,
    pub failed: bool,
}

/// One side's say. `raw` is the message as its wire has it, without cache marks.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    User { results: Vec<Outcome>, text: String },
    Assistant { text: String, calls: Vec<Call>, raw: Value },
}

/// What a request said so far; begins and ends with the user.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    pub steps: Vec<Step>,
}

impl Talk {
    /// Returns every call id in order.
    pub fn call_ids(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|step| {
            match step {
                Step::Assistant { calls, .. } => calls.as_slice(),
                Step::User { .. } => &[],
            }
            .iter()
            .map(|call| call.id.as_str())
        })
    }
}

/// A part of a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text for people.
    Text(String),
    /// Thinking with its signature; reasoning text in Chat Completions.
    Thinking { text: String, signature: String },
    /// A block of a type that clients may not know; Anthropic's wire alone.
    Block(Value),
    /// A tool call.
    Call { name: String, input: Value },
    /// A tool call whose arguments are this text, which is no JSON object.
    Broken { name: String, text: String },
    /// A refusal in the wire's own form.
    Refusal(String),
}

/// Why a reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    EndTurn,
    ToolUse,
    MaxTokens,
    Refusal,
}

/// What the model says next.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub parts: Vec<Part>,
    pub stop: Stop,
    /// Milliseconds over which the stream is spread.
    pub pace_ms: u64,
}

impl Reply {
    /// Makes a final text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { parts: vec![Part::Text(text.into())], stop: Stop::EndTurn, pace_ms: 0 }
    }

    /// Makes a reply of a text and calls.
    pub fn calls(text: &str, calls: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        let calls = calls.into_iter().map(|(name, input)| Part::Call { name: name.into(), input });
        let parts = std::iter::once(Part::Text(text.into())).chain(calls).collect();
        Self { parts, stop: Stop::ToolUse, pace_ms: 0 }
    }

    /// Returns all text, joined.
    pub fn joined_text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Reports whether nothing in it could be sent back.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}
