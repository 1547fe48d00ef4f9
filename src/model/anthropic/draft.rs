//! An answer of the Messages API while it grows.
//!
//! Blocks are kept as they came: a delta adds to the fields of its block that it names, whatever
//! kind of block that is, so kinds that this version does not know survive. Unknown events are
//! ignored. Arguments of calls are read once, when the message is whole.

use serde_json::{Map, Value};

use super::WIRE;
use super::body::broken_input;
use crate::model::call_id::CallIds;
use crate::model::fault::Trouble;
use crate::model::rate::RateLimits;
use crate::model::{Chunk, Reply, StopReason, ToolCall, Usage};

/// What has come so far.
#[derive(Debug, Default)]
pub struct Draft {
    blocks: Vec<Block>,
    usage: Usage,
    stop: Option<String>,
    is_whole: bool,
}

#[derive(Debug)]
struct Block {
    index: u64,
    fields: Map<String, Value>,
    /// The JSON text of `input`, as far as it came.
    input: String,
}

impl Draft {
    /// Reports whether the final event was seen.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Returns the tokens that were counted so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Takes the data of one event, or a message in one piece.
    pub fn take(&mut self, data: &str) -> Result<Option<Chunk>, Trouble> {
        let mut event: Value = serde_json::from_str(data)
            .map_err(|_| Trouble::Broken("holds an event that is no JSON"))?;
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => self.count(&event["message"]["usage"]),
            "message" => self.take_whole(event)?,
            "content_block_start" => {
                let block = event["content_block"].take();
                return self.start(event["index"].as_u64(), block);
            }
            "content_block_delta" => {
                let delta = event["delta"].take();
                return self.extend(event["index"].as_u64(), delta);
            }
            "message_delta" => {
                self.count(&event["usage"]);
                if let Some(stop) = event["delta"]["stop_reason"].as_str() {
                    self.stop = Some(stop.to_owned());
                }
            }
            "message_stop" => self.is_whole = true,
            "error" => return Err(Trouble::Refused(event)),
            _ => {}
        }
        Ok(None)
    }

    fn take_whole(&mut self, mut message: Value) -> Result<(), Trouble> {
        self.count(&message["usage"]);
        self.stop = message["stop_reason"].as_str().map(str::to_owned);
        let Value::Array(blocks) = message["content"].take() else {
            return Err(Trouble::Broken("is a message without content"));
        };
        for (index, block) in (0..).zip(blocks) {
            self.start(Some(index), block)?;
        }
        self.is_whole = true;
        Ok(())
    }

    /// Counts are cumulative, and some gateways give them only at the end or as 0 there.
    fn count(&mut self, usage: &Value) {
        let usage_fields = [
            ("input_tokens", &mut self.usage.input_tokens),
            ("output_tokens", &mut self.usage.output_tokens),
            ("cache_read_input_tokens", &mut self.usage.cache_read_input_tokens),
            ("cache_creation_input_tokens", &mut self.usage.cache_creation_input_tokens),
        ];
        for (name, count) in usage_fields {
            *count = (*count).max(usage[name].as_u64().unwrap_or(0));
        }
    }

    fn start(&mut self, index: Option<u64>, block: Value) -> Result<Option<Chunk>, Trouble> {
        let (Some(index), Value::Object(fields)) = (index, block) else {
            return Err(Trouble::Broken("begins a block that is none"));
        };
        let text_of = |field: &str| fields.get(field).and_then(Value::as_str);
        let chunk = match text_of("type") {
            Some("tool_use") => text_of("name").map(|name| Chunk::Call(name.to_owned())),
            Some("text") => text_of("text").and_then(text_chunk),
            _ => None,
        };
        self.blocks.push(Block { index, fields, input: String::new() });
        Ok(chunk)
    }

    fn extend(&mut self, index: Option<u64>, delta: Value) -> Result<Option<Chunk>, Trouble> {
        let block = self.blocks.iter_mut().rev().find(|block| Some(block.index) == index);
        let (Some(block), Value::Object(mut delta)) = (block, delta) else {
            return Err(Trouble::Broken("goes on with a block that never began"));
        };
        let kind = delta.shift_remove("type");
        let kind = kind.as_ref().and_then(Value::as_str);
        match kind {
            Some("input_json_delta") => {
                let json = delta.get("partial_json").and_then(Value::as_str);
                block.input.push_str(json.unwrap_or_default());
                return Ok(None);
            }
            Some("citations_delta") => {
                let citation = delta.shift_remove("citation").unwrap_or_default();
                delta.insert("citations".to_owned(), Value::Array(vec![citation]));
            }
            _ => {}
        }
        let chunk = match delta.get("text") {
            Some(Value::String(text)) if kind == Some("text_delta") => text_chunk(text),
            _ => None,
        };
        merge(&mut block.fields, delta);
        Ok(chunk)
    }

    /// Makes the reply of a whole message.
    pub fn into_reply(self, limits: RateLimits, ids: &mut CallIds) -> Reply {
        let stop = self.stop.as_deref().map(stop_reason);
        let mut reply = Reply {
            text: String::new(),
            calls: Vec::new(),
            stop: StopReason::EndTurn,
            usage: self.usage,
            wire: Value::Null,
            wire_format: WIRE,
            limits,
        };
        let mut wire = Vec::with_capacity(self.blocks.len());
        let mut was_text = true;
        let last = self.blocks.len().saturating_sub(1);
        for (place, block) in self.blocks.into_iter().enumerate() {
            let is_text = block.is("text");
            // The API writes blank text blocks and does not take them back.
            if is_text && block.text().trim().is_empty() {
                continue;
            }
            if is_text && !was_text && !reply.text.is_empty() {
                reply.text.push_str("\n\n");
            }
            was_text = is_text;
            if is_text {
                reply.text.push_str(block.text());
            }
            let is_cut = place == last && stop.as_ref().is_some_and(StopReason::cuts_calls);
            let (fields, call) = block.into_parts(is_cut.then_some(stop.as_ref()).flatten(), ids);
            wire.push(Value::Object(fields));
            reply.calls.extend(call);
        }
        let calls = !reply.calls.is_empty();
        let inferred = if calls { StopReason::ToolUse } else { StopReason::EndTurn };
        reply.stop = stop.unwrap_or(inferred);
        reply.wire = Value::Array(wire);
        reply
    }
}

