//! Reads a Chat Completions request as strictly as the API does, and then some.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::complaint::{
    Checked, Complaint, ensure, has_words, is_tool_name, stray_field, tool_schema,
};
use super::schema;
use super::talk::{Call, Outcome, Step, Talk, UNKNOWN_TOOL};

type Fields = Map<String, Value>;

const FIELDS: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "stop",
    "seed",
    "user",
    "metadata",
    "store",
    "prompt_cache_key",
];
const ASSISTANT_FIELDS: &[&str] = &[
    "role",
    "content",
    "tool_calls",
    "reasoning_content",
    "reasoning",
    "refusal",
    "name",
    "audio",
    "annotations",
    "function_call",
];

/// Checks a request and returns its conversation.
pub fn read(body: &Value) -> Checked<Talk> {
    let body = body
        .as_object()
        .ok_or_else(|| Complaint::invalid("We could not parse the JSON body of your request."))?;
    top_level(body)?;
    let tools = tools(body)?;
    if let Some(choice) = body.get("tool_choice").filter(|choice| choice.is_object()) {
        let name = choice["function"]["name"].as_str().unwrap_or_default();
        ensure(choice["type"] == "function" && tools.contains(name), || {
            format!("Tool choice '{name}' not found in 'tools' parameter.")
        })?;
    }
    messages(body, &tools)
}

fn only(fields: &Fields, allowed: &[&str], at: &str) -> Checked {
    match stray_field(fields, allowed) {
        Some(field) => Err(Complaint::invalid(format!("Unknown parameter: '{at}{field}'."))),
        None => Ok(()),
    }
}

fn text<'a>(fields: &'a Fields, field: &str, at: &str) -> Checked<&'a str> {
    match fields.get(field) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(Complaint::invalid(format!(
            "Invalid type for '{at}{field}': expected a string, but got {other} instead."
        ))),
        None => Err(Complaint::invalid(format!("Missing required parameter: '{at}{field}'."))),
    }
}

fn top_level(body: &Fields) -> Checked {
    for field in ["temperature", "top_p"] {
        ensure(!body.contains_key(field), || {
            format!("Unsupported parameter: '{field}' is not supported with this model.")
        })?;
    }
    only(body, FIELDS, "")?;
    ensure(has_words(text(body, "model", "")?), || "you must provide a model parameter")?;
    ensure(
        !(body.contains_key("max_tokens") && body.contains_key("max_completion_tokens")),
        || "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
    )?;
    for field in ["max_tokens", "max_completion_tokens"] {
        ensure(
            body.get(field).is_none_or(|most| most.as_u64().is_some_and(|most| most > 0)),
            || format!("Invalid value for '{field}': expected a value >= 1."),
        )?;
    }
    let streams = body.get("stream").is_some_and(|stream| stream == true);
    ensure(
        streams || !body.contains_key("stream_options"),
        || "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
    )?;
    ensure(
        body.contains_key("tools") || !body.contains_key("tool_choice"),
        || "'tool_choice' is only allowed when 'tools' are specified.",
    )?;
    if let Some(format) = body.get("response_format") {
        ensure(format["type"] == "json_schema", || "Invalid value: 'response_format.type'.")?;
        schema::named(&format["json_schema"], "response_format.json_schema")?;
    }
    let efforts = ["none", "minimal", "low", "medium", "high", "xhigh"];
    ensure(
        body.get("reasoning_effort")
            .is_none_or(|effort| effort.as_str().is_some_and(|effort| efforts.contains(&effort))),
        || "Invalid value for 'reasoning_effort'.",
    )?;
    ensure(
        body.contains_key("tools") || !body.contains_key("parallel_tool_calls"),
        || "'parallel_tool_calls' is only allowed when 'tools' are specified.",
    )
}

