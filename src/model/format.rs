//! A JSON Schema as providers take it to hold a model to it: a part of the standard.
//!
//! Objects are closed, references are written out, and what no provider enforces (lengths, ranges,
//! patterns) is told in the description instead. The whole schema is checked by whoever asked, so
//! what is dropped here loosens nothing. A schema whose meaning would change, such as one of an
//! object with any keys or one that contains itself, has no such form.

use serde_json::{Map, Value, json};

/// How deep a schema may be.
const DEPTH: usize = 32;

/// Keywords that go through as they are.
const KEPT: [&str; 5] = ["enum", "const", "title", "default", "description"];
/// Keywords that are told in words.
const TOLD: [&str; 11] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
];
/// Formats of strings that are enforced; others are told.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Returns the form of `schema` that providers enforce, if it has one.
pub(super) fn enforceable(schema: &Value) -> Option<Value> {
    adapted(schema, schema, 0).filter(|schema| schema["type"] == "object")
}

/// Reports whether every property of every object is required: `OpenAI` enforces only such schemas.
fn requires_all(schema: &Value) -> bool {
    let is_sound = match schema.get("properties").and_then(Value::as_object) {
        Some(properties) => {
            let required = schema.get("required").and_then(Value::as_array);
            properties.keys().all(|name| {
                required.is_some_and(|required| required.iter().any(|one| one == name.as_str()))
            })
        }
        None => true,
    };
    is_sound
        && match schema {
            Value::Object(fields) => fields.values().all(requires_all),
            Value::Array(items) => items.iter().all(requires_all),
            _ => true,
        }
}

/// Returns the fields that `OpenAI`'s APIs take: held to every letter where that is possible and
/// `may_be_strict`, else as a model reads it.
pub(super) fn for_openai(schema: &Value, may_be_strict: bool) -> Value {
    match enforceable(schema).filter(|schema| may_be_strict && requires_all(schema)) {
        Some(closed) => json!({ "name": "answer", "schema": closed, "strict": true }),
        None => json!({ "name": "answer", "schema": schema }),
    }
}

