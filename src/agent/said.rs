//! What is said in a conversation, told to those who listen: messages in the form of the Messages API,
//! whatever wire they came over, with a cap on what tools said.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::session::Session;
use crate::event::Event;
use crate::model::{Reply, ToolResult};

/// The most bytes of a tool's result in an event; the model was shown its own cap of it.
const MAX_RESULT: usize = 30_000;

impl Session<'_> {
    /// Tells what the conversation begins with.
    pub(super) fn tell_begin(&self) {
        let worktree = self.checkpoints.is_some();
        let cwd = self.context.workspace.root().to_owned();
        self.events.emit(Event::ConversationBegan {
            agent: self.context.agent.clone(),
            label: self.context.label.clone(),
            model: self.query.model.name().to_owned(),
            tools: self.offered.iter().map(|tool| tool.name.clone()).collect(),
            branch: self.context.branch.clone(),
            worktree_path: worktree.then(|| cwd.clone()),
            cwd,
            base_commit: self.base_commit.clone(),
        });
    }

    /// Tells what the model said, and waits until those who listen have taken that: so they hear of
    /// calls before these run, and the agent does not run away from them.
    pub(super) async fn tell_reply(&self, reply: &Reply) {
        if !reply.is_empty() {
            let message = assistant(self.model().name(), reply);
            self.events.emit(Event::Said { agent: self.context.agent.clone(), message });
        }
        tokio::select! {
            biased;
            () = self.context.cancel.cancelled() => {}
            () = self.events.caught_up() => {}
        }
    }

    /// Tells what it was answered.
    pub(super) fn tell_answer(&self, results: &[ToolResult], texts: &[String]) {
        let message = user(results, texts);
        self.events.emit(Event::Answered { agent: self.context.agent.clone(), message });
    }
}

pub(super) fn assistant(model: &str, reply: &Reply) -> Value {
    json!({
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content(reply),
        "stop_reason": reply.stop.as_str(),
        "usage": reply.usage,
    })
}

/// Returns the blocks of a reply: as they came, where the wire has blocks; else thinking, text, calls.
fn content(reply: &Reply) -> Value {
    if let Value::Array(blocks) = &reply.wire
        && reply.wire_format == crate::model::anthropic::WIRE
    {
        return Value::Array(blocks.clone());
    }
    let mut blocks = Vec::new();
    let thinking = ["reasoning_content", "reasoning"]
        .into_iter()
        .find_map(|field| reply.wire.get(field)?.as_str().filter(|text| !text.is_empty()));
    if let Some(thinking) = thinking {
        blocks.push(json!({ "type": "thinking", "thinking": thinking }));
    }
    if !reply.text.is_empty() {
        blocks.push(json!({ "type": "text", "text": reply.text }));
    }
    blocks.extend(reply.calls.iter().map(|call| {
        json!({
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": match &call.input {
                Ok(input) => input.clone(),
                // Arguments that are no JSON: the SDK knows objects alone.
                Err(text) => json!({ "invalid": text }),
            },
        })
    }));
    Value::Array(blocks)
}

pub(super) fn user(results: &[ToolResult], texts: &[String]) -> Value {
    let results = results.iter().map(|result| {
        json!({
            "type": "tool_result",
            "tool_use_id": result.id,
            "content": shown(result),
            "is_error": result.is_error,
        })
    });
    let texts = texts.iter().map(|text| json!({ "type": "text", "text": text }));
    json!({ "role": "user", "content": results.chain(texts).collect::<Value>() })
}

/// Returns what a tool said, cut to the cap, with a word for each picture.
fn shown(result: &ToolResult) -> String {
    let cut = result.content.floor_char_boundary(MAX_RESULT);
    let mut text = result.content[..cut].to_owned();
    if cut < result.content.len() {
        let left_out = result.content.len() - cut;
        let _ = write!(text, "\n[{left_out} bytes left out of this event]");
    }
    for media in &result.media {
        let _ = write!(text, "\n[{}, {} bytes]", media.media_type, media.data.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Media;
    use crate::model::rate::RateLimits;
    use crate::model::{StopReason, ToolCall, Usage};

    fn reply(wire: Value, wire_format: &'static str) -> Reply {
        Reply {
            text: "t".into(),
            calls: vec![ToolCall { id: "1".into(), name: "Read".into(), input: Err("{".into()) }],
            stop: StopReason::ToolUse,
            usage: Usage::default(),
            wire,
            wire_format,
            limits: RateLimits::default(),
        }
    }

    #[test]
    fn blocks_are_those_of_the_wire_or_made_of_the_reply() {
        let wire = json!([{ "type": "thinking", "thinking": "hm", "signature": "s" }]);
        assert_eq!(content(&reply(wire.clone(), "anthropic")), wire);
        let made = content(&reply(json!({ "reasoning_content": "hm" }), "openai"));
        assert_eq!(
            made,
            json!([
                { "type": "thinking", "thinking": "hm" },
                { "type": "text", "text": "t" },
                { "type": "tool_use", "id": "1", "name": "Read", "input": { "invalid": "{" } },
            ])
        );
    }

    #[test]
    fn results_are_cut_and_pictures_named() {
        let result = ToolResult {
            id: "1".into(),
            name: "Read".into(),
            content: "ü".repeat(MAX_RESULT),
            media: vec![Media { media_type: "image/png", data: [0; 3].into() }],
            is_error: false,
        };
        let text = shown(&result);
        assert!(text.starts_with("üü"), "it is text");
        assert!(text.ends_with("ü\n[30000 bytes left out of this event]\n[image/png, 3 bytes]"));
    }
}
