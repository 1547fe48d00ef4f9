//! Whether a value is what a JSON Schema asks for.
//!
//! A schema is compiled once and never fetches anything: a `$ref` leads inside it, or to one of the
//! drafts' own schemas. What does not fit is told in clauses that a model can act on.

pub mod sample;

use std::fmt::Write;

use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// How many violations are told; the rest are counted.
const TOLD: usize = 8;
/// How many characters of one reason are told: it quotes the value.
const REASON_CHARS: usize = 300;

/// A compiled schema.
#[derive(Debug)]
pub struct Checker(Validator);

impl Checker {
    /// Compiles a schema of any draft; 2020-12 where it does not say which.
    ///
    /// # Errors
    /// Where and why it is not a JSON Schema: a clause.
    pub fn new(schema: &Value) -> Result<Self, String> {
        let built = jsonschema::options().offline().build(schema);
        built.map(Self).map_err(|error| told(&error))
    }

    /// Returns what does not fit, each as "`/path`: reason", a few of them and the number of the rest; nothing when the
    /// value fits.
    pub fn check(&self, value: &Value) -> Vec<String> {
        let mut errors = self.0.iter_errors(value);
        let mut violations: Vec<_> = errors.by_ref().take(TOLD).map(|error| told(&error)).collect();
        let more = errors.count();
        if more > 0 {
            violations.push(format!("and {more} more"));
        }
        violations
    }
}

/// Returns a violation as a clause with the place in the value.
fn told(error: &ValidationError<'_>) -> String {
    let path = error.instance_path().as_str();
    let mut clause = if path.is_empty() { String::new() } else { format!("`{path}`: ") };
    let reason: Vec<char> = error.to_string().chars().collect();
    let part = |chars: &[char]| chars.iter().collect::<String>();
    if reason.len() <= REASON_CHARS {
        clause.push_str(&part(&reason));
    } else {
        // The start says what was given, the end what was asked for.
        let (head, tail) =
            (&reason[..REASON_CHARS / 2], &reason[reason.len() - REASON_CHARS / 2..]);
        // Writing to a string cannot fail.
        let _ = write!(clause, "{} … {}", part(head), part(tail));
    }
    clause
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let schema = json!({
            "type": "object",
            "properties": { "a": { "type": "array", "items": { "type": "integer" } } },
            "required": ["a"],
            "additionalProperties": false,
        });
        let checker = Checker::new(&schema).unwrap();
        assert!(checker.check(&json!({ "a": [1, 2] })).is_empty());
        assert_eq!(
            checker.check(&json!({ "a": [1, "two"] })),
            ["`/a/1`: \"two\" is not of type \"integer\""]
        );
        assert_eq!(checker.check(&json!({})), ["\"a\" is a required property"]);
        assert_eq!(checker.check(&json!({ "a": [], "b": 1 })).len(), 1);
    }

    #[test]
    fn many_and_long_violations_are_bounded() {
        let checker =
            Checker::new(&json!({ "type": "array", "items": { "type": "integer" } })).unwrap();
        let violations = checker.check(&json!(vec!["x".repeat(100_000); 50]));
        assert_eq!(violations.len(), TOLD + 1);
        assert_eq!(violations[TOLD], "and 42 more");
        assert!(violations.iter().all(|violation| violation.len() < 400));
        assert!(violations[0].ends_with("is not of type \"integer\""), "{}", violations[0]);
    }

    #[test]
    fn a_schema_that_is_none_is_refused_and_nothing_is_fetched() {
        let wrong = json!({ "type": "object", "properties": { "a": { "type": "strng" } } });
        let told = Checker::new(&wrong).unwrap_err();
        assert!(told.starts_with("`/properties/a/type`: \"strng\""), "{told}");
        for reference in ["http://127.0.0.1:9/schema.json", "file:///etc/passwd"] {
            let told = Checker::new(&json!({ "$ref": reference })).unwrap_err();
            assert!(told.contains(reference), "{told}");
        }
        assert!(Checker::new(&json!({ "$ref": "#/$defs/a", "$defs": { "a": {} } })).is_ok());
    }
}