impl Block {
    fn is(&self, kind: &str) -> bool {
        self.fields.get("type").and_then(Value::as_str) == Some(kind)
    }

    fn text(&self) -> &str {
        self.fields.get("text").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the block as it goes back to the API and, of a call, what there is to run.
    fn into_parts(
        mut self,
        cut_by: Option<&StopReason>,
        ids: &mut CallIds,
    ) -> (Map<String, Value>, Option<ToolCall>) {
        let is_call = self.is("tool_use");
        let mut input = Ok(self.fields.get("input").cloned().unwrap_or_default());
        if !self.input.is_empty() {
            input = serde_json::from_str(&self.input).map_err(|_| self.input);
        }
        let mut input = match input {
            Ok(Value::Null) if is_call => Ok(Value::Object(Map::new())),
            Ok(other) if is_call && !other.is_object() => Err(other.to_string()),
            input => input,
        };
        match &input {
            Ok(Value::Null) => {}
            Ok(value) => drop(self.fields.insert("input".to_owned(), value.clone())),
            Err(text) => drop(self.fields.insert("input".to_owned(), broken_input(text))),
        }
        if !is_call {
            return (self.fields, None);
        }
        if let Some(stop) = cut_by {
            input = Err(stop.cut_note());
        }
        let text_of = |field: &str| self.fields.get(field).and_then(Value::as_str);
        let id = ids.claim(text_of("id").unwrap_or_default());
        let name = text_of("name").unwrap_or_default().to_owned();
        self.fields.insert("id".to_owned(), Value::String(id.clone()));
        (self.fields, Some(ToolCall { id, name, input }))
    }
}

fn text_chunk(text: &str) -> Option<Chunk> {
    (!text.is_empty()).then(|| Chunk::Text(text.to_owned()))
}

/// Adds strings to strings and lists to lists; anything else replaces.
fn merge(fields: &mut Map<String, Value>, delta: Map<String, Value>) {
    for (name, more) in delta {
        match (fields.get_mut(&name), more) {
            (Some(Value::String(text)), Value::String(more)) => text.push_str(&more),
            (Some(Value::Array(list)), Value::Array(more)) => list.extend(more),
            (Some(_), Value::Null) => {}
            (_, more) => drop(fields.insert(name, more)),
        }
    }
}

fn stop_reason(word: &str) -> StopReason {
    match word {
        "end_turn" | "stop_sequence" => StopReason::EndTurn,
        "tool_use" => StopReason::ToolUse,
        "max_tokens" => StopReason::MaxTokens,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::PauseTurn,
        "model_context_window_exceeded" => StopReason::ContextOverflow,
        other => StopReason::Other(other.to_owned()),
    }
}
