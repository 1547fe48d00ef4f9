//! Scenarios about the reply itself: plain, slow, thinking, and the ways a model goes wrong.

use serde_json::json;

use super::scenario::{Next, OVER, Stray, Turn, failed, probe};
use super::talk::{Part, Reply, Stop, UNKNOWN_TOOL};

pub fn one_text(turn: &Turn<'_>) -> Reply {
    Reply::text(if turn.number == 1 { turn.text("say").unwrap_or("Done.") } else { OVER })
}

pub fn slow(turn: &Turn<'_>) -> Reply {
    let pace_ms = turn.parameter("ms").unwrap_or(1000);
    let text = turn.text("say").unwrap_or("This text comes slowly, a piece at a time.");
    Reply { pace_ms, ..Reply::text(text) }
}

pub fn unknown_tool(turn: &Turn<'_>) -> Next {
    match turn.number {
        1 => Ok(Reply::calls("", [(UNKNOWN_TOOL, json!({"a": 1}))])),
        2 if turn.last().iter().any(|(_, outcome)| outcome.failed) => {
            Ok(Reply::text("The unknown tool was refused."))
        }
        2 => failed(format!("an unknown tool did not fail: {}", turn.seen())),
        _ => Ok(Reply::text(OVER)),
    }
}

pub fn bad_arguments(turn: &Turn<'_>) -> Next {
    let tool = turn.text("tool").unwrap_or("Bash");
    match turn.number {
        1 => {
            let text = turn.text("arguments").unwrap_or("{\"command\": \"touch bad_arg");
            let broken = Part::Broken { name: tool.into(), text: text.into() };
            Ok(Reply { parts: vec![broken], stop: Stop::ToolUse, pace_ms: 0 })
        }
        2 if turn.last().iter().any(|(_, outcome)| outcome.failed) => {
            Ok(Reply::text("The bad arguments were refused."))
        }
        2 => Err(Stray::Violation("a call whose arguments are no JSON was run".into())),
        _ => Ok(Reply::text(OVER)),
    }
}

/// Ends its turn with nothing, once.
pub fn empty(turn: &Turn<'_>) -> Reply {
    if turn.number == 1 && !turn.again {
        return Reply { parts: Vec::new(), stop: Stop::EndTurn, pace_ms: 0 };
    }
    Reply::text(turn.text("say").unwrap_or("Here is the text after all."))
}

pub fn refusal(turn: &Turn<'_>) -> Reply {
    let text = turn.text("say").unwrap_or("I cannot help with that.");
    // Without text it is what OpenAI calls `content_filter`.
    let part = (!text.is_empty()).then(|| Part::Refusal(text.into()));
    Reply { parts: part.into_iter().collect(), stop: Stop::Refusal, pace_ms: 0 }
}

/// Is cut in the middle of a call, once. The call must never run.
pub fn max_tokens(turn: &Turn<'_>) -> Next {
    match turn.number {
        1 if !turn.again => {
            let text = "{\"command\": \"touch max_tokens_ra".to_owned();
            let broken = Part::Broken { name: "Bash".into(), text };
            let parts = vec![Part::Text("I run".into()), broken];
            Ok(Reply { parts, stop: Stop::MaxTokens, pace_ms: 0 })
        }
        2 if turn.last().iter().any(|(_, outcome)| !outcome.failed) => {
            Err(Stray::Violation("a tool call cut by `max_tokens` was run".into()))
        }
        1 | 2 => Ok(Reply::text("Done after the cut.")),
        _ => Ok(Reply::text(OVER)),
    }
}

/// Thinks, with blocks that must come back as they are, then calls.
pub fn thinking(turn: &Turn<'_>) -> Next {
    match turn.number {
        1 => {
            let thought = Part::Thinking {
                text: "The user wants a look; \"quotes\", ünïcode and\nlines must survive.".into(),
                signature: "c3RhbmRpbi1zaWduYXR1cmU+/w==".into(),
            };
            let redacted = json!({"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="});
            let foreign = json!({"type": "standin_block", "data": {"kept": [1, null, "x"]}});
            let (tool, input) = probe(turn, 1);
            let parts = vec![
                thought,
                Part::Block(redacted),
                Part::Block(foreign),
                Part::Text("I look after thinking.".into()),
                Part::Call { name: tool.into(), input },
            ];
            Ok(Reply { parts, stop: Stop::ToolUse, pace_ms: 0 })
        }
        2 => {
            turn.all_good()?;
            Ok(Reply::text("Thought and looked."))
        }
        _ => Ok(Reply::text(OVER)),
    }
}
