//! Reads a Responses request as strictly as the API does, and then some: it must be stateless.

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
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "stream",
    "store",
    "include",
    "max_output_tokens",
    "reasoning",
    "text",
    "parallel_tool_calls",
    "prompt_cache_key",
    "metadata",
];

/// Checks a request and returns its conversation.
pub fn read(body: &Value) -> Checked<Talk> {
    let body = body
        .as_object()
        .ok_or_else(|| Complaint::invalid("We could not parse the JSON body of your request."))?;
    only(body, FIELDS, "")?;
    top_level(body)?;
    let tools = tools(body)?;
    if let Some(choice) = body.get("tool_choice").filter(|choice| choice.is_object()) {
        let name = choice["name"].as_str().unwrap_or_default();
        ensure(choice["type"] == "function" && tools.contains(name), || {
            format!("Tool choice '{name}' not found in 'tools' parameter.")
        })?;
    }
    items(body, &tools)
}

fn only(fields: &Fields, allowed: &[&str], at: &str) -> Checked {
    match stray_field(fields, allowed) {
        Some(field) => Err(Complaint::invalid(format!("Unknown parameter: '{at}{field}'."))),
        None => Ok(()),
    }
}

fn text<'a>(fields: &'a Fields, field: &str, at: &str) -> Checked<&'a str> {
    fields.get(field).and_then(Value::as_str).ok_or_else(|| {
        Complaint::invalid(format!("Invalid type for '{at}{field}': expected a string."))
    })
}

fn top_level(body: &Fields) -> Checked {
    ensure(has_words(text(body, "model", "")?), || "you must provide a model parameter")?;
    ensure(
        body.get("store").is_some_and(|store| store == false),
        || "Invalid value for 'store': the stand-in stores nothing.",
    )?;
    let encrypted = body.get("include").and_then(Value::as_array);
    let encrypted = encrypted
        .is_some_and(|include| include.iter().any(|one| one == "reasoning.encrypted_content"));
    ensure(encrypted, || "Invalid 'include': without a store, thoughts have to be encrypted.")?;
    ensure(
        body.get("max_output_tokens")
            .is_none_or(|most| most.as_u64().is_some_and(|most| most >= 16)),
        || "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16.",
    )?;
    if let Some(reasoning) = body.get("reasoning") {
        let efforts = ["none", "minimal", "low", "medium", "high", "xhigh"];
        let effort = reasoning["effort"].as_str();
        ensure(effort.is_some_and(|effort| efforts.contains(&effort)), || {
            format!("Invalid value for 'reasoning.effort': {reasoning}")
        })?;
    }
    match body.get("text").map(|text| &text["format"]) {
        None => Ok(()),
        Some(format) => {
            ensure(format["type"] == "json_schema", || "Invalid value for 'text.format.type'.")?;
            schema::named(format, "text.format")
        }
    }
}

fn tools(body: &Fields) -> Checked<HashSet<&str>> {
    let mut names = HashSet::new();
    let Some(tools) = body.get("tools") else { return Ok(names) };
    let tools = tools.as_array().filter(|tools| !tools.is_empty());
    let tools = tools.ok_or_else(|| Complaint::invalid("Invalid 'tools': expected an array."))?;
    for (index, tool) in tools.iter().enumerate() {
        let at = format!("tools[{index}].");
        let fields = tool
            .as_object()
            .ok_or_else(|| Complaint::invalid(format!("Invalid type for '{at}': an object.")))?;
        only(fields, &["type", "name", "description", "parameters", "strict"], &at)?;
        ensure(tool["type"] == "function", || format!("Invalid value: '{at}type'."))?;
        // Left out it is true, which refuses most schemas.
        ensure(tool["strict"] == false, || {
            format!("Invalid schema for function '{}': it is not strict.", tool["name"])
        })?;
        let name = text(fields, "name", &at)?;
        ensure(is_tool_name(name) && name.len() <= 64, || format!("Invalid '{at}name'."))?;
        ensure(names.insert(name), || format!("Invalid '{at}name': `{name}` is there twice."))?;
        ensure(has_words(text(fields, "description", &at)?), || {
            format!("Invalid '{at}description': empty.")
        })?;
        tool_schema(&tool["parameters"], &format!("{at}parameters"))?;
    }
    Ok(names)
}

