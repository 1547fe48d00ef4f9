//! Events as programs and scripts see them: the messages of the Claude Agent SDK (`SDKMessage`, as
//! `claude -p --output-format stream-json --verbose` prints them), so that what reads those reads these.
//!
//! `system`/`init`, `assistant`, `user` and `result` are the SDK's own, with its names and meanings, and
//! so are `system`/`api_retry`, `system`/`permission_denied` and `system`/`compact_boundary`; `agent_id` is ours and tells the
//! agents of a run apart. What the SDK has no word for, because it knows no fleet, is a `system` message
//! with a subtype of ours: `run_started`, `phase`, `agent_queued`, `verified`, `model_changed`,
//! `worktree_removed`, `merged`, `message`.
//! A stream ends with an object of the type `run` (`cli/output.rs`).

use std::hash::{BuildHasher, Hasher, RandomState};

use serde_json::{Map, Value, json};

use super::Event;

/// Returns the object of `event`, which belongs to the conversation `session`; nothing for what is
/// said by another event too.
pub(super) fn object(event: &Event, session: Option<&str>) -> Option<Value> {
    let mut object = match event {
        Event::RunStarted { run, script, resumed } => {
            system("run_started", json!({ "run": run, "script": script, "resumed": resumed }))
        }
        Event::Phase { run, name } => system("phase", json!({ "run": run, "name": name })),
        Event::AgentQueued { agent, label } => {
            system("agent_queued", json!({ "agent_id": agent, "label": label }))
        }
        Event::ConversationBegan {
            agent,
            label,
            model,
            cwd,
            tools,
            branch,
            worktree_path,
            base_commit,
        } => system(
            "init",
            json!({
                "agent_id": agent,
                "label": label,
                "cwd": cwd.display().to_string(),
                "model": model,
                "tools": tools,
                "mcp_servers": servers(tools),
                "branch": branch,
                "worktree_path": worktree_path.as_ref().map(|path| path.display().to_string()),
                "base_commit": base_commit,
            }),
        ),
        Event::Said { agent, message } => message_object("assistant", agent, message),
        Event::Answered { agent, message } => message_object("user", agent, message),
        Event::ToolDenied { agent, tool, tool_use_id, reason } => system(
            "permission_denied",
            json!({
                "agent_id": agent,
                "tool_name": tool,
                "tool_use_id": tool_use_id,
                "message": reason,
            }),
        ),
        Event::RetryScheduled { agent, attempt, delay_ms, status, word, reason } => system(
            "api_retry",
            json!({
                "agent_id": agent,
                "attempt": attempt,
                "retry_delay_ms": delay_ms,
                "error_status": status,
                "error": word.as_deref().unwrap_or("unknown"),
                "message": reason,
            }),
        ),
        Event::ModelChanged { agent, from, to, reason } => system(
            "model_changed",
            json!({ "agent_id": agent, "from": from, "to": to, "message": reason }),
        ),
        Event::Compacted { agent, before, after } => compacted(agent, *before, *after),
        Event::Verified { agent, attempt, ok, message, duration_ms } => system(
            "verified",
            json!({
                "agent_id": agent,
                "attempt": attempt,
                "ok": ok,
                "message": message,
                "duration_ms": duration_ms,
            }),
        ),
        Event::AgentFinished { agent, message, outcome, recalled, .. } => {
            result(agent, message.as_deref(), outcome, *recalled)
        }
        Event::WorktreeRemoved { agent, path, ignored_files, ignored_bytes } => system(
            "worktree_removed",
            json!({
                "agent_id": agent,
                "path": path.display().to_string(),
                "ignored_files": ignored_files,
                "ignored_bytes": ignored_bytes,
            }),
        ),
        Event::Merged { branch, into, status, commit } => system(
            "merged",
            json!({ "branch": branch, "into": into, "status": status, "commit": commit }),
        ),
        Event::Message { level, text } => {
            system("message", json!({ "level": level, "text": text }))
        }
        // The last object says it, or `init`, `assistant` and `user` do.
        Event::RunFinished { .. }
        | Event::AgentStarted { .. }
        | Event::TurnFinished { .. }
        | Event::ToolFinished { .. } => return None,
    };
    if let Some(session) = session
        && !object.contains_key("session_id")
    {
        object.insert("session_id".to_owned(), session.into());
    }
    object.insert("uuid".to_owned(), uuid().into());
    Some(Value::Object(object))
}

