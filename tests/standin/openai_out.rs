//! Writes a reply as Chat Completions does, or with the quirks of servers that are compatible.
//!
//! Quirks: CRLF, comments, `index` missing, ids null, a call whole in one chunk, no `[DONE]`, no usage.

use serde_json::{Value, json};

use super::measure::Usage;
use super::out::{Envelope, Frame, FrameKind, split};
use super::talk::{Part, Reply, Stop};

/// The prefix of call ids.
pub const PREFIX: &str = "call";

fn finish_reason(reply: &Reply) -> &'static str {
    let refused = |part: &Part| matches!(part, Part::Refusal(_));
    match reply.stop {
        Stop::ToolUse => "tool_calls",
        Stop::MaxTokens => "length",
        Stop::Refusal if !reply.parts.iter().any(refused) => "content_filter",
        Stop::EndTurn | Stop::Refusal => "stop",
    }
}

fn usage(usage: &Usage, reasoning: u64) -> Value {
    let prompt = usage.input + usage.cache_read + usage.cache_creation;
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    })
}

fn reasoning(reply: &Reply) -> Option<&str> {
    reply.parts.iter().find_map(|part| match part {
        Part::Thinking { text, .. } => Some(text.as_str()),
        _ => None,
    })
}

fn reasoning_tokens(reply: &Reply) -> u64 {
    reasoning(reply).map_or(0, |text| text.len() as u64 / 4 + 1)
}

fn refusal(reply: &Reply) -> Option<&str> {
    reply.parts.iter().find_map(|part| match part {
        Part::Refusal(text) => Some(text.as_str()),
        _ => None,
    })
}

/// Returns name and arguments of each call.
fn calls<'a>(reply: &'a Reply) -> Vec<(&'a str, String)> {
    let call = |part: &'a Part| match part {
        Part::Call { name, input } => Some((name.as_str(), input.to_string())),
        Part::Broken { name, text } => Some((name.as_str(), text.clone())),
        _ => None,
    };
    reply.parts.iter().filter_map(call).collect()
}

/// Returns the fields of the message that a client has to send back.
pub fn content(reply: &Reply, envelope: &Envelope<'_>) -> Value {
    let text = reply.joined_text();
    let mut message = json!({"content": if text.is_empty() { Value::Null } else { json!(text) }});
    let calls: Vec<Value> = calls(reply)
        .into_iter()
        .enumerate()
        .map(|(index, (name, arguments))| {
            let function = json!({"name": name, "arguments": arguments});
            json!({"id": envelope.call_id(PREFIX, index), "type": "function", "function": function})
        })
        .collect();
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    if let Some(text) = reasoning(reply) {
        message["reasoning_content"] = json!(text);
    }
    message
}

/// Returns the whole completion.
pub fn message(reply: &Reply, envelope: &Envelope<'_>) -> Value {
    let mut message = content(reply, envelope);
    message["role"] = json!("assistant");
    message["refusal"] = json!(refusal(reply));
    let choice = json!({
        "index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(reply),
    });
    let mut completion = json!({
        "id": format!("chatcmpl-{}", envelope.mint),
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": envelope.model,
        "choices": [choice],
    });
    if !envelope.quirks {
        completion["usage"] = usage(&envelope.usage, reasoning_tokens(reply));
    }
    completion
}

/// Returns the body of an error.
pub fn error(kind: &str, message: &str, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

/// Writes the chunks of one stream.
struct Writer<'a> {
    envelope: &'a Envelope<'a>,
    frames: Vec<Frame>,
}

impl Writer<'_> {
    fn line(&mut self, kind: FrameKind, data: &str) {
        let text = if self.envelope.quirks {
            format!(": keep-alive\r\n\r\ndata: {data}\r\n\r\n")
        } else {
            format!("data: {data}\n\n")
        };
        self.frames.push(Frame { text, kind });
    }

    fn chunk(&mut self, kind: FrameKind, choices: &Value, usage: Option<Value>) {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", self.envelope.mint),
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": self.envelope.model,
            "choices": choices,
        });
        if self.envelope.include_usage && !self.envelope.quirks {
            chunk["usage"] = usage.unwrap_or(Value::Null);
        }
        self.line(kind, &chunk.to_string());
    }

    fn delta(&mut self, kind: FrameKind, delta: &Value, finish: Option<&str>) {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        self.chunk(kind, &json!([choice]), None);
    }

    fn call(&mut self, index: usize, name: &str, arguments: &str) {
        if self.envelope.quirks {
            let function = json!({"name": name, "arguments": arguments});
            let call = json!({"id": null, "type": "function", "function": function});
            return self.delta(FrameKind::Arguments, &json!({"tool_calls": [call]}), None);
        }
        let id = self.envelope.call_id(PREFIX, index);
        let function = json!({"name": name, "arguments": ""});
        let head = json!({"index": index, "id": id, "type": "function", "function": function});
        self.delta(FrameKind::Arguments, &json!({"tool_calls": [head]}), None);
        for piece in split(arguments) {
            let fragment = json!({"index": index, "function": {"arguments": piece}});
            self.delta(FrameKind::Arguments, &json!({"tool_calls": [fragment]}), None);
        }
    }
}

/// Returns the stream.
pub fn frames(reply: &Reply, envelope: &Envelope<'_>) -> Vec<Frame> {
    let mut writer = Writer { envelope, frames: Vec::new() };
    let opening = json!({"role": "assistant", "content": "", "refusal": null});
    writer.delta(FrameKind::Other, &opening, None);
    for piece in reasoning(reply).map(split).unwrap_or_default() {
        writer.delta(FrameKind::Other, &json!({"reasoning_content": piece}), None);
    }
    for piece in refusal(reply).map(split).unwrap_or_default() {
        writer.delta(FrameKind::Text, &json!({"refusal": piece}), None);
    }
    for piece in split(&reply.joined_text()) {
        writer.delta(FrameKind::Text, &json!({"content": piece}), None);
    }
    for (index, (name, arguments)) in calls(reply).into_iter().enumerate() {
        writer.call(index, name, &arguments);
    }
    writer.delta(FrameKind::End, &json!({}), Some(finish_reason(reply)));
    if envelope.include_usage && !envelope.quirks {
        let usage = usage(&envelope.usage, reasoning_tokens(reply));
        writer.chunk(FrameKind::End, &json!([]), Some(usage));
    }
    if !envelope.quirks {
        writer.line(FrameKind::End, "[DONE]");
    }
    writer.frames
}