fn items(body: &Fields, tools: &HashSet<&str>) -> Checked<Talk> {
    let items = body.get("input").and_then(Value::as_array).filter(|all| !all.is_empty());
    let items = items.ok_or_else(|| Complaint::invalid("Invalid 'input': expected items."))?;
    let mut reader = Reader::default();
    for (index, item) in items.iter().enumerate() {
        let at = format!("input[{index}].");
        let fields = item
            .as_object()
            .ok_or_else(|| Complaint::invalid(format!("Invalid type for '{at}': an object.")))?;
        let is_user = fields.get("role").is_some_and(|role| role == "user");
        match text(fields, "type", &at)? {
            "message" if is_user => {
                only(fields, &["type", "role", "content"], &at)?;
                reader.settled()?;
                reader.user(&said(fields, &at)?);
            }
            "message" => {
                only(fields, &["type", "role", "content", "id", "status"], &at)?;
                reader.settled()?;
                reader.assistant(item, &answered(fields, &at)?, None)?;
            }
            "reasoning" => {
                only(fields, &["type", "id", "summary", "encrypted_content"], &at)?;
                reader.settled()?;
                let next = items.get(index + 1).and_then(|next| next["type"].as_str());
                let id = text(fields, "id", &at)?;
                ensure(matches!(next, Some("message" | "function_call" | "reasoning")), || {
                    format!(
                        "Item '{id}' of type 'reasoning' was provided without its required \
                         following item."
                    )
                })?;
                ensure(fields.get("encrypted_content").is_some_and(Value::is_string), || {
                    format!("Item with id '{id}' not found. Items are not persisted.")
                })?;
                reader.assistant(item, "", None)?;
            }
            "function_call" => {
                reader.assistant(item, "", Some(call(fields, &at, tools)?))?;
            }
            "function_call_output" => {
                only(fields, &["type", "call_id", "output"], &at)?;
                reader.output(text(fields, "call_id", &at)?, &output(fields, &at)?)?;
            }
            other => {
                return Err(Complaint::invalid(format!("Invalid value: '{other}' at '{at}type'.")));
            }
        }
    }
    reader.settled()?;
    ensure(
        matches!(reader.talk.steps.last(), Some(Step::User { .. })),
        || "The conversation must end with a message of the user or an output.",
    )?;
    Ok(reader.talk)
}

/// Returns the text of what the user says.
fn said(fields: &Fields, at: &str) -> Checked<String> {
    let parts = fields.get("content").and_then(Value::as_array).filter(|parts| !parts.is_empty());
    let parts =
        parts.ok_or_else(|| Complaint::invalid(format!("Invalid '{at}content': empty.")))?;
    let texts = parts.iter().map(|part| input_part(part, at)).collect::<Checked<Vec<_>>>()?;
    let texts: Vec<&str> = texts.into_iter().flatten().collect();
    ensure(texts.iter().all(|text| has_words(text)), || format!("Invalid '{at}content': empty."))?;
    Ok(texts.join("\n\n"))
}

/// Returns the text of a part, or nothing of one that shows something.
fn input_part<'a>(part: &'a Value, at: &str) -> Checked<Option<&'a str>> {
    let is_data = |field: &str| {
        part[field].as_str().is_some_and(|uri| uri.starts_with("data:") && uri.contains(";base64,"))
    };
    match part["type"].as_str() {
        Some("input_text") => Ok(part["text"].as_str()),
        Some("input_image") if is_data("image_url") => Ok(None),
        Some("input_file") if is_data("file_data") && part["filename"].is_string() => Ok(None),
        _ => Err(Complaint::invalid(format!("Invalid '{at}content': {part}"))),
    }
}