fn tools(body: &Fields) -> Checked<HashSet<&str>> {
    let mut names = HashSet::new();
    let Some(tools) = body.get("tools") else { return Ok(names) };
    let tools = tools.as_array().filter(|tools| !tools.is_empty()).ok_or_else(|| {
        Complaint::invalid("Invalid 'tools': expected an array with minimum length 1.")
    })?;
    for (index, tool) in tools.iter().enumerate() {
        let at = format!("tools[{index}].");
        let fields = tool
            .as_object()
            .ok_or_else(|| Complaint::invalid(format!("Invalid type for '{at}': an object.")))?;
        only(fields, &["type", "function"], &at)?;
        ensure(tool["type"] == "function", || {
            format!("Invalid value for '{at}type': supported values are: 'function'.")
        })?;
        let function = tool["function"].as_object().ok_or_else(|| {
            Complaint::invalid(format!("Missing required parameter: '{at}function'."))
        })?;
        let at = format!("{at}function.");
        only(function, &["name", "description", "parameters", "strict"], &at)?;
        let name = text(function, "name", &at)?;
        ensure(is_tool_name(name) && name.len() <= 64, || {
            format!("Invalid '{at}name': expected a string matching '^[a-zA-Z0-9_-]{{1,64}}$'.")
        })?;
        ensure(names.insert(name), || format!("Invalid '{at}name': `{name}` is there twice."))?;
        ensure(has_words(text(function, "description", &at)?), || {
            format!("Invalid '{at}description': empty.")
        })?;
        let schema = function.get("parameters").ok_or_else(|| {
            Complaint::invalid(format!("Missing required parameter: '{at}parameters'."))
        })?;
        tool_schema(schema, &format!("{at}parameters"))?;
    }
    Ok(names)
}

fn messages(body: &Fields, tools: &HashSet<&str>) -> Checked<Talk> {
    let messages = body.get("messages").and_then(Value::as_array).filter(|all| !all.is_empty());
    let messages = messages.ok_or_else(|| {
        Complaint::invalid("Invalid 'messages': expected an array with minimum length 1.")
    })?;
    let mut reader = Reader::default();
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages[{index}].");
        let fields = message
            .as_object()
            .ok_or_else(|| Complaint::invalid(format!("Invalid type for '{at}': an object.")))?;
        match text(fields, "role", &at)? {
            "system" | "developer" => {
                only(fields, &["role", "content", "name"], &at)?;
                content(fields, &at)?;
                ensure(reader.talk.steps.is_empty(), || {
                    format!("Invalid '{at}role': a system message must come first.")
                })?;
            }
            "user" => {
                only(fields, &["role", "content", "name"], &at)?;
                reader.settled()?;
                reader.user(content(fields, &at)?);
            }
            "assistant" => {
                reader.settled()?;
                reader.assistant(assistant(fields, &at, tools)?)?;
            }
            "tool" => {
                only(fields, &["role", "content", "tool_call_id", "name"], &at)?;
                reader.tool(text(fields, "tool_call_id", &at)?, &result_text(fields, &at)?)?;
            }
            other => {
                return Err(Complaint::invalid(format!(
                    "Invalid value: '{other}'. Supported values are: 'system', 'assistant', \
                     'user', 'tool' and 'developer'."
                )));
            }
        }
    }
    reader.settled()?;
    ensure(
        matches!(reader.talk.steps.last(), Some(Step::User { .. })),
        || "The conversation must end with a user or tool message.",
    )?;
    ensure(
        matches!(reader.talk.steps.first(), Some(Step::User { .. })),
        || "The conversation must begin with a user message.",
    )?;
    Ok(reader.talk)
}

/// Returns the text of `content`, which must be there.
fn content(fields: &Fields, at: &str) -> Checked<String> {
    let joined = match fields.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            ensure(parts.iter().all(is_part), || {
                format!("Invalid '{at}content': a part is neither text, picture nor file.")
            })?;
            let text = |part: &Value| part["text"].as_str().map(str::to_owned);
            let texts: Vec<String> = parts.iter().filter_map(text).collect();
            ensure(texts.iter().all(|text| has_words(text)), || {
                format!("Invalid '{at}content': a text part is empty.")
            })?;
            texts.join("\n\n")
        }
        _ => {
            return Err(Complaint::invalid(format!(
                "Invalid value for '{at}content': expected a string or an array of parts."
            )));
        }
    };
    ensure(has_words(&joined), || format!("Invalid '{at}content': empty."))?;
    Ok(joined)
}

fn is_part(part: &Value) -> bool {
    let is_data = |uri: &Value| {
        uri.as_str().is_some_and(|uri| uri.starts_with("data:") && uri.contains(";base64,"))
    };
    match part["type"].as_str() {
        Some("text") => part["text"].is_string(),
        Some("image_url") => is_data(&part["image_url"]["url"]),
        Some("file") => is_data(&part["file"]["file_data"]),
        _ => false,
    }
}

/// Returns the text of a tool message, which may be empty, and can be nothing but text.
fn result_text(fields: &Fields, at: &str) -> Checked<String> {
    let parts = fields.get("content").and_then(Value::as_array);
    ensure(parts.is_none_or(|parts| parts.iter().all(|part| part["type"] == "text")), || {
        format!("Invalid '{at}content': only text is allowed in a tool message.")
    })?;
    match fields.get("content") {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => content(fields, at),
    }
}

