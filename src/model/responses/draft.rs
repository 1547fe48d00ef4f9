//! An answer of the Responses API while it grows.
//!
//! What counts are whole items, and the last event, which repeats all of them; deltas are for
//! display. Items of unknown kinds are kept, unknown events are ignored.

use serde_json::Value;

use super::WIRE;
use crate::model::call_id::CallIds;
use crate::model::fault::Trouble;
use crate::model::openai::{broken_arguments, read};
use crate::model::rate::RateLimits;
use crate::model::{Chunk, Reply, StopReason, ToolCall, Usage};

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    items: Vec<Value>,
    usage: Usage,
    /// Why it is not complete, of one that is over all the same.
    incomplete: Option<String>,
    is_whole: bool,
}

impl Draft {
    /// Reports whether the final event was seen.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Returns the tokens that were counted so far.
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Takes the data of one event, or a response in one piece.
    pub(super) fn take(&mut self, data: &str) -> Result<Option<Chunk>, Trouble> {
        let mut event: Value = serde_json::from_str(data)
            .map_err(|_| Trouble::Broken("holds an event that is no JSON"))?;
        let kind = event["type"].as_str().unwrap_or_default();
        match kind {
            "response.output_item.added" if event["item"]["type"] == "function_call" => {
                let name = event["item"]["name"].as_str();
                return Ok(name.map(|name| Chunk::Call(name.to_owned())));
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                let text = event["delta"].as_str().filter(|text| !text.is_empty());
                return Ok(text.map(|text| Chunk::Text(text.to_owned())));
            }
            "response.output_item.done" if event["item"].is_object() => {
                self.items.push(event["item"].take());
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                let response = event["response"].take();
                return self.finish(response).map(|()| None);
            }
            "error" => return Err(Trouble::Refused(event)),
            _ if event["object"] == "response" => return self.finish(event).map(|()| None),
            _ => {}
        }
        Ok(None)
    }

    fn finish(&mut self, mut response: Value) -> Result<(), Trouble> {
        self.count(&response["usage"]);
        if response["status"] == "failed" || !response["error"].is_null() {
            return Err(Trouble::Refused(response));
        }
        if response["status"] == "incomplete" {
            let reason = response["incomplete_details"]["reason"].as_str().unwrap_or("incomplete");
            self.incomplete = Some(reason.to_owned());
        }
        // Some send items in the end alone, and some do not repeat them there.
        if let Some(Value::Array(items)) = response.get_mut("output").map(Value::take)
            && items.len() > self.items.len()
        {
            self.items = items;
        }
        self.is_whole = true;
        Ok(())
    }

    /// Translates to Anthropic's meaning: there cached tokens are counted within the input.
    fn count(&mut self, usage: &Value) {
        let input = usage["input_tokens"].as_u64().unwrap_or(0);
        let cached = usage["input_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0);
        self.usage = Usage {
            input_tokens: input.saturating_sub(cached),
            output_tokens: usage["output_tokens"].as_u64().unwrap_or(0),
            cache_read_input_tokens: cached,
            cache_creation_input_tokens: 0,
        };
    }

    /// Makes the reply of a whole response.
    pub(super) fn into_reply(mut self, limits: RateLimits, ids: &mut CallIds) -> Reply {
        let (mut texts, mut calls) = (Vec::new(), Vec::new());
        let mut refused = false;
        let mut cut_last = false;
        for item in &mut self.items {
            cut_last = false;
            match item["type"].as_str() {
                Some("message") => {
                    for part in item["content"].as_array().into_iter().flatten() {
                        refused |= part["type"] == "refusal";
                        texts.extend(part["text"].as_str().or(part["refusal"].as_str()));
                    }
                }
                Some("function_call") => {
                    calls.push(take_call(item, ids));
                    cut_last = true;
                }
                _ => {}
            }
        }
        let text = texts.concat();
        let stop = match self.incomplete.as_deref() {
            Some("max_output_tokens") => StopReason::MaxTokens,
            Some("content_filter") => StopReason::Refusal,
            Some(other) => StopReason::Other(other.to_owned()),
            None if !calls.is_empty() => StopReason::ToolUse,
            None if refused => StopReason::Refusal,
            None => StopReason::EndTurn,
        };
        if let Some(last) = calls.last_mut().filter(|_| cut_last && stop.cuts_calls()) {
            last.input = Err(stop.cut_note());
        }
        let (wire, usage) = (Value::Array(self.items), self.usage);
        Reply { text, calls, stop, usage, wire, wire_format: WIRE, limits }
    }
}

/// Returns the call of an item, and mends what could not go back.
fn take_call(item: &mut Value, ids: &mut CallIds) -> ToolCall {
    let id = ids.claim(item["call_id"].as_str().unwrap_or_default());
    let name = item["name"].as_str().unwrap_or_default().to_owned();
    let input = match &item["arguments"] {
        Value::String(text) => read(text),
        Value::Null => read(""),
        whole => read(&whole.to_string()),
    };
    item["call_id"] = id.as_str().into();
    match &input {
        Ok(_) if item["arguments"].as_str().is_some_and(|text| !text.trim().is_empty()) => {}
        Ok(value) => item["arguments"] = value.to_string().into(),
        Err(text) => item["arguments"] = broken_arguments(text).into(),
    }
    ToolCall { id, name, input }
}