fn compacted(agent: &str, before: u64, after: u64) -> Map<String, Value> {
    let metadata = json!({ "trigger": "auto", "pre_tokens": before, "post_tokens": after });
    system("compact_boundary", json!({ "agent_id": agent, "compact_metadata": metadata }))
}

fn system(subtype: &str, fields: Value) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("type".to_owned(), "system".into());
    object.insert("subtype".to_owned(), subtype.into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    object
}

fn message_object(kind: &str, agent: &str, message: &Value) -> Map<String, Value> {
    Map::from_iter([
        ("type".to_owned(), kind.into()),
        ("agent_id".to_owned(), agent.into()),
        ("message".to_owned(), message.clone()),
        ("parent_tool_use_id".to_owned(), Value::Null),
    ])
}

/// The outcome, under the SDK's type, with the error as a list as the SDK has it.
fn result(
    agent: &str,
    message: Option<&str>,
    outcome: &Value,
    recalled: bool,
) -> Map<String, Value> {
    let ok = outcome.get("ok").and_then(Value::as_bool).unwrap_or(false);
    let mut object = Map::from_iter([
        ("type".to_owned(), "result".into()),
        ("subtype".to_owned(), Value::Null),
        ("is_error".to_owned(), (!ok).into()),
        ("agent_id".to_owned(), agent.into()),
        ("errors".to_owned(), message.into_iter().collect()),
        ("structured_output".to_owned(), Value::Null),
        ("total_cost_usd".to_owned(), Value::Null),
    ]);
    let fields = outcome.as_object().into_iter().flatten();
    object.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
    if recalled {
        object.insert("recalled".to_owned(), true.into());
    }
    object
}

/// Returns the MCP servers whose tools are offered, by the tools' names: `mcp__server__tool`.
fn servers(tools: &[String]) -> Vec<Value> {
    let mut names: Vec<&str> = tools
        .iter()
        .filter_map(|tool| Some(tool.strip_prefix("mcp__")?.split_once("__")?.0))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| json!({ "name": name, "status": "connected" })).collect()
}

/// Returns a random UUID of version 4. The standard library seeds its hashers at random, and telling
/// lines apart needs no more than that.
fn uuid() -> String {
    let bits = || RandomState::new().build_hasher().finish();
    let (high, low) = (bits() & !0xf000 | 0x4000, bits() & !(0b11 << 62) | 0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn messages_bear_their_conversation_and_an_id_of_their_own() {
        let said = Event::Said { agent: "agent-1".into(), message: json!({ "role": "assistant" }) };
        let (one, other) = (object(&said, Some("s")).unwrap(), object(&said, Some("s")).unwrap());
        assert_ne!(one["uuid"], other["uuid"]);
        let uuid = one["uuid"].as_str().unwrap();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"), "{uuid}");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        let mut one = one;
        one.as_object_mut().unwrap().remove("uuid");
        assert_eq!(
            one.to_string(),
            r#"{"type":"assistant","agent_id":"agent-1","message":{"role":"assistant"},"parent_tool_use_id":null,"session_id":"s"}"#
        );
    }

    #[test]
    fn a_result_is_the_outcome() {
        let outcome = json!({ "ok": false, "subtype": "error_max_turns", "session_id": "own" });
        let result = Value::Object(result("agent-1", Some("why"), &outcome, false));
        assert_eq!(result["is_error"], true);
        assert_eq!(result["errors"], json!(["why"]));
        assert_eq!(result["session_id"], "own");
        let keys: Vec<&String> = result.as_object().unwrap().keys().take(3).collect();
        assert_eq!(keys, ["type", "subtype", "is_error"]);
        assert_eq!(result.get("recalled"), None);
    }

    #[test]
    fn servers_are_told_by_their_tools() {
        let tools = ["Read", "mcp__b__x", "mcp__a__x__y", "mcp__a__z"].map(str::to_owned);
        let names: Vec<Value> = servers(&tools).iter().map(|s| s["name"].clone()).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
