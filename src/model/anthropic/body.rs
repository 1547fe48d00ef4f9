//! The question in the wire format of the Messages API.
//!
//! The bytes of everything before the last turns are the same in each turn and for every sibling
//! agent, so the provider's prompt cache holds. What ends a cached prefix is marked: the system
//! block (behind the tools), and the last block of the last two user messages: the newest one
//! writes the cache, the one before was written a turn ago and is found again even when more than
//! 20 blocks (the API's look-back) lie between. That is three marks of the four that are allowed.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::WIRE;
use crate::model::{Message, Reply, Request, ToolResult, ToolSpec};

/// What a reply may have when the request sets no limit.
const MAX_TOKENS: u32 = 32_000;
/// The same for the third generation, which rejects more.
const MAX_TOKENS_CLAUDE_3: u32 = 8192;
/// What stands for a message that has nothing to say, as the API takes no empty ones.
const NOTHING: &str = "(nothing)";

/// A request body; borrows the conversation.
#[derive(Serialize)]
pub struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[Block<'a>; 1]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tools: &'a [ToolSpec],
    messages: Vec<Turn<'a>>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Verbatim(&'a Value),
    Blocks(Vec<Block<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, Value>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
}

#[derive(Clone, Copy, Serialize)]
#[serde(tag = "type", rename = "ephemeral")]
struct Mark {}

impl<'a> Body<'a> {
    /// Writes `request` for `model`.
    pub fn new(model: &'a str, request: &'a Request) -> Self {
        let default = if model.contains("claude-3") { MAX_TOKENS_CLAUDE_3 } else { MAX_TOKENS };
        let mut messages: Vec<Turn<'a>> = request.messages.iter().map(Turn::new).collect();
        messages.iter_mut().rev().filter_map(Turn::last_user_block).take(2).for_each(Block::mark);
        let system = (!request.system.trim().is_empty()).then(|| {
            let mut block = Block::text(&request.system);
            block.mark();
            [block]
        });
        Self {
            model,
            max_tokens: request.max_output_tokens.unwrap_or(default),
            stream: true,
            system,
            tools: &request.tools,
            messages,
        }
    }

    /// Returns the bytes to send.
    pub fn bytes(&self) -> Vec<u8> {
        // Strings and JSON values always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl<'a> Turn<'a> {
    fn new(message: &'a Message) -> Self {
        match message {
            Message::User { results, texts } => {
                let results = results.iter().map(Block::result);
                let texts = texts.iter().filter(|text| !text.trim().is_empty());
                let blocks = results.chain(texts.map(|text| Block::text(text))).collect();
                Self { role: "user", content: Content::or_nothing(blocks) }
            }
            Message::Assistant(reply) => {
                let verbatim = reply.wire_format == WIRE && says_something(&reply.wire);
                let content = if verbatim {
                    Content::Verbatim(&reply.wire)
                } else {
                    Content::or_nothing(rebuilt(reply))
                };
                Self { role: "assistant", content }
            }
        }
    }

    fn last_user_block(&mut self) -> Option<&mut Block<'a>> {
        match &mut self.content {
            Content::Blocks(blocks) if self.role == "user" => blocks.last_mut(),
            _ => None,
        }
    }
}

impl<'a> Content<'a> {
    fn or_nothing(blocks: Vec<Block<'a>>) -> Self {
        Self::Blocks(if blocks.is_empty() { vec![Block::text(NOTHING)] } else { blocks })
    }
}

impl<'a> Block<'a> {
    fn text(text: &'a str) -> Self {
        Self::Text { text, cache_control: None }
    }

    fn result(result: &'a ToolResult) -> Self {
        Self::ToolResult {
            tool_use_id: wire_id(&result.id),
            content: &result.content,
            is_error: result.is_error,
            cache_control: None,
        }
    }

    fn mark(&mut self) {
        if let Self::Text { cache_control, .. } | Self::ToolResult { cache_control, .. } = self {
            *cache_control = Some(Mark {});
        }
    }
}

/// Writes the reply of another provider's model.
fn rebuilt(reply: &Reply) -> Vec<Block<'_>> {
    let text = (!reply.text.trim().is_empty()).then(|| Block::text(&reply.text));
    let calls = reply.calls.iter().map(|call| Block::ToolUse {
        id: wire_id(&call.id),
        name: &call.name,
        input: match &call.input {
            Ok(input) => Cow::Borrowed(input),
            Err(text) => Cow::Owned(broken_input(text)),
        },
    });
    text.into_iter().chain(calls).collect()
}

/// Returns the object that stands for arguments that are none: the API takes nothing else, and the
/// model has to see what it wrote. The key is the one that Anthropic's documentation proposes.
pub fn broken_input(text: &str) -> Value {
    json!({ "INVALID_JSON": text })
}

/// Thinking alone cannot be sent back: the API wants something said or called after it.
fn says_something(wire: &Value) -> bool {
    let is_thought = |block: &Value| {
        matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking") | None)
    };
    wire.as_array().is_some_and(|blocks| !blocks.iter().all(is_thought))
}

/// The API takes only these characters; ids of its own are never changed.
fn wire_id(id: &str) -> Cow<'_, str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.chars().all(is_allowed) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(id.chars().map(|c| if is_allowed(c) { c } else { '_' }).collect())
}
