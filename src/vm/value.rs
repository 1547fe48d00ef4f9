//! Lua ⇄ JSON, in one place. mlua's own serde loses data in silence (`{1, 2, x = 3}` becomes
//! `[1,2]`, NaN becomes null), so this converter refuses what JSON cannot hold, and says where.
//!
//! Lua → JSON: a table is a list if its keys are exactly `1..n`; an empty one is `{}` unless it was
//! made by `json.array`. Keys are sorted, so equal tables give equal bytes.
//! JSON → Lua: a null member is absent, a null in a list is `json.null`, lists remember that they
//! are lists.

use mlua::prelude::*;
use serde_json::{Map, Number, Value};

use crate::error::{Error, Result};

/// Deeper tables are taken for mistakes.
const MAX_DEPTH: usize = 64;

const ARRAY_METATABLE: &str = "agentlua.array";

/// Returns the metatable that marks lists, for `json.array` and for lists that came from JSON.
pub fn array_metatable(lua: &Lua) -> LuaResult<LuaTable> {
    if let LuaValue::Table(metatable) = lua.named_registry_value(ARRAY_METATABLE)? {
        return Ok(metatable);
    }
    let metatable = lua.create_table()?;
    metatable.raw_set("__name", "json.array")?;
    lua.set_named_registry_value(ARRAY_METATABLE, &metatable)?;
    Ok(metatable)
}

/// Turns JSON into Lua values.
pub fn to_lua(lua: &Lua, value: &Value) -> LuaResult<LuaValue> {
    Ok(match value {
        Value::Null => LuaValue::NULL,
        Value::Bool(flag) => LuaValue::Boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => LuaValue::Integer(integer),
            None => LuaValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => LuaValue::String(lua.create_string(text)?),
        Value::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in items.iter().enumerate() {
                table.raw_set(index + 1, to_lua(lua, item)?)?;
            }
            table.set_metatable(Some(array_metatable(lua)?))?;
            LuaValue::Table(table)
        }
        Value::Object(members) => {
            let table = lua.create_table_with_capacity(0, members.len())?;
            for (key, member) in members {
                if !member.is_null() {
                    table.raw_set(key.as_str(), to_lua(lua, member)?)?;
                }
            }
            LuaValue::Table(table)
        }
    })
}

/// Turns a Lua value into JSON. `path` names the value in errors, such as `agent.query: schema`.
///
/// # Errors
/// A usage error that names the place of what JSON cannot hold.
pub fn to_json(lua: &Lua, value: &LuaValue, path: &str) -> Result<Value> {
    let arrays = array_metatable(lua).map_err(|e| Error::internal(e.to_string()))?;
    Converter { arrays, open: Vec::new() }.convert(value, path)
}

struct Converter {
    arrays: LuaTable,
    /// The tables on the way down, to find cycles.
    open: Vec<*const std::ffi::c_void>,
}

impl Converter {
    fn convert(&mut self, value: &LuaValue, path: &str) -> Result<Value> {
        match value {
            LuaValue::Nil => Ok(Value::Null),
            LuaValue::Boolean(flag) => Ok(Value::Bool(*flag)),
            LuaValue::Integer(integer) => Ok(Value::from(*integer)),
            LuaValue::Number(number) => number_to_json(*number, path),
            LuaValue::String(text) => match text.to_str() {
                Ok(text) => Ok(Value::String(text.to_owned())),
                Err(_) => Err(Error::usage(format!("{path}: the string is not valid UTF-8"))),
            },
            LuaValue::Table(table) => self.table(table, path),
            null if *null == LuaValue::NULL => Ok(Value::Null),
            other => Err(Error::usage(format!("{path}: a {} has no JSON form", other.type_name()))),
        }
    }