fn assistant(fields: &Fields, at: &str, tools: &HashSet<&str>) -> Checked<Step> {
    only(fields, ASSISTANT_FIELDS, at)?;
    let said = match fields.get("content") {
        None | Some(Value::Null) => None,
        Some(_) => Some(content(fields, at)?),
    };
    let mut calls = Vec::new();
    if let Some(listed) = fields.get("tool_calls").filter(|listed| !listed.is_null()) {
        let listed = listed.as_array().filter(|listed| !listed.is_empty()).ok_or_else(|| {
            Complaint::invalid(format!(
                "Invalid '{at}tool_calls': empty array. Expected an array with minimum length 1."
            ))
        })?;
        for (index, call) in listed.iter().enumerate() {
            calls.push(tool_call(call, &format!("{at}tool_calls[{index}]."), tools)?);
        }
    }
    let refused = fields.get("refusal").is_some_and(Value::is_string);
    ensure(said.is_some() || !calls.is_empty() || refused, || {
        format!("Invalid value for '{at}content': expected a string, got null.")
    })?;
    let mut raw = Map::new();
    raw.insert("content".into(), said.clone().map_or(Value::Null, Value::from));
    for field in ["tool_calls", "reasoning_content"] {
        if let Some(value) = fields.get(field).filter(|value| !value.is_null()) {
            raw.insert(field.into(), value.clone());
        }
    }
    Ok(Step::Assistant { text: said.unwrap_or_default(), calls, raw: Value::Object(raw) })
}

fn tool_call(call: &Value, at: &str, tools: &HashSet<&str>) -> Checked<Call> {
    let fields = call
        .as_object()
        .ok_or_else(|| Complaint::invalid(format!("Invalid type for '{at}': an object.")))?;
    only(fields, &["id", "type", "function"], at)?;
    let id = text(fields, "id", at)?.to_owned();
    ensure(call["type"] == "function", || {
        format!("Invalid value for '{at}type': supported values are: 'function'.")
    })?;
    let function = call["function"].as_object().ok_or_else(|| {
        Complaint::invalid(format!("Missing required parameter: '{at}function'."))
    })?;
    let at = format!("{at}function.");
    only(function, &["name", "arguments"], &at)?;
    let name = text(function, "name", &at)?.to_owned();
    ensure(tools.contains(name.as_str()) || name == UNKNOWN_TOOL, || {
        format!("Invalid '{at}name': `{name}` is used but not declared in 'tools'.")
    })?;
    let arguments = text(function, "arguments", &at)?;
    let input = serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments));
    Ok(Call { id, name, input })
}

/// Puts messages together into steps: tool messages and what the user says after them are one.
#[derive(Default)]
struct Reader {
    talk: Talk,
    open: Vec<String>,
    seen: HashSet<String>,
}

impl Reader {
    fn settled(&self) -> Checked {
        ensure(self.open.is_empty(), || {
            format!(
                "An assistant message with 'tool_calls' must be followed by tool messages \
                 responding to each 'tool_call_id'. The following tool_call_ids did not have \
                 response messages: {}",
                self.open.join(", ")
            )
        })
    }

    fn user(&mut self, said: String) {
        match self.talk.steps.last_mut() {
            Some(Step::User { text, .. }) => {
                if !text.is_empty() {
                    text.push_str("\n\n");
                }
                text.push_str(&said);
            }
            _ => self.talk.steps.push(Step::User { results: Vec::new(), text: said }),
        }
    }

    fn assistant(&mut self, step: Step) -> Checked {
        if let Step::Assistant { calls, .. } = &step {
            for call in calls {
                ensure(self.seen.insert(call.id.clone()), || {
                    format!("Invalid 'messages': the tool call id '{}' is there twice.", call.id)
                })?;
                self.open.push(call.id.clone());
            }
        }
        self.talk.steps.push(step);
        Ok(())
    }

    fn tool(&mut self, id: &str, said: &str) -> Checked {
        let place = self.open.iter().position(|open| open == id).ok_or_else(|| {
            Complaint::invalid(format!(
                "Invalid parameter: messages with role 'tool' must be a response to a preceding \
                 message with 'tool_calls'; '{id}' has no open call."
            ))
        })?;
        self.open.remove(place);
        // This wire has no flag for failures; the word in front is the convention.
        let failed = said.starts_with("Error");
        let said = said.strip_prefix("Error: ").unwrap_or(said).to_owned();
        let outcome = Outcome { id: id.to_owned(), text: said, failed };
        match self.talk.steps.last_mut() {
            Some(Step::User { results, .. }) => results.push(outcome),
            _ => self.talk.steps.push(Step::User { results: vec![outcome], text: String::new() }),
        }
        Ok(())
    }
}
