//! What is wrong with a request, in the words of the provider, and the checks both wires share.

use serde_json::{Map, Value};

/// A refused request: the status, the provider's error type, the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub status: u16,
    pub kind: &'static str,
    pub message: String,
    /// Whether the client broke the protocol; false for what a user may get wrong, such as a key.
    pub violation: bool,
}

impl Complaint {
    /// Makes the complaint about a request that breaks the protocol.
    pub fn invalid(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status: 400, kind: "invalid_request_error", message, violation: true }
    }

    /// Makes the answer to something that is no fault of the client's code.
    pub fn plain(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), violation: false }
    }
}

/// The result of a check.
pub type Checked<T = ()> = Result<T, Complaint>;

/// Fails with `message` unless `holds`.
pub fn ensure<M: Into<String>>(holds: bool, message: impl FnOnce() -> M) -> Checked {
    if holds { Ok(()) } else { Err(Complaint::invalid(message())) }
}

/// Returns the first field that is not allowed.
pub fn stray_field<'a>(object: &'a Map<String, Value>, allowed: &[&str]) -> Option<&'a str> {
    object.keys().map(String::as_str).find(|field| !allowed.contains(field))
}

/// Reports whether text is there and is more than white space.
pub fn has_words(text: &str) -> bool {
    !text.trim().is_empty()
}

/// Reports whether `name` is one that both providers take.
pub fn is_tool_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Checks the outside of a tool's schema: an object with sound `properties` and `required`.
pub fn tool_schema(schema: &Value, at: &str) -> Checked {
    ensure(schema.is_object(), || format!("{at}: Input should be a valid dictionary"))?;
    ensure(schema["type"] == "object", || format!("{at}.type: Input should be 'object'"))?;
    schema_node(schema, at)
}

fn schema_node(schema: &Value, at: &str) -> Checked {
    const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];
    let Some(node) = schema.as_object() else {
        return ensure(schema.is_boolean(), || format!("{at}: JSON schema is invalid"));
    };
    let known = |kind: &Value| kind.as_str().is_some_and(|kind| TYPES.contains(&kind));
    if let Some(kind) = node.get("type") {
        let sound = known(kind) || kind.as_array().is_some_and(|kinds| kinds.iter().all(known));
        ensure(sound, || format!("{at}.type: JSON schema is invalid: {kind} is not a type"))?;
    }
    if let Some(properties) = node.get("properties") {
        let properties = properties.as_object().ok_or_else(|| {
            Complaint::invalid(format!("{at}.properties: JSON schema is invalid: not an object"))
        })?;
        for (name, property) in properties {
            schema_node(property, &format!("{at}.properties.{name}"))?;
        }
    }
    if let Some(required) = node.get("required") {
        let names = required.as_array().filter(|names| {
            names
                .iter()
                .all(|name| name.as_str().is_some_and(|name| !node["properties"][name].is_null()))
        });
        ensure(names.is_some(), || {
            format!("{at}.required: JSON schema is invalid: names no declared property")
        })?;
    }
    node.get("items").map_or(Ok(()), |items| schema_node(items, &format!("{at}.items")))
}
