//! Positional arguments, read strictly: an error names the function, the place and both types.

use mlua::prelude::*;

use crate::error::{Error, Result};

/// The arguments of one call.
pub struct Args {
    function: String,
    values: std::vec::IntoIter<LuaValue>,
    place: usize,
}

impl Args {
    /// Takes the arguments of a call of `function`, a name for messages.
    pub fn new(function: &str, values: LuaMultiValue) -> Self {
        Self { function: function.to_owned(), values: values.into_vec().into_iter(), place: 0 }
    }

    /// Returns the function's name.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Takes the next argument, whatever it is; nil when there is none.
    pub fn any(&mut self) -> LuaValue {
        self.place += 1;
        self.values.next().unwrap_or(LuaValue::Nil)
    }

    /// Returns an error about the argument that was just taken.
    pub fn wrong(&self, name: &str, expected: &str, actual: &LuaValue) -> Error {
        Error::usage(format!(
            "`{}`: argument {} (`{name}`) must be {expected}, not {}",
            self.function,
            self.place,
            type_of(actual)
        ))
    }

    /// Refuses a last argument that was given and is nil: a name that is spelled wrong, say, which would
    /// mean something else than no argument.
    pub fn refuse_last_nil(&self) -> Result<()> {
        match self.values.as_slice() {
            [.., LuaValue::Nil] => Err(Error::usage(format!(
                "`{}`: argument {} is nil",
                self.function,
                self.place + self.values.len()
            ))
            .hint("is its name spelled right? leave it out if there is none")),
            _ => Ok(()),
        }
    }

    /// Takes a string.
    pub fn string(&mut self, name: &str) -> Result<String> {
        match self.any() {
            LuaValue::String(text) => text.to_str().map(|text| text.to_owned()).map_err(|_| {
                Error::usage(format!("`{}`: `{name}` is not valid UTF-8", self.function))
            }),
            other => Err(self.wrong(name, "a string", &other)),
        }
    }

    /// Takes bytes.
    pub fn bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        match self.any() {
            LuaValue::String(text) => Ok(text.as_bytes().to_vec()),
            other => Err(self.wrong(name, "a string", &other)),
        }
    }

    /// Takes a string or nothing.
    pub fn optional_string(&mut self, name: &str) -> Result<Option<String>> {
        match self.any() {
            LuaValue::Nil => Ok(None),
            LuaValue::String(text) => Ok(Some(text.to_string_lossy())),
            other => Err(self.wrong(name, "a string", &other)),
        }
    }

    /// Takes a duration in seconds.
    pub fn seconds(&mut self, name: &str) -> Result<std::time::Duration> {
        let value = self.any();
        let seconds = match &value {
            LuaValue::Integer(integer) => *integer as f64,
            LuaValue::Number(number) => *number,
            other => return Err(self.wrong(name, "a number of seconds", other)),
        };
        std::time::Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|duration| duration.as_secs() < crate::config::LONGEST_SECONDS)
            .ok_or_else(|| {
                Error::usage(format!("`{}`: {seconds:?} is no duration in seconds", self.function))
            })
    }

    /// Takes a table.
    pub fn table(&mut self, name: &str) -> Result<LuaTable> {
        match self.any() {
            LuaValue::Table(table) => Ok(table),
            other => Err(self.wrong(name, "a table", &other)),
        }
    }

    /// Takes a table or nothing.
    pub fn optional_table(&mut self, name: &str) -> Result<Option<LuaTable>> {
        match self.any() {
            LuaValue::Nil => Ok(None),
            LuaValue::Table(table) => Ok(Some(table)),
            other => Err(self.wrong(name, "a table", &other)),
        }
    }

    /// Takes a function.
    pub fn callable(&mut self, name: &str) -> Result<LuaFunction> {
        match self.any() {
            LuaValue::Function(function) => Ok(function),
            other => Err(self.wrong(name, "a function", &other)),
        }
    }

    /// Takes all that is left.
    pub fn rest(self) -> LuaMultiValue {
        LuaMultiValue::from_vec(self.values.collect())
    }
}

/// Returns the type of a value as Lua's `type` names it.
pub fn type_of(value: &LuaValue) -> &'static str {
    match value {
        LuaValue::Integer(_) | LuaValue::Number(_) => "number",
        LuaValue::LightUserData(_) | LuaValue::UserData(_) | LuaValue::Error(_) => "userdata",
        other => other.type_name(),
    }
}
