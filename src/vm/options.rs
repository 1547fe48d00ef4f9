//! Options tables, read strictly: an unknown name or a wrong type is an error that names the
//! option and suggests the nearest one. A [`Shape`] says which names there are; the camelCase
//! spellings of the Agent SDK are aliases of ours.

use std::collections::BTreeMap;

use mlua::prelude::*;
use serde_json::Value;

use super::args::type_of;
use super::value::to_json;
use crate::error::{Error, Result};
use crate::suggest::{nearest, snake_case};

/// The names that a function's options table may have.
pub struct Shape {
    /// The function, for messages.
    pub function: &'static str,
    /// What it takes.
    pub known: &'static [&'static str],
    /// What the Agent SDK has, and what to use here.
    pub instead: &'static [(&'static str, &'static str)],
}

impl Shape {
    /// Returns our name for an option as the script spelled it.
    ///
    /// # Errors
    /// Usage, for a name that there is not.
    pub fn resolve(&self, written: &str) -> Result<&'static str> {
        let name = if written.bytes().any(|b| b.is_ascii_uppercase()) {
            snake_case(written)
        } else {
            written.to_owned()
        };
        if let Some(known) = self.known.iter().find(|known| **known == name) {
            return Ok(known);
        }
        let unknown = Error::usage(format!("`{}` has no option `{written}`", self.function));
        if let Some((_, hint)) = self.instead.iter().find(|(sdk, _)| *sdk == name) {
            return Err(unknown.hint(*hint));
        }
        Err(match nearest(&name, self.known.iter().copied()) {
            Some(near) => unknown.hint(format!("did you mean `{near}`?")),
            None => unknown.hint(format!("it takes {}", list(self.known))),
        })
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The options of one call; every read takes the option out.
pub struct Options {
    function: &'static str,
    lua: Lua,
    values: BTreeMap<&'static str, LuaValue>,
}

impl Options {
    /// Reads `table`.
    ///
    /// # Errors
    /// Usage, for names that `shape` does not have.
    pub fn read(lua: &Lua, table: &LuaTable, shape: &Shape) -> Result<Self> {
        let mut values = BTreeMap::new();
        for pair in table.pairs::<LuaValue, LuaValue>() {
            let (key, value) = pair.map_err(|e| Error::internal(e.to_string()))?;
            let LuaValue::String(name) = &key else {
                return Err(Error::usage(format!(
                    "`{}` takes named options, not the {} key {}",
                    shape.function,
                    type_of(&key),
                    key.to_string().unwrap_or_default()
                )));
            };
            let name = shape.resolve(&name.to_string_lossy())?;
            if values.insert(name, value).is_some() {
                return Err(Error::usage(format!("`{}`: `{name}` is given twice", shape.function)));
            }
        }
        Ok(Self { function: shape.function, lua: lua.clone(), values })
    }

    /// Returns the function's name.
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// Reports whether an option is there.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Reports whether an option is `true` or `false`.
    pub fn is_flag(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(LuaValue::is_boolean)
    }

    /// Takes out all that nobody has read.
    pub fn left(&mut self) -> BTreeMap<&'static str, LuaValue> {
        std::mem::take(&mut self.values)
    }

    /// Takes an option as it is.
    pub fn any(&mut self, name: &str) -> Option<LuaValue> {
        self.values.remove(name)
    }

    /// Returns an error about an option's type.
    pub fn wrong(&self, name: &str, expected: &str, actual: &LuaValue) -> Error {
        Error::usage(format!(
            "`{}`: option `{name}` must be {expected}, not {}",
            self.function,
            type_of(actual)
        ))
    }

    /// Returns an error about an option's value.
    pub fn bad(&self, name: &str, why: impl std::fmt::Display) -> Error {
        Error::usage(format!("`{}`: option `{name}` {why}", self.function))
    }

    /// Takes a string.
    pub fn string(&mut self, name: &str) -> Result<Option<String>> {
        match self.any(name) {
            None => Ok(None),
            Some(LuaValue::String(text)) => match text.to_str() {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(self.bad(name, "is not valid UTF-8")),
            },
            Some(other) => Err(self.wrong(name, "a string", &other)),
        }
    }

