//! The question in the wire format of Chat Completions.
//!
//! Results come first, one `tool` message per call, as servers take nothing between a call and its
//! result; what they show, which a `tool` message cannot hold, and the texts of the turn follow as
//! one user message. Earlier messages are written with the same bytes in each turn, so automatic
//! prompt caches hold.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::WIRE;
use super::draft::REASONING;
use crate::media::Media;
use crate::model::capability::Profile;
use crate::model::form::{Form, Part};
use crate::model::shown::{Eyes, data_uri};
use crate::model::{Effort, Message, Reply, Request, ToolCall, ToolResult, ToolSpec, format};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
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
    /// Writes `request` for `model`, of which `profile` is known, as `form` says.
    pub(super) fn new(model: &'a str, profile: &Profile, request: &'a Request, form: Form) -> Self {
        let limit = form.limit(request.max_output_tokens);
        let has_new_limit = form.has(Part::NewLimit);
        let effort = profile.effort(request.effort).filter(|_| form.has(Part::Effort));
        let schema = request.format.as_deref().filter(|_| form.has(Part::Format));
        let tool = request.must_call.as_deref().filter(|_| form.has(Part::MustCall));
        Self {
            model,
            stream: true,
            stream_options: form.has(Part::Usage).then_some(StreamOptions { include_usage: true }),
            max_completion_tokens: limit.filter(|_| has_new_limit),
            max_tokens: limit.filter(|_| !has_new_limit),
            reasoning_effort: effort.map(Effort::as_str),
            response_format: schema.map(|schema| {
                let schema = format::for_openai(schema, form.has(Part::Strict));
                json!({ "type": "json_schema", "json_schema": schema })
            }),
            tool_choice: tool
                .map(|name| json!({ "type": "function", "function": { "name": name } })),
            tools: request.tools.iter().map(Tool::new).collect(),
            messages: entries(request, Eyes::new(profile.capabilities, form), form),
        }
    }

    /// Returns the bytes to send.
    pub fn bytes(&self) -> Vec<u8> {
        // Strings and JSON values always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn entries(request: &Request, eyes: Eyes, form: Form) -> Vec<Entry<'_>> {
    let mut entries = Vec::with_capacity(request.messages.len() + 1);
    let mut preface = None;
    if !request.system.trim().is_empty() {
        if form.has(Part::System) {
            entries.push(Entry::said("system", &*request.system));
        } else {
            preface = Some(&*request.system);
        }
    }
    for message in &request.messages {
        match message {
            Message::User { results, texts } => {
                entries.extend(results.iter().map(|result| Entry::result(result, eyes)));
                let texts: Vec<&str> =
                    preface.take().into_iter().chain(texts.iter().map(String::as_str)).collect();
                entries.extend(Entry::user(results, &texts, eyes));
            }
            Message::Assistant(reply) => {
                entries.push(Entry::reply(reply, form.has(Part::Thoughts)));
            }
        }
    }
    entries
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

    /// One string, as many servers take no list of parts; a list only where something is shown.
    fn user(results: &'a [ToolResult], texts: &[&'a str], eyes: Eyes) -> Option<Self> {
        let mut parts: Vec<Value> = Vec::new();
        for result in results {
            let mut shown = eyes.seen(result).map(part).peekable();
            if shown.peek().is_some() {
                let ToolResult { name, id, .. } = result;
                parts.push(
                    json!({ "type": "text", "text": format!("What `{name}` ({id}) shows:") }),
                );
                parts.extend(shown);
            }
        }
        if !parts.is_empty() {
            parts.extend(texts.iter().map(|text| json!({ "type": "text", "text": text })));
            return Some(Self::Rebuilt(json!({ "role": "user", "content": parts })));
        }
        match texts {
            [] => results.is_empty().then(|| Self::said("user", NOTHING)),
            [text] => Some(Self::said("user", *text)),
            texts => Some(Self::said("user", texts.join("\n\n"))),
        }
    }

    /// The format has no flag for failure, so the text says it.
    fn result(result: &'a ToolResult, eyes: Eyes) -> Self {
        let text = eyes.text(result);
        let content = if result.is_error { Cow::Owned(format!("Error: {text}")) } else { text };
        Self::Result { role: "tool", tool_call_id: &result.id, content }
    }

    fn reply(reply: &'a Reply, thinks: bool) -> Self {
        if reply.is_empty() {
            return Self::said("assistant", NOTHING);
        }
        if let (WIRE, Value::Object(fields)) = (reply.wire_format, &reply.wire) {
            if thinks {
                return Self::Verbatim(&reply.wire);
            }
            let mut fields = fields.clone();
            fields.retain(|name, _| !REASONING.contains(&name.as_str()));
            return Self::Rebuilt(Value::Object(fields));
        }
        let text = (!reply.text.is_empty()).then_some(reply.text.as_str());
        let mut message = json!({ "role": "assistant", "content": text });
        if !reply.calls.is_empty() {
            message["tool_calls"] = reply.calls.iter().map(call).collect();
        }
        Self::Rebuilt(message)
    }
}

fn part(media: &Media) -> Value {
    let uri = data_uri(media);
    if media.is_document() {
        json!({ "type": "file", "file": { "filename": "document.pdf", "file_data": uri } })
    } else {
        json!({ "type": "image_url", "image_url": { "url": uri } })
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
pub(in crate::model) fn broken_arguments(text: &str) -> String {
    json!({ "INVALID_JSON": text }).to_string()
}
