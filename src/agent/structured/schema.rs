//! What a structured answer has to fit: the script's schema, and the one of an object that models are told.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::schema::Checker;
use crate::schema::sample::{Shape, sample};

/// The member that holds a value which is no object: providers ask for objects.
const VALUE: &str = "value";

/// What an answer has to fit.
#[derive(Debug)]
pub struct Schema {
    /// As the model is told: the schema of an object.
    wire: Arc<Value>,
    /// Whether the object only holds the value.
    wrapped: bool,
    checker: Checker,
}

impl Schema {
    /// Compiles a JSON Schema.
    ///
    /// # Errors
    /// Why it is none: a clause.
    pub fn new(schema: &Value) -> Result<Self, String> {
        let checker = Checker::new(schema)?;
        let combined = ["anyOf", "oneOf", "allOf", "not", "$ref", "enum", "const", "if"];
        let plain = schema.as_object().filter(|fields| {
            !combined.iter().any(|word| fields.contains_key(*word))
                && fields.get("type").map_or_else(
                    || fields.contains_key("properties"),
                    |kind| kind == &json!("object"),
                )
        });
        let wire = match plain {
            Some(fields) => {
                let mut fields = fields.clone();
                fields.insert("type".to_owned(), json!("object"));
                Value::Object(fields)
            }
            None => json!({
                "type": "object",
                "properties": { VALUE: below(schema, &format!("#/properties/{VALUE}")) },
                "required": [VALUE],
                "additionalProperties": false,
            }),
        };
        Ok(Self { wire: Arc::new(wire), wrapped: plain.is_none(), checker })
    }

    /// Returns it as the schema of an object, for models.
    pub fn wire(&self) -> &Arc<Value> {
        &self.wire
    }

    /// Returns a value that fits, made without a model; nothing when none was found.
    pub fn sample(&self, shape: Shape) -> Option<Value> {
        let wire = Checker::new(&self.wire).ok()?;
        let value = sample(&self.wire, &wire, shape).map(|value| self.unwrapped(value))?;
        self.fitted(&value).ok()
    }

    /// Takes a value out of the object that a model was asked for.
    pub(super) fn unwrapped(&self, given: Value) -> Value {
        match given {
            Value::Object(mut fields)
                if self.wrapped && fields.len() == 1 && fields.contains_key(VALUE) =>
            {
                fields.remove(VALUE).unwrap_or_default()
            }
            other => other,
        }
    }

    /// Checks a value; returns it as the script gets it, or what does not fit. A member that is null
    /// stands for one that is left out, where only that fits: models write both.
    pub(super) fn fitted(&self, value: &Value) -> Result<Value, Vec<String>> {
        let violations = self.checker.check(value);
        if violations.is_empty() {
            return Ok(value.clone());
        }
        let dense = without_nulls(value);
        if self.checker.check(&dense).is_empty() { Ok(dense) } else { Err(violations) }
    }
}

/// Returns a schema with the references into itself as they are when it stands at `place`.
fn below(schema: &Value, place: &str) -> Value {
    match schema {
        // Its references are to be read from where it says.
        Value::Object(fields) if fields.contains_key("$id") => schema.clone(),
        Value::Object(fields) => {
            let moved = fields.iter().map(|(name, field)| {
                let field = match (name.as_str(), field) {
                    ("$ref" | "$dynamicRef", Value::String(reference)) => {
                        match reference.strip_prefix('#') {
                            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                                Value::String(format!("{place}{rest}"))
                            }
                            _ => field.clone(),
                        }
                    }
                    _ => below(field, place),
                };
                (name.clone(), field)
            });
            Value::Object(moved.collect())
        }
        Value::Array(items) => items.iter().map(|item| below(item, place)).collect(),
        other => other.clone(),
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, field)| !field.is_null());
            kept.map(|(name, field)| (name.clone(), without_nulls(field)))
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn score() -> Value {
        json!({
            "type": "object",
            "properties": { "score": { "type": "integer" }, "note": { "type": "string" } },
            "required": ["score"],
            "additionalProperties": false,
        })
    }

    #[test]
    fn objects_go_as_they_are_and_everything_else_is_wrapped() {
        let object = Schema::new(&score()).unwrap();
        assert_eq!(**object.wire(), score());
        assert_eq!(object.unwrapped(json!({ "value": 1 })), json!({ "value": 1 }));
        let properties = json!({ "properties": { "a": {} } });
        assert_eq!(Schema::new(&properties).unwrap().wire()["type"], "object");
        for schema in [
            json!({ "type": "array", "items": { "type": "string" } }),
            json!({ "type": ["object", "null"] }),
            json!({ "type": "object", "anyOf": [{ "required": ["a"] }] }),
            json!(true),
        ] {
            let wrapped = Schema::new(&schema).unwrap();
            assert_eq!(wrapped.wire()["properties"]["value"], schema);
            assert_eq!(wrapped.unwrapped(json!({ "value": [1] })), json!([1]));
            assert_eq!(wrapped.unwrapped(json!([1])), json!([1]));
        }
    }

    #[test]
    fn references_of_a_wrapped_schema_still_lead_somewhere() {
        let tree = json!({
            "type": "array",
            "items": { "anyOf": [{ "$ref": "#" }, { "$ref": "#/$defs/leaf" }] },
            "$defs": { "leaf": { "type": "string" } },
        });
        let schema = Schema::new(&tree).unwrap();
        let wire = Checker::new(schema.wire()).unwrap();
        assert_eq!(wire.check(&json!({ "value": ["a", ["b", []]] })), [] as [String; 0]);
        assert!(!wire.check(&json!({ "value": ["a", [1]] })).is_empty());
        assert!(schema.fitted(&json!([["a"], "b"])).is_ok());
    }

    #[test]
    fn a_null_member_stands_for_one_that_is_left_out() {
        let schema = Schema::new(&score()).unwrap();
        let given = json!({ "score": 1, "note": null });
        assert_eq!(schema.fitted(&given).unwrap(), json!({ "score": 1 }));
        let told = schema.fitted(&json!({ "score": null })).unwrap_err();
        assert_eq!(told, ["`/score`: null is not of type \"integer\""]);
    }
}
