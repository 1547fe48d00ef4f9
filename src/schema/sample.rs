//! A value that a JSON Schema takes, made without a model: what a planned agent answers with.
//!
//! Each place where there is a choice (a branch of `oneOf`, an optional member, a count) is asked of a
//! [`Choice`], which prefers the first. What comes out is held against the whole schema; while it does
//! not fit, it is made again with other choices. So what is hard to satisfy by construction (`not`,
//! `oneOf` of overlapping branches, `if`) need not be, and what cannot be had is `None`, never a value
//! that does not fit.

mod combined;
mod scalar;

use serde_json::{Map, Value, json};

use super::Checker;

/// How often a value is made anew before there is none.
const TRIES: u64 = 400;
/// Below this only what has to be there is.
const DEEP: u32 = 6;
/// Nothing is made below this.
const DEEPEST: u32 = 40;
/// The most items or members that are made because a schema asks for so many.
const MOST: u64 = 10_000;

/// Which of many values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Says yes: true, the best number, an item in each list, every member.
    #[default]
    Full,
    /// Says no: false, the least number, empty lists, no member that may be left out.
    Bare,
}

/// Returns a value that fits `schema`, which `checker` was compiled from; nothing when none was found.
pub fn sample(schema: &Value, checker: &Checker, shape: Shape) -> Option<Value> {
    (0..TRIES).find_map(|attempt| {
        let maker = Maker { root: schema, shape, choice: Choice::new(attempt) };
        let value = maker.value(schema, Spot::default());
        checker.check(&value).is_empty().then_some(value)
    })
}

/// Where choices are made: the first of each in the first attempt, any in the others.
struct Choice(std::cell::Cell<u64>);

impl Choice {
    fn new(attempt: u64) -> Self {
        Self(std::cell::Cell::new(attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Returns a number below `count`, which is not 0.
    fn of(&self, count: u64) -> u64 {
        let state = self.0.get();
        if state == 0 {
            return 0;
        }
        // xorshift: the same in every build, so that a plan is.
        let mut next = state;
        next ^= next << 13;
        next ^= next >> 7;
        next ^= next << 17;
        self.0.set(next);
        next % count.max(1)
    }

    /// Returns one of `all`, the first if nothing speaks against it.
    fn among<'a, T>(&self, all: &'a [T]) -> Option<&'a T> {
        all.get(usize::try_from(self.of(all.len() as u64)).unwrap_or_default())
    }
}

/// Where in the value something is made.
#[derive(Clone, Copy, Default)]
struct Spot {
    depth: u32,
    /// Its place in its list: items differ.
    index: u64,
}

impl Spot {
    fn below(self, index: u64) -> Self {
        Self { depth: self.depth + 1, index }
    }
}

/// One attempt.
struct Maker<'s> {
    root: &'s Value,
    shape: Shape,
    choice: Choice,
}

