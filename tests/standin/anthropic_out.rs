//! Writes a reply as the Messages API does: one message, or the stream of events that builds it.

use serde_json::{Value, json};

use super::measure::Usage;
use super::out::{Envelope, Frame, FrameKind, split};
use super::talk::{Part, Reply, Stop};

/// The prefix of call ids.
pub const PREFIX: &str = "toolu";

/// Returns the content blocks, as a client has to send them back.
pub fn content(reply: &Reply, envelope: &Envelope<'_>) -> Vec<Value> {
    let mut index = 0;
    let mut next_id = || {
        index += 1;
        envelope.call_id(PREFIX, index - 1)
    };
    let mut block = |part: &Part| match part {
        Part::Text(text) | Part::Refusal(text) => json!({"type": "text", "text": text}),
        Part::Thinking { text, signature } => {
            json!({"type": "thinking", "thinking": text, "signature": signature})
        }
        Part::Block(block) => block.clone(),
        Part::Call { name, input } => {
            json!({"type": "tool_use", "id": next_id(), "name": name, "input": input})
        }
        // One message in JSON cannot hold broken arguments: these miss every field.
        Part::Broken { name, .. } => {
            json!({"type": "tool_use", "id": next_id(), "name": name, "input": {}})
        }
    };
    reply.parts.iter().map(&mut block).collect()
}

fn stop_reason(stop: Stop) -> &'static str {
    match stop {
        Stop::EndTurn => "end_turn",
        Stop::ToolUse => "tool_use",
        Stop::MaxTokens => "max_tokens",
        Stop::Refusal => "refusal",
    }
}

fn usage(usage: &Usage, output: u64) -> Value {
    json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_creation,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": output,
    })
}

/// Returns the whole message.
pub fn message(reply: &Reply, envelope: &Envelope<'_>) -> Value {
    json!({
        "id": format!("msg_{}", envelope.mint),
        "type": "message",
        "role": "assistant",
        "model": envelope.model,
        "content": content(reply, envelope),
        "stop_reason": stop_reason(reply.stop),
        "stop_sequence": null,
        "usage": usage(&envelope.usage, envelope.usage.output),
    })
}

/// Returns the body of an error.
pub fn error(kind: &str, message: &str, code: Option<&str>) -> Value {
    let mut error = json!({"type": kind, "message": message});
    if let Some(code) = code {
        error["details"] = json!({"error_code": code});
    }
    json!({"type": "error", "error": error, "request_id": "req_standin"})
}

/// Returns one event.
pub fn event(kind: FrameKind, data: &Value) -> Frame {
    let name = data["type"].as_str().unwrap_or_default();
    Frame { text: format!("event: {name}\ndata: {data}\n\n"), kind }
}

/// Returns the stream.
pub fn frames(reply: &Reply, envelope: &Envelope<'_>) -> Vec<Frame> {
    let mut message = message(reply, envelope);
    message["content"] = json!([]);
    message["stop_reason"] = Value::Null;
    message["usage"]["output_tokens"] = json!(1);
    let start = json!({"type": "message_start", "message": message});
    let mut frames = vec![event(FrameKind::Other, &start)];
    let blocks = content(reply, envelope);
    for (index, (part, block)) in reply.parts.iter().zip(blocks).enumerate() {
        block_frames(&mut frames, index, part, block);
        if index == 0 {
            frames.insert(2, event(FrameKind::Other, &json!({"type": "ping"})));
        }
    }
    let delta = json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason(reply.stop), "stop_sequence": null},
        "usage": usage(&envelope.usage, envelope.usage.output),
    });
    frames.push(event(FrameKind::Other, &delta));
    frames.push(event(FrameKind::End, &json!({"type": "message_stop"})));
    frames
}

fn block_frames(frames: &mut Vec<Frame>, index: usize, part: &Part, mut block: Value) {
    let mut deltas: Vec<(FrameKind, Value)> = Vec::new();
    match part {
        Part::Text(text) | Part::Refusal(text) => {
            block["text"] = json!("");
            deltas.extend(
                split(text)
                    .into_iter()
                    .map(|piece| (FrameKind::Text, json!({"type": "text_delta", "text": piece}))),
            );
        }
        Part::Thinking { text, signature } => {
            block["thinking"] = json!("");
            block["signature"] = json!("");
            deltas.extend(split(text).into_iter().map(|piece| {
                (FrameKind::Other, json!({"type": "thinking_delta", "thinking": piece}))
            }));
            let signed = json!({"type": "signature_delta", "signature": signature});
            deltas.push((FrameKind::Other, signed));
        }
        Part::Call { input, .. } => {
            block["input"] = json!({});
            deltas = argument_deltas(&input.to_string());
        }
        Part::Broken { text, .. } => deltas = argument_deltas(text),
        // Where there are new blocks there are new events.
        Part::Block(_) => {
            frames.push(event(FrameKind::Other, &json!({"type": "standin_event", "note": "new"})));
        }
    }
    let start = json!({"type": "content_block_start", "index": index, "content_block": block});
    frames.push(event(FrameKind::Other, &start));
    for (kind, delta) in deltas {
        let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
        frames.push(event(kind, &delta));
    }
    frames.push(event(FrameKind::Other, &json!({"type": "content_block_stop", "index": index})));
}

/// No arguments at all are `""` alone, as the real API sends them.
fn argument_deltas(arguments: &str) -> Vec<(FrameKind, Value)> {
    let pieces = if arguments == "{}" { Vec::new() } else { split(arguments) };
    std::iter::once("")
        .chain(pieces)
        .map(|piece| {
            (FrameKind::Arguments, json!({"type": "input_json_delta", "partial_json": piece}))
        })
        .collect()
}
