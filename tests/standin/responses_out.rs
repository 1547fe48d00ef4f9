//! Writes a reply as the Responses API does: one response, or the stream of events that builds it.

use serde_json::{Value, json};

use super::measure::Usage;
use super::out::{Envelope, Frame, FrameKind, split};
use super::talk::{Part, Reply, Stop};

/// The prefix of call ids.
pub const PREFIX: &str = "call";

/// Returns the items, as a client has to send them back.
pub fn content(reply: &Reply, envelope: &Envelope<'_>) -> Vec<Value> {
    let mint = &envelope.mint;
    let mut calls = 0;
    let mut item = |(index, part): (usize, &Part)| {
        let message = |content: Value| {
            Some(json!({
                "id": format!("msg_{mint}_{index}"), "type": "message", "status": "completed",
                "role": "assistant", "content": [content],
            }))
        };
        let mut call = |name: &str, arguments: &str| {
            calls += 1;
            Some(json!({
                "id": format!("fc_{mint}_{index}"), "type": "function_call", "status": "completed",
                "call_id": envelope.call_id(PREFIX, calls - 1), "name": name, "arguments": arguments,
            }))
        };
        match part {
            Part::Text(text) => {
                message(json!({"type": "output_text", "text": text, "annotations": []}))
            }
            Part::Refusal(text) => message(json!({"type": "refusal", "refusal": text})),
            Part::Thinking { signature, .. } => Some(json!({
                "id": format!("rs_{mint}_{index}"), "type": "reasoning", "summary": [],
                "encrypted_content": signature,
            })),
            Part::Block(_) => None,
            Part::Call { name, input } => call(name, &input.to_string()),
            Part::Broken { name, text } => call(name, text),
        }
    };
    reply.parts.iter().enumerate().filter_map(&mut item).collect()
}

fn usage(usage: &Usage) -> Value {
    let input = usage.input + usage.cache_read + usage.cache_creation;
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input + usage.output,
    })
}

/// Returns the whole response.
pub fn message(reply: &Reply, envelope: &Envelope<'_>) -> Value {
    let refused = |part: &Part| matches!(part, Part::Refusal(_));
    let reason = match reply.stop {
        Stop::MaxTokens => Some("max_output_tokens"),
        Stop::Refusal if !reply.parts.iter().any(refused) => Some("content_filter"),
        _ => None,
    };
    json!({
        "id": format!("resp_{}", envelope.mint),
        "object": "response",
        "status": if reason.is_some() { "incomplete" } else { "completed" },
        "model": envelope.model,
        "error": null,
        "incomplete_details": reason.map(|reason| json!({"reason": reason})),
        "output": content(reply, envelope),
        "usage": usage(&envelope.usage),
    })
}

/// Returns the event that says that the stream failed.
pub fn error_event(message: &str) -> Frame {
    let data = json!({"type": "error", "code": "server_error", "message": message, "param": null});
    event(FrameKind::Other, &data)
}

fn event(kind: FrameKind, data: &Value) -> Frame {
    let name = data["type"].as_str().unwrap_or_default();
    Frame { text: format!("event: {name}\ndata: {data}\n\n"), kind }
}

/// Returns the stream.
pub fn frames(reply: &Reply, envelope: &Envelope<'_>) -> Vec<Frame> {
    let whole = message(reply, envelope);
    let mut begun = whole.clone();
    begun["status"] = json!("in_progress");
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    let mut frames = Vec::new();
    for name in ["response.created", "response.in_progress"] {
        frames.push(event(FrameKind::Other, &json!({"type": name, "response": begun})));
    }
    for (index, item) in content(reply, envelope).into_iter().enumerate() {
        item_frames(&mut frames, index, &item);
    }
    let end = format!("response.{}", whole["status"].as_str().unwrap_or_default());
    frames.push(event(FrameKind::End, &json!({"type": end, "response": whole})));
    frames
}

fn item_frames(frames: &mut Vec<Frame>, index: usize, item: &Value) {
    let mut added = item.clone();
    let (field, kind, name) = match item["type"].as_str() {
        Some("message") => ("content", FrameKind::Text, "output_text"),
        Some("function_call") => ("arguments", FrameKind::Arguments, "function_call_arguments"),
        _ => ("encrypted_content", FrameKind::Other, ""),
    };
    added[field] = if field == "content" { json!([]) } else { json!("") };
    let of_item = |name: &str, item: &Value| {
        event(FrameKind::Other, &json!({"type": name, "output_index": index, "item": item}))
    };
    frames.push(of_item("response.output_item.added", &added));
    let part = &item["content"][0];
    let (name, text) = match part["type"].as_str() {
        Some("refusal") => ("refusal", &part["refusal"]),
        Some(_) => (name, &part["text"]),
        None => (name, &item["arguments"]),
    };
    for piece in split(text.as_str().unwrap_or_default()) {
        let delta = json!({
            "type": format!("response.{name}.delta"), "item_id": item["id"],
            "output_index": index, "content_index": 0, "delta": piece,
        });
        frames.push(event(kind, &delta));
    }
    frames.push(of_item("response.output_item.done", item));
}