impl Maker<'_> {
    fn value(&self, schema: &Value, spot: Spot) -> Value {
        let Some(fields) = schema.as_object().filter(|_| spot.depth < DEEPEST) else {
            return if schema == &json!(false) { Value::Null } else { json!("sample") };
        };
        let fields = &self.plain(fields, spot.depth);
        if let Some(only) = fields.get("const") {
            return only.clone();
        }
        if let Some(Value::Array(all)) = fields.get("enum") {
            let shifted = usize::try_from(spot.index).unwrap_or_default();
            let chosen = match (self.choice.0.get(), all.len()) {
                (0, count) if count > 0 => all.get(shifted % count),
                _ => self.choice.among(all),
            };
            return chosen.cloned().unwrap_or_default();
        }
        match self.kind(fields) {
            "null" => Value::Null,
            "boolean" => {
                json!((self.shape == Shape::Full) != (spot.index + self.choice.of(2) == 1))
            }
            "integer" => scalar::number(fields, self.shape, &self.choice, spot.index, true),
            "number" => scalar::number(fields, self.shape, &self.choice, spot.index, false),
            "array" => self.list(fields, spot),
            "object" => self.object(fields, spot),
            _ => json!(scalar::text(fields, &self.choice, spot.index)),
        }
    }

    /// Returns the type that a value gets.
    fn kind<'f>(&self, fields: &'f Map<String, Value>) -> &'f str {
        match fields.get("type") {
            Some(Value::String(kind)) => return kind,
            Some(Value::Array(kinds)) => {
                let mut kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
                // Something rather than nothing.
                kinds.sort_by_key(|kind| *kind == "null");
                return self.choice.among(&kinds).copied().unwrap_or("string");
            }
            _ => {}
        }
        let has = |names: &[&str]| names.iter().any(|name| fields.contains_key(*name));
        if has(&[
            "properties",
            "required",
            "minProperties",
            "additionalProperties",
            "patternProperties",
        ]) {
            "object"
        } else if has(&["items", "prefixItems", "minItems", "contains", "uniqueItems"]) {
            "array"
        } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"])
        {
            "number"
        } else {
            "string"
        }
    }

    /// Returns how many there are of something: as few as fit, and one for those who say yes.
    fn count(&self, fields: &Map<String, Value>, least: &str, most: &str, deep: bool) -> u64 {
        let bound = |name: &str| fields.get(name).and_then(Value::as_f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let (least, most) = (
            bound(least).map_or(0, |bound| bound.ceil() as u64),
            bound(most).map_or(MOST, |bound| bound.floor() as u64),
        );
        let wanted = u64::from(self.shape == Shape::Full && !deep) + self.choice.of(3);
        wanted.max(least).min(most).min(MOST)
    }

    fn list(&self, fields: &Map<String, Value>, spot: Spot) -> Value {
        let anything = json!({ "type": "string" });
        let mut first: Vec<Value> = match fields.get("prefixItems").or(fields.get("items")) {
            Some(Value::Array(first)) => first.clone(),
            _ => Vec::new(),
        };
        let rest = match fields.get("items") {
            Some(Value::Array(_)) | None => fields.get("additionalItems"),
            rest => rest,
        };
        let count = self.count(fields, "minItems", "maxItems", spot.depth >= DEEP);
        let mut count = usize::try_from(count).unwrap_or_default();
        if self.shape == Shape::Full {
            count = count.max(first.len());
        }
        if rest == Some(&json!(false)) {
            count = count.min(first.len());
        }
        if let Some(contained) = fields.get("contains") {
            let least = fields.get("minContains").and_then(Value::as_u64).unwrap_or(1).min(MOST);
            let least = usize::try_from(least).unwrap_or_default();
            while first.len() < least {
                first.push(combined::both(rest.unwrap_or(&json!(true)), contained));
            }
            count = count.max(least);
        }
        let items = (0..count).map(|at| {
            let schema = first.get(at).or(rest).unwrap_or(&anything);
            self.value(schema, spot.below(at as u64))
        });
        items.collect()
    }

    fn object(&self, fields: &Map<String, Value>, spot: Spot) -> Value {
        let none = Map::new();
        let known = fields.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let extra = fields.get("additionalProperties");
        let anything = json!({ "type": "string" });
        let required = texts(fields.get("required"));
        let optional = self.shape == Shape::Full && spot.depth < DEEP;
        let mut names: Vec<String> = Vec::new();
        for name in known.keys() {
            if required.contains(name) || (optional && self.choice.of(3) < 2) {
                names.push(name.clone());
            }
        }
        let needs = fields.get("dependentRequired").and_then(Value::as_object).unwrap_or(&none);
        let needed =
            needs.iter().filter(|(name, _)| names.contains(name) || required.contains(name));
        let needed: Vec<String> = needed.flat_map(|(_, needs)| texts(Some(needs))).collect();
        for name in required.iter().chain(&needed) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let count = self.count(fields, "minProperties", "maxProperties", true);
        let patterns = fields.get("patternProperties").and_then(Value::as_object).unwrap_or(&none);
        let open = extra != Some(&json!(false));
        let mut number = 0;
        while (names.len() as u64) < count {
            let left = known.keys().find(|name| !names.contains(name)).cloned();
            let by_pattern =
                || patterns.keys().next().map(|pattern| scalar::matching(pattern, &self.choice));
            let next = left.or_else(|| if open { None } else { by_pattern()? });
            number += 1;
            names.push(next.unwrap_or_else(|| format!("key{number}")));
        }
        let most = fields.get("maxProperties").and_then(Value::as_u64).unwrap_or(u64::MAX);
        while names.len() as u64 > most {
            let Some(at) = names.iter().rposition(|name| !required.contains(name)) else { break };
            names.remove(at);
        }
        let members = names.into_iter().map(|name| {
            let pattern = || patterns.iter().find(|(pattern, _)| scalar::fits(pattern, &name));
            let schema = known.get(&name).or_else(|| pattern().map(|(_, schema)| schema));
            let schema = schema.or(extra).unwrap_or(&anything);
            let value = self.value(schema, spot.below(0));
            (name, value)
        });
        Value::Object(members.collect())
    }
}

