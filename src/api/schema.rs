//! Schemas: JSON Schema as a Lua table, or the short form
//! `{ score = "integer", note = "string?", findings = { { file = "string" } } }`.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// What limits a value beside its type.
const LIMITS: [&str; 17] = [
    "title",
    "format",
    "pattern",
    "default",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "prefixItems",
];

const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "object", "array", "any"];

/// Returns the JSON Schema of an object. `path` names the value in errors.
///
/// # Errors
/// Usage, for what is neither form.
pub fn object(value: &Value, path: &str) -> Result<Value> {
    let Value::Object(fields) = value else {
        return Err(Error::usage(format!("{path} must be a table of fields, or a JSON Schema")));
    };
    if is_json_schema(fields) {
        if fields.get("type") != Some(&json!("object")) {
            return Err(Error::usage(format!("{path} must be the schema of an object")));
        }
        return Ok(value.clone());
    }
    fields_schema(fields, path)
}

/// Returns the JSON Schema of a value. `path` names it in errors.
///
/// # Errors
/// Usage, for what is neither form.
pub fn any(value: &Value, path: &str) -> Result<Value> {
    match value {
        Value::Object(_) | Value::Array(_) => Ok(field_schema(value, path)?.0),
        _ => Err(Error::usage(format!(
            "{path} must be a table: a JSON Schema, fields by name, or a list with the type of its \
             items"
        ))),
    }
}

/// A table is a JSON Schema if its `type` (or a combinator) is there and no field's short form.
fn is_json_schema(fields: &Map<String, Value>) -> bool {
    let combined = ["$ref", "$schema", "$id", "$defs", "anyOf", "allOf", "oneOf", "enum", "const"];
    let companions = ["properties", "items", "required", "description", "additionalProperties"];
    let typed = match fields.get("type") {
        Some(Value::String(word)) => TYPES.contains(&word.as_str()) || word == "null",
        Some(Value::Array(words)) => words.len() > 1 && words.iter().all(Value::is_string),
        _ => false,
    };
    // What limits a value is a number, a flag or a text that is no type.
    let limits = |(name, limit): (&String, &Value)| {
        LIMITS.contains(&name.as_str()) && field_schema(limit, "").is_err()
    };
    let companion = |name: &String| companions.contains(&name.as_str());
    (typed && (fields.len() == 1 || fields.keys().any(companion) || fields.iter().any(limits)))
        || fields.keys().any(|key| combined.contains(&key.as_str()))
}

fn fields_schema(fields: &Map<String, Value>, path: &str) -> Result<Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, field) in fields {
        let inner = within(path, &format!(".{name}"));
        let (schema, optional) = field_schema(field, &inner)?;
        if !optional {
            required.push(Value::String(name.clone()));
        }
        properties.insert(name.clone(), schema);
    }
    Ok(json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    }))
}

/// Returns the path of a part; what is quoted stays so: `schema` and `.a` make `schema.a`.
fn within(path: &str, part: &str) -> String {
    path.strip_suffix('`').map_or_else(|| format!("{path}{part}"), |open| format!("{open}{part}`"))
}

/// Returns a field's schema and whether it may be left out.
fn field_schema(field: &Value, path: &str) -> Result<(Value, bool)> {
    match field {
        Value::String(word) => {
            let (name, optional) = match word.strip_suffix('?') {
                Some(name) => (name, true),
                None => (word.as_str(), false),
            };
            match name {
                "any" => Ok((json!({}), optional)),
                name if TYPES.contains(&name) => Ok((json!({ "type": name }), optional)),
                _ => Err(Error::usage(format!(
                    "{path}: `{word}` is no type; there are {}, and `?` after one makes it optional",
                    TYPES.join(", ")
                ))),
            }
        }
        Value::Array(items) if items.len() == 1 => {
            let (item, _) = field_schema(&items[0], &within(path, "[1]"))?;
            Ok((json!({ "type": "array", "items": item }), false))
        }
        Value::Array(_) => Err(Error::usage(format!(
            "{path}: a list names the type of its items once, as in `{{ \"string\" }}`"
        ))),
        Value::Object(fields) if is_json_schema(fields) => Ok((field.clone(), false)),
        Value::Object(fields) => Ok((fields_schema(fields, path)?, false)),
        _ => Err(Error::usage(format!(
            "{path} must be a type, a list with one type, or a table of fields"
        ))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_is_a_schema() {
        let short =
            json!({ "score": "integer", "note": "string?", "findings": [{ "file": "string" }] });
        assert_eq!(
            object(&short, "schema").unwrap(),
            json!({
                "type": "object",
                "properties": {
                    "score": { "type": "integer" },
                    "note": { "type": "string" },
                    "findings": { "type": "array", "items": {
                        "type": "object",
                        "properties": { "file": { "type": "string" } },
                        "required": ["file"],
                        "additionalProperties": false,
                    } },
                },
                "required": ["score", "findings"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn a_schema_stays_what_it_is_and_a_field_may_be_called_type() {
        let schema = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
        assert_eq!(object(&schema, "s").unwrap(), schema);
        for schema in [
            json!({ "type": "string", "minLength": 3 }),
            json!({ "type": "string", "pattern": "^a" }),
            json!({ "type": ["string", "null"] }),
            json!({ "type": "array", "items": { "type": "string" } }),
        ] {
            assert_eq!(any(&schema, "s").unwrap(), schema);
        }
        assert_eq!(any(&json!([{ "a": "string" }]), "s").unwrap()["items"]["required"][0], "a");
        assert!(any(&json!("string"), "s").is_err());
        let field = object(&json!({ "type": "string", "title": "string" }), "s").unwrap();
        assert_eq!(field["properties"]["title"]["type"], "string");
        let field = object(&json!({ "type": "string", "name": "string" }), "s").unwrap();
        assert_eq!(field["properties"]["type"]["type"], "string");
        assert_eq!(
            object(&json!({ "a": "strng" }), "s").unwrap_err().message,
            "s.a: `strng` is no type; there are string, number, integer, boolean, object, array, any, and `?` after one makes it optional"
        );
    }
}
