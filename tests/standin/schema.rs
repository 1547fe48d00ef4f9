//! The schemas that an answer is held to, as each provider limits them.

use serde_json::Value;

use super::complaint::{Checked, Complaint, ensure};

/// Checks that every object of a schema is closed, and that nothing in it is beyond the API.
pub fn closed(node: &Value, at: &str) -> Checked {
    let node = node
        .as_object()
        .ok_or_else(|| Complaint::invalid(format!("{at}: Input should be a valid dictionary")))?;
    let beyond = ["minimum", "maximum", "minLength", "maxLength", "maxItems", "pattern", "$ref"];
    for field in beyond {
        ensure(!node.contains_key(field), || format!("{at}: '{field}' is not supported"))?;
    }
    if node.get("type").is_some_and(|kind| kind == "object") {
        ensure(node.get("additionalProperties").is_some_and(|more| more == false), || {
            format!(
                "{at}: For 'object' type, 'additionalProperties' must be explicitly set to false"
            )
        })?;
    }
    for (name, property) in node.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        closed(property, &format!("{at}.properties.{name}"))?;
    }
    for choice in node.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        closed(choice, &format!("{at}.anyOf"))?;
    }
    node.get("items").map_or(Ok(()), |items| closed(items, &format!("{at}.items")))
}

/// Checks a named schema; a strict one is closed and requires all.
pub fn named(named: &Value, at: &str) -> Checked {
    ensure(named["name"].is_string(), || format!("Missing required parameter: '{at}.name'."))?;
    ensure(named["schema"]["type"] == "object", || {
        format!("Invalid schema for response_format: '{at}.schema' must be an object.")
    })?;
    ensure(named["strict"] != true || is_strict(&named["schema"]), || {
        format!("Invalid schema for response_format: '{at}.schema' is not strict.")
    })
}

fn is_strict(node: &Value) -> bool {
    let Some(fields) = node.as_object() else { return true };
    let requires = |name: &String| {
        node["required"].as_array().is_some_and(|required| required.iter().any(|one| one == name))
    };
    let properties = fields.get("properties").and_then(Value::as_object);
    let is_closed = properties.is_none_or(|properties| {
        node["additionalProperties"] == false
            && properties.keys().all(requires)
            && properties.values().all(is_strict)
    });
    is_closed && fields.get("items").is_none_or(is_strict)
}
