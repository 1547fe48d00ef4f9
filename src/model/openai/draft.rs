//! An answer of Chat Completions while it grows.
//!
//! Fragments of calls are put together by `index`, and where that is missing by id and name. What
//! the reply is follows from the calls in it, not from `finish_reason`, which servers get wrong.
//! Reasoning is kept under the name it came with, because some servers want it back within the
//! tool loop.

use serde_json::{Map, Value, json};

use super::WIRE;
use super::body::broken_arguments;
use crate::model::call_id::CallIds;
use crate::model::fault::Trouble;
use crate::model::rate::RateLimits;
use crate::model::{Chunk, Reply, StopReason, ToolCall, Usage};

/// The names under which servers send reasoning.
pub(super) const REASONING: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_details"];

/// What has come so far.
#[derive(Debug, Default)]
pub struct Draft {
    text: String,
    refusal: String,
    reasoning: Map<String, Value>,
    calls: Vec<Call>,
    usage: Usage,
    finish: Option<String>,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    /// Fields beside the standard ones, such as Gemini's thought signatures.
    extra: Map<String, Value>,
}

impl Draft {
    /// Reports whether the reply is complete, though its usage may still come.
    pub fn is_whole(&self) -> bool {
        self.is_closed || self.finish.is_some()
    }

    /// Takes note of `[DONE]`.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Returns the tokens that were counted so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Takes the data of one event, or a completion in one piece.
    pub fn take(
        &mut self,
        data: &str,
        chunks: &(dyn Fn(Chunk) + Send + Sync),
    ) -> Result<(), Trouble> {
        let event: Value = serde_json::from_str(data)
            .map_err(|_| Trouble::Broken("holds an event that is no JSON"))?;
        let choice = &event["choices"][0];
        if event["object"] == "error" || !event["error"].is_null() {
            return Err(Trouble::Refused(event));
        }
        if !choice["error"].is_null() {
            return Err(Trouble::Refused(choice.clone()));
        }
        if event["usage"].is_object() {
            self.usage = usage(&event["usage"]);
        }
        if choice["finish_reason"] == "error" {
            return Err(Trouble::Broken("ended with an error"));
        }
        // Some servers send the whole message at once.
        let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        let text = content(&delta["content"]);
        if !text.is_empty() {
            self.text.push_str(&text);
            chunks(Chunk::Text(text));
        }
        self.refusal.push_str(delta["refusal"].as_str().unwrap_or_default());
        for name in REASONING {
            extend(&mut self.reasoning, name, &delta[name]);
        }
        for fragment in delta["tool_calls"].as_array().into_iter().flatten() {
            if let Some(name) = self.take_fragment(fragment) {
                chunks(Chunk::Call(name));
            }
        }
        if let Some(finish) = choice["finish_reason"].as_str().filter(|word| !word.is_empty()) {
            self.finish = Some(finish.to_owned());
        }
        Ok(())
    }

    /// Returns the name of a call that this fragment begins.
    fn take_fragment(&mut self, fragment: &Value) -> Option<String> {
        let index = fragment["index"].as_u64();
        let id = fragment["id"].as_str().unwrap_or_default();
        let function = &fragment["function"];
        let name = function["name"].as_str().unwrap_or_default();
        let arguments = match &function["arguments"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            whole => whole.to_string(),
        };
        let place = self.place(index, id, name, &arguments);
        let is_new = place.is_none();
        if is_new {
            self.calls.push(Call { index, ..Call::default() });
        }
        let place = place.unwrap_or(self.calls.len() - 1);
        let call = &mut self.calls[place];
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if call.name.is_empty() {
            name.clone_into(&mut call.name);
        }
        call.arguments.push_str(&arguments);
        for (field, value) in fragment.as_object().into_iter().flatten() {
            if !matches!(field.as_str(), "index" | "id" | "type" | "function") && !value.is_null() {
                call.extra.insert(field.clone(), value.clone());
            }
        }
        (is_new && !name.is_empty()).then(|| name.to_owned())
    }