/// Returns the strings of a list.
fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn both(schema: &Value) -> [Value; 2] {
        let checker = Checker::new(schema).unwrap();
        [Shape::Full, Shape::Bare].map(|shape| {
            sample(schema, &checker, shape).unwrap_or_else(|| panic!("nothing fits {schema}"))
        })
    }

    #[test]
    fn a_full_one_says_yes_and_a_bare_one_no() {
        let schema = json!({
            "type": "object",
            "properties": {
                "approved": { "type": "boolean" },
                "score": { "type": "integer", "minimum": 0, "maximum": 10 },
                "note": { "type": "string" },
                "findings": { "type": "array", "items": {
                    "type": "object",
                    "properties": { "file": { "type": "string" } },
                    "required": ["file"],
                } },
            },
            "required": ["approved", "score", "findings"],
            "additionalProperties": false,
        });
        let [full, bare] = both(&schema);
        assert_eq!(
            full,
            json!({
                "approved": true, "score": 10, "note": "sample", "findings": [{ "file": "sample" }],
            })
        );
        assert_eq!(bare, json!({ "approved": false, "score": 0, "findings": [] }));
    }

    #[test]
    fn what_is_hard_to_fit_is_fitted() {
        for schema in [
            json!({ "enum": [3, "a", null] }),
            json!({ "const": { "a": 1 } }),
            json!({ "type": ["null", "string"] }),
            json!({ "type": "integer", "multipleOf": 7, "minimum": 50, "exclusiveMaximum": 63 }),
            json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 }),
            json!({ "type": "number", "minimum": 0.25, "maximum": 0.35 }),
            json!({ "type": "number", "multipleOf": 0.01, "maximum": -5 }),
            json!({ "type": "integer", "maximum": -3 }),
            json!({ "type": "string", "minLength": 40 }),
            json!({ "type": "string", "maxLength": 2 }),
            json!({ "type": "string", "minLength": 12, "pattern": "^[a-z]+-[0-9]{2,}$" }),
            json!({ "type": "string", "pattern": "^CVE-\\d{4}-\\d{4,7}$" }),
            json!({ "type": "string", "pattern": "(foo|bar)\\.rs" , "minLength": 20 }),
            json!({ "type": "array", "items": { "enum": ["a", "b", "c"] }, "minItems": 3,
                    "uniqueItems": true }),
            json!({ "type": "array", "items": { "type": "integer" }, "minItems": 5,
                    "uniqueItems": true }),
            json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 2,
                    "uniqueItems": true }),
            json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": "integer" }],
                    "items": false }),
            json!({ "type": "array", "contains": { "const": 7 }, "items": { "type": "integer" } }),
            json!({ "type": "object", "minProperties": 3,
                    "additionalProperties": { "type": "integer" } }),
            json!({ "type": "object", "patternProperties": { "^f_[a-z]+$": { "type": "integer" } },
                    "additionalProperties": false, "minProperties": 1 }),
            json!({ "type": "object", "properties": { "a": {}, "b": {}, "c": {} },
                    "maxProperties": 2, "required": ["c"] }),
            json!({ "type": "object", "properties": { "a": { "type": "integer" } },
                    "dependentRequired": { "a": ["b"] }, "required": ["a"] }),
            json!({ "oneOf": [{ "type": "integer" }, { "type": "integer", "minimum": 5 }] }),
            json!({ "anyOf": [false, { "type": "string" }] }),
            json!({ "allOf": [{ "minimum": 3 }, { "type": "integer" }, { "maximum": 3 }] }),
            json!({ "type": "string", "not": { "const": "sample" } }),
            json!({ "type": "object", "properties": { "kind": { "enum": ["a", "b"] } },
                    "required": ["kind"],
                    "if": { "properties": { "kind": { "const": "a" } } },
                    "then": { "required": ["x"] },
                    "else": { "properties": { "y": { "type": "integer" } }, "required": ["y"] } }),
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "integer" } } }),
            json!({ "type": "object", "properties": {
                        "left": { "$ref": "#" }, "right": { "$ref": "#" },
                        "name": { "type": "string" } }, "required": ["name"] }),
            json!({ "type": "object", "properties": {
                        "children": { "type": "array", "items": { "$ref": "#/$defs/node" } } },
                    "$defs": { "node": { "type": "object", "properties": {
                        "children": { "type": "array", "items": { "$ref": "#/$defs/node" } } } } } }),
            json!({ "type": "object", "oneOf": [
                        { "properties": { "ok": { "const": true } }, "required": ["ok"] },
                        { "properties": { "ok": { "const": false }, "why": { "type": "string" } },
                          "required": ["ok", "why"] }] }),
            json!(true),
        ] {
            both(&schema);
        }
    }

    #[test]
    fn what_nothing_fits_has_no_sample() {
        for schema in [
            json!(false),
            json!({ "allOf": [{ "type": "string" }, { "type": "integer" }] }),
            json!({ "type": "integer", "minimum": 2, "maximum": 1 }),
        ] {
            let checker = Checker::new(&schema).unwrap();
            assert_eq!(sample(&schema, &checker, Shape::Full), None, "{schema}");
        }
    }

    /// Makes a schema of its own for each seed, as people write them.
    fn written(choice: &Choice, depth: u32) -> Value {
        let some = |count: u64| choice.of(count);
        match some(if depth > 3 { 6 } else { 10 }) {
            0 => json!({ "type": "string", "minLength": some(9), "maxLength": 9 + some(9) }),
            1 => json!({ "type": "integer", "minimum": some(50), "maximum": 50 + some(50) }),
            2 => json!({ "type": "number", "exclusiveMinimum": some(5), "multipleOf": 0.5 }),
            3 => json!({ "type": "boolean" }),
            4 => json!({ "enum": ["low", "high", some(5)] }),
            5 => {
                let patterns = ["^v[0-9]+$", "[A-Z]{3}", "^(a|b)?$"];
                json!({ "type": "string", "pattern": choice.among(&patterns) })
            }
            6 => {
                json!({ "type": "array", "items": written(choice, depth + 1), "minItems": some(3) })
            }
            7 => json!({ "anyOf": [written(choice, depth + 1), { "type": "null" }] }),
            8 => json!({ "allOf": [written(choice, depth + 1), {}] }),
            _ => {
                let count = some(4);
                let members = (0..=count).map(|at| (format!("m{at}"), written(choice, depth + 1)));
                let members: Map<String, Value> = members.collect();
                let required: Vec<&String> = members.keys().filter(|_| some(2) == 0).collect();
                json!({ "type": "object", "required": required, "properties": members,
                        "additionalProperties": some(2) == 0 })
            }
        }
    }

    #[test]
    fn of_many_schemas_every_one_has_samples() {
        for seed in 1..1500 {
            both(&written(&Choice::new(seed), 0));
        }
    }
}
