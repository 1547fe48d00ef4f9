//! The question in the wire format of Chat Completions.
//!
//! Results come first, one `tool` message per call, as servers take nothing between a call and its
//! result; the texts of the turn follow as one user message. Earlier messages are written with
//! the same bytes in each turn, so automatic prompt caches hold.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Rejects, WIRE};
use crate::model::{Message, Reply, Request, ToolCall, ToolResult, ToolSpec};

/// What stands for a message that has nothing to say: servers differ in what they make of none.
const NOTHING: &str = "(nothing)";

/// A request body; borrows the conversation.
#[derive(Serialize)]
pub struct Body<'a> {
    model: &'a str,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct Tool<'a> {
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

/// One message on the wire; one of ours makes several.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Verbatim(&'a Value),
    Rebuilt(Value),
    Said { role: &'static str, content: Cow<'a, str> },
    Result { role: &'static str, tool_call_id: &'a str, content: Cow<'a, str> },
}

impl<'a> Body<'a> {
    /// Writes `request` for `model`, without what the server has rejected.
    pub(super) fn new(model: &'a str, request: &'a Request, rejects: &Rejects) -> Self {
        let rejects_options = rejects.stream_options.load(Ordering::Relaxed);
        let is_old = rejects.max_completion_tokens.load(Ordering::Relaxed);
        let mut messages = Vec::with_capacity(request.messages.len() + 1);
        if !request.system.trim().is_empty() {
            messages.push(Entry::said("system", &*request.system));
        }
        for message in &request.messages {
            match message {
                Message::User { results, texts } => {
                    messages.extend(results.iter().map(Entry::result));
                    messages.extend(Entry::user(texts, results.is_empty()));
                }
                Message::Assistant(reply) => messages.push(Entry::reply(reply)),
            }
        }
        Self {
            model,
            stream: true,
            stream_options: (!rejects_options).then_some(StreamOptions { include_usage: true }),
            max_completion_tokens: request.max_output_tokens.filter(|_| !is_old),
            max_tokens: request.max_output_tokens.filter(|_| is_old),
            tools: request.tools.iter().map(Tool::new).collect(),
            messages,
        }
    }

    /// Returns the bytes to send.
    pub fn bytes(&self) -> Vec<u8> {
        // Strings and JSON values always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl<'a> Tool<'a> {
    fn new(tool: &'a ToolSpec) -> Self {
        let ToolSpec { name, description, input_schema } = tool;
        Self { function: Function { name, description, parameters: input_schema } }
    }
}

impl<'a> Entry<'a> {
    fn said(role: &'static str, content: impl Into<Cow<'a, str>>) -> Self {
        Self::Said { role, content: content.into() }
    }

    /// One string, as many servers take no list of parts.
    fn user(texts: &'a [String], must_speak: bool) -> Option<Self> {
        match texts {
            [] => must_speak.then(|| Self::said("user", NOTHING)),
            [text] => Some(Self::said("user", text.as_str())),
            texts => Some(Self::said("user", texts.join("\n\n"))),
        }
    }

    /// The format has no flag for failure, so the text says it.
    fn result(result: &'a ToolResult) -> Self {
        let content = if result.is_error {
            Cow::Owned(format!("Error: {}", result.content))
        } else {
            Cow::Borrowed(result.content.as_str())
        };
        Self::Result { role: "tool", tool_call_id: &result.id, content }
    }

    fn reply(reply: &'a Reply) -> Self {
        if reply.is_empty() {
            return Self::said("assistant", NOTHING);
        }
        if reply.wire_format == WIRE && reply.wire.is_object() {
            return Self::Verbatim(&reply.wire);
        }
        let text = (!reply.text.is_empty()).then_some(reply.text.as_str());
        let mut message = json!({ "role": "assistant", "content": text });
        if !reply.calls.is_empty() {
            message["tool_calls"] = reply.calls.iter().map(call).collect();
        }
        Self::Rebuilt(message)
    }
}

fn call(call: &ToolCall) -> Value {
    let arguments = match &call.input {
        Ok(input) => input.to_string(),
        Err(text) => broken_arguments(text),
    };
    json!({
        "id": call.id,
        "type": "function",
        "function": { "name": call.name, "arguments": arguments },
    })
}

/// Returns the arguments that stand for text that is no JSON object: many servers parse what is
/// sent back and fail on it, and the model has to see what it wrote.
pub(super) fn broken_arguments(text: &str) -> String {
    json!({ "INVALID_JSON": text }).to_string()
}