    /// Finds the call that a fragment belongs to; `None` begins another one.
    fn place(&self, index: Option<u64>, id: &str, name: &str, arguments: &str) -> Option<usize> {
        let place = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index)?,
            None => self.calls.len().checked_sub(1)?,
        };
        let call = &self.calls[place];
        let is_named = !name.is_empty();
        let has_other_id = !id.is_empty() && !call.id.is_empty() && id != call.id;
        // A server that numbers every call 0 tells them apart by id.
        let is_other = is_named && has_other_id;
        // One that numbers none sends each call whole, or its name only once.
        let is_next = index.is_none()
            && is_named
            && (id.is_empty() || (!arguments.is_empty() && read(&call.arguments).is_ok()));
        (!is_other && !is_next).then_some(place)
    }

    /// Makes the reply of a whole message.
    pub fn into_reply(self, limits: RateLimits, ids: &mut CallIds) -> Reply {
        let stop = self.stop();
        let mut calls: Vec<ToolCall> = Vec::with_capacity(self.calls.len());
        let mut wire_calls = Vec::with_capacity(self.calls.len());
        for call in self.calls {
            let id = ids.claim(&call.id);
            let input = read(&call.arguments);
            let arguments = match &input {
                Ok(_) if call.arguments.trim().is_empty() => "{}".to_owned(),
                Ok(_) => call.arguments,
                Err(text) => broken_arguments(text),
            };
            let function = json!({ "name": call.name, "arguments": arguments });
            let mut wire = Map::new();
            wire.insert("id".to_owned(), id.as_str().into());
            wire.insert("type".to_owned(), "function".into());
            wire.insert("function".to_owned(), function);
            wire.extend(call.extra);
            wire_calls.push(Value::Object(wire));
            calls.push(ToolCall { id, name: call.name, input });
        }
        if let Some(last) = calls.last_mut().filter(|_| stop.cuts_calls()) {
            last.input = Err(stop.cut_note());
        }
        let text = if self.text.is_empty() { self.refusal } else { self.text };
        let content = if text.is_empty() { Value::Null } else { text.as_str().into() };
        let mut wire = Map::new();
        wire.insert("role".to_owned(), "assistant".into());
        wire.insert("content".to_owned(), content);
        wire.extend(self.reasoning);
        if !wire_calls.is_empty() {
            wire.insert("tool_calls".to_owned(), wire_calls.into());
        }
        let wire = Value::Object(wire);
        Reply { text, calls, stop, usage: self.usage, wire, wire_format: WIRE, limits }
    }

    fn stop(&self) -> StopReason {
        match self.finish.as_deref() {
            Some("length") => StopReason::MaxTokens,
            Some("content_filter") => StopReason::Refusal,
            // Mistral's word.
            Some("model_length") => StopReason::ContextOverflow,
            _ if !self.calls.is_empty() => StopReason::ToolUse,
            _ if !self.refusal.is_empty() => StopReason::Refusal,
            None | Some("stop" | "tool_calls" | "function_call") => StopReason::EndTurn,
            Some(other) => StopReason::Other(other.to_owned()),
        }
    }
}

/// Reads the arguments of a call: an object, or nothing for an empty one.
pub(in crate::model) fn read(arguments: &str) -> Result<Value, String> {
    if arguments.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let value = serde_json::from_str(arguments).ok().filter(Value::is_object);
    value.ok_or_else(|| arguments.to_owned())
}

/// Returns the text of a `content` that is a string or, with some servers, a list of parts.
fn content(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn extend(fields: &mut Map<String, Value>, name: &str, more: &Value) {
    match (fields.get_mut(name), more) {
        (_, Value::Null) => {}
        (Some(Value::String(text)), Value::String(more)) => text.push_str(more),
        (Some(Value::Array(list)), Value::Array(more)) => list.extend(more.iter().cloned()),
        (_, more) => drop(fields.insert(name.to_owned(), more.clone())),
    }
}

/// Translates to Anthropic's meaning: there cached tokens are counted within the prompt.
fn usage(usage: &Value) -> Usage {
    let prompt = usage["prompt_tokens"].as_u64().unwrap_or(0);
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64();
    // DeepSeek's name for it.
    let cached = cached.or_else(|| usage["prompt_cache_hit_tokens"].as_u64()).unwrap_or(0);
    Usage {
        input_tokens: prompt.saturating_sub(cached),
        output_tokens: usage["completion_tokens"].as_u64().unwrap_or(0),
        cache_read_input_tokens: cached,
        cache_creation_input_tokens: 0,
    }
}