    fn table(&mut self, table: &LuaTable, path: &str) -> Result<Value> {
        let address = table.to_pointer();
        if self.open.contains(&address) {
            return Err(Error::usage(format!("{path}: the table contains itself")));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Error::usage(format!("{path}: nested deeper than {MAX_DEPTH} tables")));
        }
        self.open.push(address);
        let converted = self.members(table, path);
        self.open.pop();
        converted
    }

    fn members(&mut self, table: &LuaTable, path: &str) -> Result<Value> {
        let mut list: Vec<(i64, LuaValue)> = Vec::new();
        let mut named: Vec<(String, LuaValue)> = Vec::new();
        for pair in table.pairs::<LuaValue, LuaValue>() {
            let (key, member) = pair.map_err(|e| Error::internal(e.to_string()))?;
            match key {
                LuaValue::Integer(index) => list.push((index, member)),
                LuaValue::String(name) => named.push((name.to_string_lossy(), member)),
                other => {
                    return Err(Error::usage(format!(
                        "{path}: a {} cannot be a key in JSON",
                        other.type_name()
                    )));
                }
            }
        }
        if !list.is_empty() && !named.is_empty() {
            return Err(Error::usage(format!(
                "{path}: the table mixes list items with named fields (`{}`)",
                named[0].0
            )));
        }
        let marked = table.metatable().is_some_and(|metatable| metatable == self.arrays);
        if !list.is_empty() || (marked && named.is_empty()) {
            return self.list(list, path);
        }
        named.sort_by(|a, b| a.0.cmp(&b.0));
        let mut object = Map::with_capacity(named.len());
        for (name, member) in named {
            let inner = format!("{path}.{name}");
            if member == LuaValue::NULL {
                return Err(Error::usage(format!(
                    "{inner}: `json.null` is for lists; leave a member out to make it null"
                )));
            }
            let member = self.convert(&member, &inner)?;
            object.insert(name, member);
        }
        Ok(Value::Object(object))
    }

    fn list(&mut self, mut items: Vec<(i64, LuaValue)>, path: &str) -> Result<Value> {
        items.sort_by_key(|(index, _)| *index);
        let mut list = Vec::with_capacity(items.len());
        for (expected, (index, item)) in (1i64..).zip(items) {
            if index != expected {
                return Err(Error::usage(format!(
                    "{path}: the list has a hole at {expected}; `json.null` fills one"
                )));
            }
            list.push(self.convert(&item, &format!("{path}[{index}]"))?);
        }
        Ok(Value::Array(list))
    }
}

fn number_to_json(number: f64, path: &str) -> Result<Value> {
    Number::from_f64(number)
        .map(Value::Number)
        .ok_or_else(|| Error::usage(format!("{path}: {number} has no JSON form")))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn json(source: &str) -> std::result::Result<String, String> {
        let lua = Lua::new();
        lua.globals().set("null", LuaValue::NULL).unwrap();
        let value: LuaValue = lua.load(source).eval().unwrap();
        to_json(&lua, &value, "v").map(|v| v.to_string()).map_err(|e| e.message)
    }

    #[test]
    fn tables_become_what_they_are_or_nothing() {
        for (source, expected) in [
            ("{}", Ok("{}")),
            ("{1, 2, 3}", Ok("[1,2,3]")),
            ("{1, null, 3}", Ok("[1,null,3]")),
            ("{b = 1, a = {c = 2.5}}", Ok(r#"{"a":{"c":2.5},"b":1}"#)),
            ("{1, 2, x = 3}", Err("v: the table mixes list items with named fields (`x`)")),
            ("{[1] = 'a', [3] = 'c'}", Err("v: the list has a hole at 2; `json.null` fills one")),
            ("{x = 0/0}", Err("v.x: NaN has no JSON form")),
            ("{x = {1, 1/0}}", Err("v.x[2]: inf has no JSON form")),
            ("{x = '\\xff'}", Err("v.x: the string is not valid UTF-8")),
            ("{f = print}", Err("v.f: a function has no JSON form")),
            ("{[true] = 1}", Err("v: a boolean cannot be a key in JSON")),
            (
                "(function() local t = {} t.t = t return t end)()",
                Err("v.t: the table contains itself"),
            ),
            (
                "{x = null}",
                Err("v.x: `json.null` is for lists; leave a member out to make it null"),
            ),
        ] {
            let actual = json(source).map_err(|e| e.replace("-NaN", "NaN"));
            assert_eq!(actual.as_deref().map_err(String::as_str), expected, "{source}");
        }
    }

    #[test]
    fn deep_tables_are_refused_by_name() {
        let error = json("(function() local t = {} for _ = 1, 100 do t = {t} end return t end)()");
        assert!(error.unwrap_err().ends_with("nested deeper than 64 tables"));
    }

    #[test]
    fn json_survives_a_round_trip() {
        let lua = Lua::new();
        for text in
            [r#"{"a":[],"b":{},"c":[1,2.5,null,"x"],"d":true}"#, "[]", "[[]]", "9007199254740993"]
        {
            let value: Value = serde_json::from_str(text).unwrap();
            let there = to_lua(&lua, &value).unwrap();
            assert_eq!(to_json(&lua, &there, "v").unwrap().to_string(), text);
        }
    }
}
