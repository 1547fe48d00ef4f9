//! The question in the wire format of the Responses API.
//!
//! A conversation is a flat list of items: what the user says, the items of earlier replies as they
//! came, and one `function_call_output` for each call. Earlier items are written with the same
//! bytes in each turn, so automatic prompt caches hold.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::WIRE;
use crate::media::Media;
use crate::model::capability::Profile;
use crate::model::form::{Form, Part};
use crate::model::openai::broken_arguments;
use crate::model::shown::{Eyes, data_uri};
use crate::model::{Message, Reply, Request, ToolCall, ToolResult, ToolSpec, format};

/// What stands for a message that has nothing to say.
const NOTHING: &str = "(nothing)";

/// A request body; borrows the conversation.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    stream: bool,
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    input: Vec<Cow<'a, Value>>,
}

#[derive(Serialize)]
struct Reasoning {
    effort: &'static str,
}

/// The one tool to call.
#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct Choice<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
    /// The API's own default would refuse most schemas.
    strict: bool,
}

impl<'a> Body<'a> {
    /// Writes `request` for `model`, of which `profile` is known, as `form` says.
    pub(super) fn new(model: &'a str, profile: &Profile, request: &'a Request, form: Form) -> Self {
        let effort = profile.effort(request.effort).filter(|_| form.has(Part::Effort));
        let schema = request.format.as_deref().filter(|_| form.has(Part::Format));
        let tool = request.must_call.as_deref().filter(|_| form.has(Part::MustCall));
        let eyes = Eyes::new(profile.capabilities, form);
        let mut input = Vec::with_capacity(request.messages.len());
        for message in &request.messages {
            match message {
                Message::User { results, texts } => {
                    input.extend(results.iter().map(|result| Cow::Owned(output(result, eyes))));
                    input.extend(user(texts, results.is_empty()).map(Cow::Owned));
                }
                Message::Assistant(reply) => add_reply(&mut input, reply, form),
            }
        }
        Self {
            model,
            stream: true,
            store: false,
            include: form.has(Part::Encrypted).then_some(["reasoning.encrypted_content"]),
            max_output_tokens: form.limit(request.max_output_tokens),
            reasoning: effort.map(|effort| Reasoning { effort: effort.as_str() }),
            text: schema.map(|schema| text_format(schema, form)),
            tool_choice: tool.map(|name| Choice { name }),
            instructions: Some(&*request.system).filter(|system| !system.trim().is_empty()),
            tools: request.tools.iter().map(Tool::new).collect(),
            input,
        }
    }

    /// Returns the bytes to send.
    pub(super) fn bytes(&self) -> Vec<u8> {
        // Strings and JSON values always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl<'a> Tool<'a> {
    fn new(tool: &'a ToolSpec) -> Self {
        let ToolSpec { name, description, input_schema } = tool;
        Self { name, description, parameters: input_schema, strict: false }
    }
}

fn text_format(schema: &Value, form: Form) -> Value {
    let mut format = format::for_openai(schema, form.has(Part::Strict));
    format["type"] = "json_schema".into();
    json!({ "format": format })
}

fn user(texts: &[String], must_speak: bool) -> Option<Value> {
    let part = |text: &str| json!({ "type": "input_text", "text": text });
    let parts: Vec<Value> =
        texts.iter().filter(|text| !text.trim().is_empty()).map(|text| part(text)).collect();
    let parts = if parts.is_empty() && must_speak { vec![part(NOTHING)] } else { parts };
    (!parts.is_empty()).then(|| json!({ "type": "message", "role": "user", "content": parts }))
}

/// The format has no flag for failure, so the text says it.
fn output(result: &ToolResult, eyes: Eyes) -> Value {
    let text = eyes.text(result);
    let text = if result.is_error { Cow::Owned(format!("Error: {text}")) } else { text };
    let mut shown = eyes.seen(result).map(part).peekable();
    let output = if shown.peek().is_some() {
        let text =
            (!text.is_empty()).then(|| json!({ "type": "input_text", "text": text.as_ref() }));
        text.into_iter().chain(shown).collect()
    } else {
        Value::from(text.as_ref())
    };
    json!({ "type": "function_call_output", "call_id": result.id, "output": output })
}

fn part(media: &Media) -> Value {
    let uri = data_uri(media);
    if media.is_document() {
        json!({ "type": "input_file", "filename": "document.pdf", "file_data": uri })
    } else {
        json!({ "type": "input_image", "image_url": uri })
    }
}

/// Thoughts alone cannot be sent back: the API wants the item that followed them.
fn add_reply<'a>(input: &mut Vec<Cow<'a, Value>>, reply: &'a Reply, form: Form) {
    let is_thought = |item: &&Value| item["type"] == "reasoning";
    let items: Vec<&Value> = match &reply.wire {
        Value::Array(items) if reply.wire_format == WIRE => items.iter().collect(),
        _ => Vec::new(),
    };
    if items.iter().all(is_thought) {
        return input.extend(rebuilt(reply).into_iter().map(Cow::Owned));
    }
    let goes_back = |item: &&Value| !is_thought(item) || (form.has(Part::Thoughts) && holds(item));
    input.extend(items.into_iter().filter(goes_back).map(Cow::Borrowed));
}

/// A thought that is only an id is nowhere to be found, as nothing is stored.
fn holds(thought: &Value) -> bool {
    thought["encrypted_content"].is_string()
        || thought["content"].as_array().is_some_and(|content| !content.is_empty())
}

/// Writes the reply of another provider's model, or one that said nothing.
fn rebuilt(reply: &Reply) -> Vec<Value> {
    let says = |text: &str| {
        let content = json!([{ "type": "output_text", "text": text, "annotations": [] }]);
        json!({ "type": "message", "role": "assistant", "content": content })
    };
    if reply.is_empty() {
        return vec![says(NOTHING)];
    }
    let text = (!reply.text.trim().is_empty()).then(|| says(&reply.text));
    text.into_iter().chain(reply.calls.iter().map(call)).collect()
}

fn call(call: &ToolCall) -> Value {
    let arguments = match &call.input {
        Ok(input) => input.to_string(),
        Err(text) => broken_arguments(text),
    };
    json!({
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": arguments,
    })
}
