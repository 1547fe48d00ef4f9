//! Reads a Messages request as strictly as the API does, and then some.
//!
//! Beyond the API it wants tools described, their schemas sound, and every call's tool declared. What
//! only a server that remembers can check (echoes, stability) is in `memory`.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::complaint::{
    Checked, Complaint, ensure, has_words, is_tool_name, stray_field, tool_schema,
};
use super::measure::unmarked;
use super::schema;
use super::talk::{Call, Outcome, Step, Talk, UNKNOWN_TOOL};

type Fields = Map<String, Value>;

const FIELDS: &[&str] = &[
    "model",
    "max_tokens",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "stream",
    "stop_sequences",
    "metadata",
    "thinking",
    "output_config",
    "cache_control",
    "service_tier",
    "context_management",
];
const TOOL_FIELDS: &[&str] = &[
    "name",
    "description",
    "input_schema",
    "type",
    "cache_control",
    "strict",
    "input_examples",
    "eager_input_streaming",
];
const MARKS: usize = 4;

/// Checks a request and returns its conversation.
pub fn read(body: &Value) -> Checked<Talk> {
    let body = object(body, "request body")?;
    top_level(body)?;
    output_config(body)?;
    let tools = tools(body)?;
    if let Some(choice) = body.get("tool_choice").filter(|choice| choice["type"] == "tool") {
        let name = choice["name"].as_str().unwrap_or_default();
        ensure(tools.contains(name), || {
            format!("tool_choice: Tool '{name}' not found in provided tools")
        })?;
    }
    system(body)?;
    let talk = messages(body, &tools)?;
    pairing(&talk)?;
    marks(body)?;
    Ok(talk)
}

fn object<'a>(value: &'a Value, at: &str) -> Checked<&'a Fields> {
    value
        .as_object()
        .ok_or_else(|| Complaint::invalid(format!("{at}: Input should be a valid dictionary")))
}

fn only(fields: &Fields, allowed: &[&str], at: &str) -> Checked {
    match stray_field(fields, allowed) {
        Some(field) => {
            Err(Complaint::invalid(format!("{at}{field}: Extra inputs are not permitted")))
        }
        None => Ok(()),
    }
}

fn text<'a>(fields: &'a Fields, field: &str, at: &str) -> Checked<&'a str> {
    let value = fields.get(field);
    value.and_then(Value::as_str).ok_or_else(|| {
        let what =
            if value.is_none() { "Field required" } else { "Input should be a valid string" };
        Complaint::invalid(format!("{at}{field}: {what}"))
    })
}

fn words(text: &str, place: &str) -> Checked {
    ensure(!text.is_empty(), || format!("{place}: text content blocks must be non-empty"))?;
    ensure(has_words(text), || {
        format!("{place}: text content blocks must contain non-whitespace text")
    })
}

fn top_level(body: &Fields) -> Checked {
    for field in ["temperature", "top_p", "top_k"] {
        ensure(!body.contains_key(field), || format!("{field}: is deprecated for this model"))?;
    }
    only(body, FIELDS, "")?;
    ensure(has_words(text(body, "model", "")?), || "model: must not be empty")?;
    let most = body.get("max_tokens");
    ensure(most.is_some(), || "max_tokens: Field required")?;
    ensure(
        most.and_then(Value::as_u64).is_some_and(|most| most > 0),
        || "max_tokens: Input should be an integer greater than or equal to 1",
    )?;
    ensure(
        body.get("stream").is_none_or(Value::is_boolean),
        || "stream: Input should be a valid boolean",
    )?;
    if let Some(choice) = body.get("tool_choice") {
        let kind = choice["type"].as_str().unwrap_or_default();
        ensure(
            matches!(kind, "auto" | "any" | "tool" | "none"),
            || "tool_choice: Input tag does not match 'auto', 'any', 'tool', 'none'",
        )?;
        ensure(
            body.contains_key("tools"),
            || "tool_choice: may only be specified while providing tools",
        )?;
    }
    Ok(())
}

