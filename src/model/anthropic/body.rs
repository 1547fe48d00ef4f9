//! The question in the wire format of the Messages API.
//!
//! The bytes of everything before the last turns are the same in each turn and for every sibling
//! agent, so the provider's prompt cache holds. What ends a cached prefix is marked: the system
//! block (behind the tools), and the last block of the last two user messages: the newest one
//! writes the cache, the one before was written a turn ago and is found again even when more than
//! 20 blocks (the API's look-back) lie between. That is three marks of the four that are allowed;
//! a turn of many calls needs no more, as every request ends at a mark and the next one has a mark
//! at the same place.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::WIRE;
use crate::media::Media;
use crate::model::capability::{Profile, Thinking};
use crate::model::form::{Form, Part};
use crate::model::shown::{Eyes, base64};
use crate::model::{Effort, Message, Reply, Request, ToolResult, ToolSpec, format};

/// What stands for a message that has nothing to say, as the API takes no empty ones.
const NOTHING: &str = "(nothing)";

/// A request body; borrows the conversation.
#[derive(Serialize)]
pub struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Adaptive>,
    #[serde(skip_serializing_if = "Output::is_empty")]
    output_config: Output,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[Block<'a>; 1]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tools: &'a [ToolSpec],
    messages: Vec<Turn<'a>>,
}

/// Thinks as it sees fit.
#[derive(Serialize)]
#[serde(tag = "type", rename = "adaptive")]
struct Adaptive {}

/// What the reply has to be like.
#[derive(Default, Serialize)]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
}

impl Output {
    fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "json_schema")]
struct Format {
    schema: Value,
}

/// The one tool to call.
#[derive(Serialize)]
#[serde(tag = "type", rename = "tool")]
struct Choice<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Verbatim(Cow<'a, Value>),
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
        content: Told<'a>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
}

/// What a result says: a text, or parts where it shows something too.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Piece<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece<'a> {
    Text { text: Cow<'a, str> },
    Image { source: Source },
    Document { source: Source },
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "base64")]
struct Source {
    media_type: &'static str,
    data: String,
}

#[derive(Clone, Copy, Serialize)]
#[serde(tag = "type", rename = "ephemeral")]
struct Mark {}

impl<'a> Body<'a> {
    /// Writes `request` for `model`, of which `profile` is known, as `form` says.
    pub(super) fn new(model: &'a str, profile: &Profile, request: &'a Request, form: Form) -> Self {
        let eyes = Eyes::new(profile.capabilities, form);
        let write = |message| Turn::new(message, eyes, form.has(Part::Thoughts));
        let mut messages: Vec<Turn<'a>> = request.messages.iter().map(write).collect();
        messages.iter_mut().rev().filter_map(Turn::last_user_block).take(2).for_each(Block::mark);
        let system = (!request.system.trim().is_empty()).then(|| {
            let mut block = Block::text(&request.system);
            block.mark();
            [block]
        });
        let effort = profile.effort(request.effort).filter(|_| form.has(Part::Effort));
        let thinks = effort.is_some() && profile.thinking == Thinking::WhenTold;
        let schema = request.format.as_deref().filter(|_| form.has(Part::Format));
        let tool = request.must_call.as_deref().filter(|_| form.has(Part::MustCall));
        let usual = profile.capabilities.reply_limit(request.max_output_tokens, effort);
        Self {
            model,
            max_tokens: form.limit(Some(usual)).unwrap_or(usual),
            stream: true,
            thinking: thinks.then_some(Adaptive {}),
            output_config: Output {
                effort: effort.map(Effort::as_str),
                format: schema.and_then(format::enforceable).map(|schema| Format { schema }),
            },
            tool_choice: tool.map(|name| Choice { name }),
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
    fn new(message: &'a Message, eyes: Eyes, thinks: bool) -> Self {
        match message {
            Message::User { results, texts } => {
                let results = results.iter().map(|result| Block::result(result, eyes));
                let texts = texts.iter().filter(|text| !text.trim().is_empty());
                let blocks = results.chain(texts.map(|text| Block::text(text))).collect();
                Self { role: "user", content: Content::or_nothing(blocks) }
            }
            Message::Assistant(reply) => {
                let verbatim = reply.wire_format == WIRE && says_something(&reply.wire);
                let content = if verbatim {
                    Content::Verbatim(if thinks {
                        Cow::Borrowed(&reply.wire)
                    } else {
                        Cow::Owned(without_thoughts(&reply.wire))
                    })
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

    fn result(result: &'a ToolResult, eyes: Eyes) -> Self {
        // A failed call may say text only.
        let eyes = if result.is_error { Eyes::CLOSED } else { eyes };
        let text = eyes.text(result);
        let mut shown = eyes.seen(result).map(Piece::new).peekable();
        let content = if shown.peek().is_some() {
            let text = (!text.trim().is_empty()).then_some(Piece::Text { text });
            Told::Parts(text.into_iter().chain(shown).collect())
        } else if result.is_error && text.is_empty() {
            // Nor may it say nothing.
            Told::Text(Cow::Borrowed(NOTHING))
        } else {
            Told::Text(text)
        };
        Self::ToolResult {
            tool_use_id: wire_id(&result.id),
            content,
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

impl Piece<'_> {
    fn new(media: &Media) -> Self {
        let source = Source { media_type: media.media_type, data: base64(media) };
        if media.is_document() { Self::Document { source } } else { Self::Image { source } }
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
    wire.as_array().is_some_and(|blocks| !blocks.iter().all(is_thought))
}

fn is_thought(block: &Value) -> bool {
    matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking") | None)
}

/// Thoughts are signed for the model that had them; another one refuses them.
fn without_thoughts(wire: &Value) -> Value {
    let blocks = wire.as_array().into_iter().flatten();
    blocks.filter(|block| !is_thought(block)).cloned().collect()
}

/// The API takes only these characters; ids of its own are never changed.
fn wire_id(id: &str) -> Cow<'_, str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.chars().all(is_allowed) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(id.chars().map(|c| if is_allowed(c) { c } else { '_' }).collect())
}