fn adapted(node: &Value, root: &Value, depth: usize) -> Option<Value> {
    let fields = node.as_object().filter(|_| depth < DEPTH)?;
    if let Some(reference) = fields.get("$ref") {
        let place = reference.as_str()?.strip_prefix('#')?;
        return adapted(root.pointer(place)?, root, depth + 1);
    }
    if let Some(kinds) = fields.get("type").and_then(Value::as_array) {
        return one_of_kinds(fields, kinds, root, depth);
    }
    let mut schema = Map::new();
    if let Some(kind) = fields.get("type") {
        schema.insert("type".to_owned(), kind.clone());
    }
    for name in KEPT {
        if let Some(value) = fields.get(name) {
            schema.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(choices) = fields.get("anyOf").or_else(|| fields.get("oneOf")) {
        let choices = choices.as_array()?.iter().map(|choice| adapted(choice, root, depth + 1));
        schema.insert("anyOf".to_owned(), Value::Array(choices.collect::<Option<_>>()?));
    }
    if let Some(all) = fields.get("allOf") {
        let [one] = all.as_array()?.as_slice() else { return None };
        let Value::Object(one) = adapted(one, root, depth + 1)? else { return None };
        schema.extend(one);
    }
    let is_object = fields.get("type").is_some_and(|kind| kind == "object");
    if is_object || fields.contains_key("properties") {
        object(&mut schema, fields, root, depth)?;
    }
    match fields.get("items") {
        Some(items) => drop(schema.insert("items".to_owned(), adapted(items, root, depth + 1)?)),
        None if fields.get("type").is_some_and(|kind| kind == "array") => return None,
        None => {}
    }
    tell(&mut schema, fields);
    let says_what =
        ["type", "enum", "const", "anyOf"].iter().any(|name| schema.contains_key(*name));
    says_what.then_some(Value::Object(schema))
}

fn one_of_kinds(
    fields: &Map<String, Value>,
    kinds: &[Value],
    root: &Value,
    depth: usize,
) -> Option<Value> {
    let choice = |kind: &Value| {
        if kind == "null" {
            return Some(json!({ "type": "null" }));
        }
        let mut one = fields.clone();
        one.insert("type".to_owned(), kind.clone());
        adapted(&Value::Object(one), root, depth + 1)
    };
    let choices = kinds.iter().map(choice).collect::<Option<Vec<_>>>()?;
    Some(json!({ "anyOf": choices }))
}

fn object(
    schema: &mut Map<String, Value>,
    fields: &Map<String, Value>,
    root: &Value,
    depth: usize,
) -> Option<()> {
    let more = fields.get("additionalProperties");
    let properties = fields.get("properties").and_then(Value::as_object);
    let takes_any = fields.contains_key("patternProperties")
        || more.is_some_and(Value::is_object)
        || (properties.is_none_or(Map::is_empty) && more != Some(&Value::Bool(false)));
    if takes_any {
        return None;
    }
    let mut closed = Map::new();
    for (name, property) in properties.into_iter().flatten() {
        closed.insert(name.clone(), adapted(property, root, depth + 1)?);
    }
    schema.insert("properties".to_owned(), Value::Object(closed));
    if let Some(required) = fields.get("required") {
        schema.insert("required".to_owned(), required.clone());
    }
    schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    Some(())
}

/// Puts into the description what is not enforced.
fn tell(schema: &mut Map<String, Value>, fields: &Map<String, Value>) {
    let mut told: Vec<String> = Vec::new();
    for name in TOLD {
        let Some(value) = fields.get(name) else { continue };
        if name == "minItems" && matches!(value.as_u64(), Some(0 | 1)) {
            schema.insert(name.to_owned(), value.clone());
        } else {
            told.push(format!("{name}: {value}"));
        }
    }
    if let Some(format) = fields.get("format").and_then(Value::as_str) {
        if FORMATS.contains(&format) {
            schema.insert("format".to_owned(), format.into());
        } else {
            told.push(format!("format: {format}"));
        }
    }
    if told.is_empty() {
        return;
    }
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{description} ({})", told.join(", "));
    schema.insert("description".to_owned(), description.trim_start().into());
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn objects_are_closed_and_what_is_not_enforced_is_told() {
        let schema = json!({
            "type": "object",
            "properties": {
                "score": { "type": "integer", "minimum": 0, "maximum": 10, "description": "How good." },
                "tags": { "type": "array", "minItems": 1, "maxItems": 3, "items": { "$ref": "#/$defs/tag" } },
                "note": { "type": ["string", "null"], "format": "slug" },
                "on": { "type": "string", "format": "date" },
            },
            "required": ["score"],
            "$defs": { "tag": { "enum": ["a", "b"] } },
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "score": { "type": "integer", "description": "How good. (minimum: 0, maximum: 10)" },
                "tags": {
                    "type": "array", "items": { "enum": ["a", "b"] },
                    "minItems": 1, "description": "(maxItems: 3)",
                },
                "note": { "anyOf": [
                    { "type": "string", "description": "(format: slug)" }, { "type": "null" },
                ] },
                "on": { "type": "string", "format": "date" },
            },
            "required": ["score"],
            "additionalProperties": false,
        });
        let adapted = enforceable(&schema).unwrap();
        assert_eq!(adapted, expected);
        assert!(!requires_all(&adapted));
        let all = json!({
            "type": "object", "required": ["a"],
            "properties": { "a": { "type": "array", "items": {
                "type": "object", "properties": { "b": { "type": "string" } }, "required": ["b"],
            } } },
        });
        assert!(requires_all(&enforceable(&all).unwrap()));
    }

    #[test]
    fn what_would_change_its_meaning_has_no_form() {
        for schema in [
            json!({ "type": "object" }),
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            json!({ "type": "object", "properties": { "a": {} } }),
            json!({ "type": "object", "properties": { "a": true } }),
            json!({ "type": "object", "properties": { "a": { "$ref": "#" } } }),
            json!({ "type": "object", "properties": { "a": { "$ref": "http://x/y" } } }),
            json!({ "type": "object", "properties": { "a": { "type": "array" } } }),
            json!({ "type": "string" }),
            json!(true),
        ] {
            assert_eq!(enforceable(&schema), None, "{schema}");
        }
    }
}