    /// Takes a string that says something.
    pub fn text(&mut self, name: &str) -> Result<Option<String>> {
        let text = self.string(name)?;
        if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Err(self.bad(name, "is empty"));
        }
        Ok(text)
    }

    /// Takes a flag.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.any(name) {
            None => Ok(None),
            Some(LuaValue::Boolean(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(name, "true or false", &other)),
        }
    }

    /// Takes a whole number between `least` and `most`.
    pub fn integer(&mut self, name: &str, least: i64, most: i64) -> Result<Option<i64>> {
        let Some(value) = self.any(name) else { return Ok(None) };
        let number = match &value {
            LuaValue::Integer(integer) => Some(*integer),
            // `10 / 2` is a float in Lua.
            #[expect(clippy::cast_possible_truncation, reason = "whole and far below 2^53")]
            LuaValue::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                Some(*number as i64)
            }
            LuaValue::Number(_) => None,
            other => return Err(self.wrong(name, "a whole number", other)),
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(self.bad(
                name,
                format_args!(
                    "must be a whole number from {least} to {most}, not {}",
                    match &value {
                        LuaValue::Number(number) => format!("{number:?}"),
                        other => other.to_string().unwrap_or_default(),
                    }
                ),
            )),
        }
    }

    /// Takes a duration in seconds, more than 0.
    pub fn seconds(&mut self, name: &str) -> Result<Option<std::time::Duration>> {
        let Some(value) = self.any(name) else { return Ok(None) };
        let seconds = match &value {
            LuaValue::Integer(integer) => *integer as f64,
            LuaValue::Number(number) => *number,
            other => return Err(self.wrong(name, "a number of seconds", other)),
        };
        crate::config::seconds(seconds).map(Some).map_err(|why| self.bad(name, why))
    }

    /// Takes a list of strings.
    pub fn strings(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.any(name) else { return Ok(None) };
        let LuaValue::Table(_) = &value else {
            return Err(self.wrong(name, "a list of strings", &value));
        };
        let json = to_json(&self.lua, &value, &format!("`{}`: option `{name}`", self.function))?;
        let items = match json {
            Value::Array(items) => items,
            Value::Object(members) if members.is_empty() => Vec::new(),
            _ => return Err(self.bad(name, "must be a list of strings")),
        };
        items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(self.bad(name, "must be a list of strings")),
            })
            .collect::<Result<_>>()
            .map(Some)
    }

    /// Takes a table of strings.
    pub fn string_map(&mut self, name: &str) -> Result<Option<BTreeMap<String, String>>> {
        let Some(value) = self.any(name) else { return Ok(None) };
        let json = to_json(&self.lua, &value, &format!("`{}`: option `{name}`", self.function))?;
        let Value::Object(members) = json else {
            return Err(self.bad(name, "must be a table of strings by name"));
        };
        members
            .into_iter()
            .map(|(key, member)| match member {
                Value::String(text) => Ok((key, text)),
                Value::Number(number) => Ok((key, number.to_string())),
                _ => Err(self.bad(name, "must be a table of strings by name")),
            })
            .collect::<Result<_>>()
            .map(Some)
    }

    /// Takes a function.
    pub fn callable(&mut self, name: &str) -> Result<Option<LuaFunction>> {
        match self.any(name) {
            None => Ok(None),
            Some(LuaValue::Function(function)) => Ok(Some(function)),
            Some(other) => Err(self.wrong(name, "a function", &other)),
        }
    }

    /// Takes a JSON value.
    pub fn json(&mut self, name: &str) -> Result<Option<Value>> {
        let Some(value) = self.any(name) else { return Ok(None) };
        to_json(&self.lua, &value, &format!("`{}`: option `{name}`", self.function)).map(Some)
    }

    /// Takes an option that must be there.
    pub fn required<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| Error::usage(format!("`{}` needs the option `{name}`", self.function)))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        function: "agent.query",
        known: &["prompt", "max_turns", "env", "timeout"],
        instead: &[("permission_mode", "use `read_only` and rules")],
    };

    fn read(source: &str) -> Result<Options> {
        let lua = Lua::new();
        let table: LuaTable = lua.load(source).eval().unwrap();
        Options::read(&lua, &table, &SHAPE)
    }

    fn refusal(source: &str) -> (String, Option<String>) {
        let error = read(source).err().unwrap();
        (error.message, error.hint)
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest() {
        for (source, message, hint) in [
            (
                "{max_turn = 1}",
                "`agent.query` has no option `max_turn`",
                "did you mean `max_turns`?",
            ),
            ("{maxTurn = 1}", "`agent.query` has no option `maxTurn`", "did you mean `max_turns`?"),
            (
                "{permissionMode = 'x'}",
                "`agent.query` has no option `permissionMode`",
                "use `read_only` and rules",
            ),
            (
                "{zzz = 1}",
                "`agent.query` has no option `zzz`",
                "it takes `prompt`, `max_turns`, `env`, `timeout`",
            ),
        ] {
            assert_eq!(refusal(source), (message.to_owned(), Some(hint.to_owned())));
        }
        assert_eq!(refusal("{'x'}").0, "`agent.query` takes named options, not the number key 1");
    }

    #[test]
    fn aliases_and_types() {
        let mut options = read("{maxTurns = 10 / 2, env = {A = 'b'}}").unwrap();
        assert_eq!(options.integer("max_turns", 1, 100).unwrap(), Some(5));
        assert_eq!(options.string_map("env").unwrap().unwrap()["A"], "b");
        for (source, message) in [
            (
                "{max_turns = 'x'}",
                "`agent.query`: option `max_turns` must be a whole number, not string",
            ),
            (
                "{max_turns = -1}",
                "`agent.query`: option `max_turns` must be a whole number from 1 to 100, not -1",
            ),
            (
                "{max_turns = 1.5}",
                "`agent.query`: option `max_turns` must be a whole number from 1 to 100, not 1.5",
            ),
        ] {
            assert_eq!(
                read(source).unwrap().integer("max_turns", 1, 100).unwrap_err().message,
                message
            );
        }
        assert_eq!(
            read("{prompt = ' '}").unwrap().text("prompt").unwrap_err().message,
            "`agent.query`: option `prompt` is empty"
        );
        assert!(read("{timeout = 0}").unwrap().seconds("timeout").is_err());
        assert!(read("{timeout = 1/0}").unwrap().seconds("timeout").is_err());
    }
}