/// Returns the text of an earlier answer.
fn answered(fields: &Fields, at: &str) -> Checked<String> {
    ensure(fields.get("role").is_some_and(|role| role == "assistant"), || {
        format!("Invalid value: '{at}role'.")
    })?;
    let parts = fields.get("content").and_then(Value::as_array).filter(|parts| !parts.is_empty());
    let parts =
        parts.ok_or_else(|| Complaint::invalid(format!("Invalid '{at}content': empty.")))?;
    let text = |part: &Value| match part["type"].as_str() {
        Some("output_text") => part["text"].as_str().map(str::to_owned),
        Some("refusal") => part["refusal"].as_str().map(str::to_owned),
        _ => None,
    };
    let texts: Option<Vec<String>> = parts.iter().map(text).collect();
    let texts =
        texts.ok_or_else(|| Complaint::invalid(format!("Invalid '{at}content': no output.")))?;
    Ok(texts.concat())
}

fn call(fields: &Fields, at: &str, tools: &HashSet<&str>) -> Checked<Call> {
    only(fields, &["type", "id", "call_id", "name", "arguments", "status"], at)?;
    let id = text(fields, "call_id", at)?.to_owned();
    let name = text(fields, "name", at)?.to_owned();
    ensure(tools.contains(name.as_str()) || name == UNKNOWN_TOOL, || {
        format!("Invalid '{at}name': `{name}` is used but not declared in 'tools'.")
    })?;
    let arguments = text(fields, "arguments", at)?;
    let input = serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments));
    Ok(Call { id, name, input })
}

/// Returns the text of an output, which may be empty.
fn output(fields: &Fields, at: &str) -> Checked<String> {
    match fields.get("output") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) if !parts.is_empty() => {
            let texts =
                parts.iter().map(|part| input_part(part, at)).collect::<Checked<Vec<_>>>()?;
            Ok(texts.into_iter().flatten().collect::<Vec<_>>().join("\n"))
        }
        _ => Err(Complaint::invalid(format!("Invalid '{at}output': expected a string or parts."))),
    }
}

/// Puts items together into steps.
#[derive(Default)]
struct Reader {
    talk: Talk,
    open: Vec<String>,
    seen: HashSet<String>,
}

impl Reader {
    fn settled(&self) -> Checked {
        ensure(self.open.is_empty(), || {
            format!("No tool output found for function call {}.", self.open.join(", "))
        })
    }

    fn user(&mut self, said: &str) {
        match self.talk.steps.last_mut() {
            Some(Step::User { text, .. }) => {
                if !text.is_empty() {
                    text.push_str("\n\n");
                }
                text.push_str(said);
            }
            _ => self.talk.steps.push(Step::User { results: Vec::new(), text: said.to_owned() }),
        }
    }

    fn assistant(&mut self, item: &Value, said: &str, call: Option<Call>) -> Checked {
        if !matches!(self.talk.steps.last(), Some(Step::Assistant { .. })) {
            self.settled()?;
            let raw = Value::Array(Vec::new());
            self.talk.steps.push(Step::Assistant { text: String::new(), calls: Vec::new(), raw });
        }
        if let Some(call) = &call {
            ensure(self.seen.insert(call.id.clone()), || {
                format!("Duplicate item found with call_id '{}'.", call.id)
            })?;
            self.open.push(call.id.clone());
        }
        if let Some(Step::Assistant { text, calls, raw: Value::Array(raw) }) =
            self.talk.steps.last_mut()
        {
            text.push_str(said);
            calls.extend(call);
            raw.push(item.clone());
        }
        Ok(())
    }

    fn output(&mut self, id: &str, said: &str) -> Checked {
        let place = self.open.iter().position(|open| open == id).ok_or_else(|| {
            Complaint::invalid(format!(
                "No tool call found for function call output with call_id {id}."
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