fn output_config(body: &Fields) -> Checked {
    if let Some(thinking) = body.get("thinking") {
        ensure(
            thinking["type"] == "adaptive",
            || "thinking.type: Input tag does not match any of the expected tags: 'adaptive'",
        )?;
    }
    let Some(config) = body.get("output_config") else { return Ok(()) };
    let config = object(config, "output_config")?;
    only(config, &["effort", "format"], "output_config.")?;
    ensure(!config.is_empty(), || "output_config: at least one field is required")?;
    if let Some(effort) = config.get("effort") {
        let known = ["low", "medium", "high", "xhigh", "max"];
        ensure(
            effort.as_str().is_some_and(|effort| known.contains(&effort)),
            || "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
        )?;
    }
    let Some(format) = config.get("format") else { return Ok(()) };
    ensure(
        format["type"] == "json_schema",
        || "output_config.format.type: Input should be 'json_schema'",
    )?;
    schema::closed(&format["schema"], "output_config.format.schema")
}

fn tools(body: &Fields) -> Checked<HashSet<&str>> {
    let mut names = HashSet::new();
    let Some(tools) = body.get("tools") else { return Ok(names) };
    let tools = tools
        .as_array()
        .ok_or_else(|| Complaint::invalid("tools: Input should be a valid list"))?;
    for (index, tool) in tools.iter().enumerate() {
        let at = format!("tools.{index}.");
        let tool = object(tool, &format!("tools.{index}"))?;
        only(tool, TOOL_FIELDS, &at)?;
        let name = text(tool, "name", &at)?;
        ensure(is_tool_name(name), || {
            format!("{at}custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        })?;
        ensure(names.insert(name), || "tools: Tool names must be unique.")?;
        ensure(has_words(text(tool, "description", &at)?), || {
            format!("{at}custom.description: must not be empty")
        })?;
        ensure(tool.get("type").is_none_or(|kind| kind == "custom"), || {
            format!("{at}type: the stand-in knows custom tools alone")
        })?;
        let schema = tool.get("input_schema").ok_or_else(|| {
            Complaint::invalid(format!("{at}custom.input_schema: Field required"))
        })?;
        tool_schema(schema, &format!("{at}custom.input_schema"))?;
    }
    Ok(names)
}

fn system(body: &Fields) -> Checked {
    match body.get("system") {
        None => Ok(()),
        Some(Value::String(system)) => words(system, "system"),
        Some(Value::Array(blocks)) => blocks.iter().enumerate().try_for_each(|(index, block)| {
            let at = format!("system.{index}.");
            let block = object(block, &at)?;
            only(block, &["type", "text", "cache_control"], &at)?;
            ensure(block.get("type").is_some_and(|kind| kind == "text"), || {
                format!("{at}type: Input should be 'text'")
            })?;
            words(text(block, "text", &at)?, "system")
        }),
        Some(_) => Err(Complaint::invalid("system: Input should be a valid string or list")),
    }
}

fn messages(body: &Fields, tools: &HashSet<&str>) -> Checked<Talk> {
    let messages =
        body.get("messages").ok_or_else(|| Complaint::invalid("messages: Field required"))?;
    let messages = messages
        .as_array()
        .ok_or_else(|| Complaint::invalid("messages: Input should be a valid list"))?;
    ensure(!messages.is_empty(), || "messages: at least one message is required")?;
    let mut talk = Talk::default();
    let mut last_role = "assistant";
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages.{index}.");
        let message = object(message, &format!("messages.{index}"))?;
        only(message, &["role", "content"], &at)?;
        let role = text(message, "role", &at)?;
        ensure(matches!(role, "user" | "assistant"), || {
            format!(
                "messages: Unexpected role \"{role}\". Allowed roles are \"user\" and \"assistant\""
            )
        })?;
        ensure(
            index > 0 || role == "user",
            || "messages: first message must use the \"user\" role",
        )?;
        ensure(role != last_role, || {
            format!(
                "messages: roles must alternate between \"user\" and \"assistant\", but found \
                 multiple \"{role}\" roles in a row"
            )
        })?;
        last_role = role;
        let blocks = blocks(message, index)?;
        talk.steps.push(if role == "user" {
            user(&blocks, index)?
        } else {
            assistant(&blocks, index, tools)?
        });
    }
    ensure(last_role == "user", || {
        "This model does not support assistant message prefill. The conversation must end with a \
         user message."
    })?;
    Ok(talk)
}

fn blocks(message: &Fields, index: usize) -> Checked<Vec<Value>> {
    let blocks = match message.get("content") {
        Some(Value::String(text)) if !text.is_empty() => {
            vec![json!({"type": "text", "text": text})]
        }
        Some(Value::Array(blocks)) => blocks.clone(),
        Some(Value::String(_)) => Vec::new(),
        Some(_) => {
            return Err(Complaint::invalid(format!(
                "messages.{index}.content: Input should be a valid string or list"
            )));
        }
        None => {
            return Err(Complaint::invalid(format!("messages.{index}.content: Field required")));
        }
    };
    ensure(!blocks.is_empty(), || {
        format!("messages.{index}: all messages must have non-empty content")
    })?;
    Ok(blocks)
}

fn user(blocks: &[Value], index: usize) -> Checked<Step> {
    let (mut results, mut texts) = (Vec::new(), Vec::new());
    for (place, block) in blocks.iter().enumerate() {
        let at = format!("messages.{index}.content.{place}.");
        let fields = object(block, &at)?;
        match text(fields, "type", &at)? {
            "text" => {
                only(fields, &["type", "text", "cache_control"], &at)?;
                let text = text(fields, "text", &at)?;
                words(text, "messages")?;
                texts.push(text);
            }
            "tool_result" => {
                only(
                    fields,
                    &["type", "tool_use_id", "content", "is_error", "cache_control"],
                    &at,
                )?;
                let id = text(fields, "tool_use_id", &at)?;
                ensure(results.len() == place, || {
                    format!(
                        "messages.{index}: `tool_use` ids were found without `tool_result` blocks \
                         immediately after: {id}. `tool_result` blocks must come first."
                    )
                })?;
                results.push(outcome(fields, id, &at)?);
            }
            "image" | "document" => {}
            other => {
                return Err(Complaint::invalid(format!(
                    "messages.{index}.content.{place}: Input tag '{other}' is not one of a user"
                )));
            }
        }
    }
    Ok(Step::User { results, text: texts.join("\n\n") })
}

fn outcome(fields: &Fields, id: &str, at: &str) -> Checked<Outcome> {
    let content = match fields.get("content") {
        None => String::new(),
        Some(Value::String(content)) => content.clone(),
        Some(Value::Array(parts)) => {
            let mut texts = Vec::new();
            for part in parts {
                if part["type"] == "text" {
                    let text = part["text"].as_str().unwrap_or_default();
                    words(text, "messages")?;
                    texts.push(text);
                    continue;
                }
                ensure(fields.get("is_error").is_none_or(|failed| failed == false), || {
                    format!("{at}content: all content must be type \"text\" if `is_error` is true")
                })?;
                let source = &part["source"];
                let media = source["media_type"].as_str().unwrap_or_default();
                let is_shown = match part["type"].as_str() {
                    Some("image") => media.starts_with("image/"),
                    Some("document") => media == "application/pdf",
                    _ => false,
                };
                ensure(
                    is_shown && source["type"] == "base64" && source["data"].is_string(),
                    || format!("{at}content: a part is neither text, image nor document"),
                )?;
            }
            texts.join("\n")
        }
        Some(_) => {
            return Err(Complaint::invalid(format!(
                "{at}content: Input should be a valid string or list"
            )));
        }
    };
    let failed = match fields.get("is_error") {
        None => false,
        Some(Value::Bool(failed)) => *failed,
        Some(_) => {
            return Err(Complaint::invalid(format!(
                "{at}is_error: Input should be a valid boolean"
            )));
        }
    };
    ensure(!(failed && content.is_empty()), || {
        format!("{at}content: cannot be empty if `is_error` is true")
    })?;
    Ok(Outcome { id: id.to_owned(), text: content, failed })
}

fn assistant(blocks: &[Value], index: usize, tools: &HashSet<&str>) -> Checked<Step> {
    let (mut said, mut calls) = (String::new(), Vec::new());
    for (place, block) in blocks.iter().enumerate() {
        let at = format!("messages.{index}.content.{place}.");
        let fields = object(block, &at)?;
        match text(fields, "type", &at)? {
            "text" => {
                let text = text(fields, "text", &at)?;
                words(text, "messages")?;
                said.push_str(text);
            }
            "tool_use" => {
                only(fields, &["type", "id", "name", "input", "cache_control"], &at)?;
                let id = text(fields, "id", &at)?.to_owned();
                let name = text(fields, "name", &at)?.to_owned();
                let input = fields.get("input").cloned().unwrap_or_default();
                ensure(input.is_object(), || {
                    format!("{at}tool_use.input: Input should be a valid dictionary")
                })?;
                ensure(tools.contains(name.as_str()) || name == UNKNOWN_TOOL, || {
                    format!("{at}tool_use.name: `{name}` is used but not declared in `tools`")
                })?;
                calls.push(Call { id, name, input });
            }
            "tool_result" => {
                return Err(Complaint::invalid(format!(
                    "messages.{index}: `tool_result` blocks can only be in `user` messages"
                )));
            }
            // The memory knows whether this block is one that was sent.
            _ => {}
        }
    }
    let raw = blocks.iter().map(unmarked).collect();
    Ok(Step::Assistant { text: said, calls, raw: Value::Array(raw) })
}

fn pairing(talk: &Talk) -> Checked {
    let mut seen = HashSet::new();
    for id in talk.call_ids() {
        ensure(seen.insert(id), || "messages: `tool_use` ids must be unique")?;
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, step) in talk.steps.iter().enumerate() {
        match step {
            Step::Assistant { calls, .. } => open = calls.iter().map(|call| &*call.id).collect(),
            Step::User { results, .. } => {
                let mut answered = HashSet::new();
                for (place, Outcome { id, .. }) in results.iter().enumerate() {
                    ensure(open.contains(&id.as_str()), || {
                        format!(
                            "messages.{index}.content.{place}: unexpected `tool_use_id` found in \
                             `tool_result` blocks: {id}. Each `tool_result` block must have a \
                             corresponding `tool_use` block in the previous message."
                        )
                    })?;
                    ensure(answered.insert(id.as_str()), || {
                        format!(
                            "messages.{index}.content.{place}: each tool_use must have a single \
                             result. Found multiple `tool_result` blocks with id: {id}"
                        )
                    })?;
                }
                open.retain(|id| !answered.contains(id));
                ensure(open.is_empty(), || {
                    format!(
                        "messages.{index}: `tool_use` ids were found without `tool_result` blocks \
                         immediately after: {}. Each `tool_use` block must have a corresponding \
                         `tool_result` block in the next message.",
                        open.join(", ")
                    )
                })?;
            }
        }
    }
    Ok(())
}

fn marks(body: &Fields) -> Checked {
    fn list(value: Option<&Value>) -> &[Value] {
        value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
    let mut blocks: Vec<&Value> = list(body.get("tools")).iter().collect();
    blocks.extend(list(body.get("system")));
    for message in list(body.get("messages")) {
        blocks.extend(list(message.get("content")));
    }
    blocks.retain(|block| block.get("cache_control").is_some());
    let marks: Vec<&Value> = body
        .get("cache_control")
        .into_iter()
        .chain(blocks.iter().map(|block| &block["cache_control"]))
        .collect();
    for mark in &marks {
        let sound = mark["type"] == "ephemeral"
            && matches!(mark.get("ttl").map(Value::as_str), None | Some(Some("5m" | "1h")));
        ensure(sound, || "cache_control: Input should be of type 'ephemeral' with ttl 5m or 1h")?;
    }
    ensure(marks.len() <= MARKS, || {
        format!(
            "A maximum of {MARKS} blocks with cache_control may be provided. Found {}.",
            marks.len()
        )
    })?;
    let on_thinking = blocks
        .iter()
        .any(|block| matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking")));
    ensure(!on_thinking, || "cache_control cannot be set for `thinking` blocks")
}
