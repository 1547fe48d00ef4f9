//! Schemas that are made of others, `$ref`, `allOf`, `anyOf`, `oneOf`, `if`, put together into one
//! without them.

use serde_json::{Map, Value, json};

use super::Maker;

/// How many steps of putting together there are at most: references may go in circles.
const STEPS: u32 = 64;

impl Maker<'_> {
    /// Returns the schema with one choice made for each of its combinations.
    pub(super) fn plain(&self, fields: &Map<String, Value>, depth: u32) -> Map<String, Value> {
        let mut fields = fields.clone();
        for _ in 0..STEPS {
            let (name, part) = if let Some(part) = fields.remove("$ref") {
                ("$ref", part)
            } else if let Some(part) = fields.remove("allOf") {
                ("allOf", part)
            } else if let Some(part) = fields.remove("oneOf") {
                ("oneOf", part)
            } else if let Some(part) = fields.remove("anyOf") {
                ("anyOf", part)
            } else if let Some(part) = fields.remove("if") {
                ("if", part)
            } else {
                break;
            };
            let (then, otherwise) = match name {
                "if" => (fields.remove("then"), fields.remove("else")),
                _ => (None, None),
            };
            let added = match (name, part) {
                ("$ref", Value::String(reference)) => self.referred(&reference),
                ("allOf", Value::Array(all)) => {
                    all.iter().fold(json!(true), |whole, part| both(&whole, part))
                }
                ("if", condition) if self.choice.of(2) == 0 => {
                    both(&condition, &then.unwrap_or(json!(true)))
                }
                ("if", _) => otherwise.unwrap_or(json!(true)),
                (_, Value::Array(branches)) => self.branch(&branches, depth),
                _ => json!(true),
            };
            match both(&Value::Object(fields), &added) {
                Value::Object(whole) => fields = whole,
                // Nothing fits both.
                _ => return Map::from_iter([("enum".to_owned(), json!([]))]),
            }
        }
        fields
    }

    /// Chooses a branch: the first that is not `null`; deep down one that leads no further.
    fn branch(&self, branches: &[Value], depth: u32) -> Value {
        let is_null = |branch: &&Value| branch["type"] == json!("null") || **branch == json!(false);
        let (nothing, mut some): (Vec<&Value>, Vec<&Value>) = branches.iter().partition(is_null);
        if depth >= super::DEEP {
            some.splice(0..0, nothing);
        } else {
            some.extend(nothing);
        }
        self.choice.among(&some).map_or(json!(true), |branch| (*branch).clone())
    }

    fn referred(&self, reference: &str) -> Value {
        let Some(place) = reference.strip_prefix('#') else { return json!(true) };
        let found = self.root.pointer(place).or_else(|| anchored(self.root, place));
        found.cloned().unwrap_or(json!(true))
    }
}

/// Finds the schema that has a name of its own.
fn anchored<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => {
            if fields.get("$anchor").and_then(Value::as_str) == Some(name) {
                return Some(value);
            }
            fields.values().find_map(|field| anchored(field, name))
        }
        Value::Array(items) => items.iter().find_map(|item| anchored(item, name)),
        _ => None,
    }
}

/// Returns a schema of what fits both, as far as one can be told.
pub(super) fn both(one: &Value, other: &Value) -> Value {
    match (one, other) {
        (Value::Bool(false), _) | (_, Value::Bool(false)) => json!(false),
        (Value::Object(one), Value::Object(other)) => {
            let mut whole = one.clone();
            for (name, field) in other {
                let joined = match whole.get(name) {
                    Some(own) => joined(name, own, field),
                    None => field.clone(),
                };
                whole.insert(name.clone(), joined);
            }
            Value::Object(whole)
        }
        (Value::Object(_), _) => one.clone(),
        _ => other.clone(),
    }
}

/// Returns what a keyword says that two schemas have.
fn joined(name: &str, one: &Value, other: &Value) -> Value {
    let pick = |larger: bool| {
        let (a, b) = (one.as_f64().unwrap_or_default(), other.as_f64().unwrap_or_default());
        if (a >= b) == larger { one.clone() } else { other.clone() }
    };
    match name {
        "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties"
        | "minContains" => pick(true),
        "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" => pick(false),
        "required" | "allOf" => list(one).into_iter().chain(list(other)).collect(),
        "enum" => list(one).into_iter().filter(|value| list(other).contains(value)).collect(),
        "type" => {
            let (one, other) = (list(one), list(other));
            let whole = |kinds: &[Value]| kinds.contains(&json!("number"));
            let fits =
                |kind: &Value| other.contains(kind) || (kind == &json!("integer") && whole(&other));
            let mut kinds: Vec<Value> = one.iter().filter(|kind| fits(kind)).cloned().collect();
            if whole(&one) && other.contains(&json!("integer")) {
                kinds.push(json!("integer"));
            }
            Value::Array(kinds)
        }
        "properties" | "patternProperties" | "$defs" | "definitions" => both_members(one, other),
        "items" | "additionalProperties" | "contains" => both(one, other),
        _ => other.clone(),
    }
}

fn both_members(one: &Value, other: &Value) -> Value {
    let mut whole = one.as_object().cloned().unwrap_or_default();
    for (name, field) in other.as_object().into_iter().flatten() {
        let joined = whole.get(name).map_or_else(|| field.clone(), |own| both(own, field));
        whole.insert(name.clone(), joined);
    }
    Value::Object(whole)
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}
