//! `agent.args`: what a script says of its arguments, and what became of those that were typed. Strictness,
//! `--help` and the place of an error are in `lua/arguments.lua`.
//!
//! Two sorts of errors: what the script declares is wrong at its own line; what was typed is wrong at none.

mod command;
mod declared;

use mlua::prelude::*;

use self::command::{Answer, Typed, Value};
use self::declared::Declared;
pub use self::declared::{ARGUMENT, DECLARATION, TYPES};
use crate::error::Error;
use crate::suggest::nearest;
use crate::vm::{Args, Runtime, error};

const ARGUMENTS: &str = include_str!("../../lua/arguments.lua");

/// Adds the function to the module.
pub fn install(runtime: &Runtime, agent: &LuaTable) -> LuaResult<()> {
    let lua = runtime.lua();
    let near = lua.create_function(|_, (name, names): (String, Vec<String>)| {
        Ok(nearest(&name, names.iter().map(String::as_str)).map(str::to_owned))
    })?;
    let read = lua.create_function(|lua, values: LuaMultiValue| {
        let mut args = Args::new("agent.args", values);
        let declared = args.table("declaration").and_then(|table| Declared::read(lua, &table));
        match (declared, typed(&args.any())?) {
            (Err(wrong), _) => ("declared", error::to_lua(lua, &wrong)?).into_lua_multi(lua),
            (Ok(declared), typed) => answer(lua, &declared, &typed),
        }
    })?;
    runtime.load_own(ARGUMENTS, (agent, runtime.kit(), read, near))
}

/// Reads the global `arg`, which a script may have changed; there is none in the REPL.
fn typed(value: &LuaValue) -> LuaResult<Typed> {
    let LuaValue::Table(table) = value else { return Ok(Typed::default()) };
    let script = table.raw_get::<Option<LuaString>>(0)?;
    Ok(Typed {
        script: script.map(|script| script.to_string_lossy()).unwrap_or_default(),
        args: table
            .sequence_values::<LuaString>()
            .map(|arg| arg.map(|arg| arg.as_bytes().to_vec()))
            .collect::<LuaResult<_>>()?,
    })
}

/// Returns a word for what came of it, and that.
fn answer(lua: &Lua, declared: &Declared, typed: &Typed) -> LuaResult<LuaMultiValue> {
    match command::parse(declared, typed) {
        Err(wrong) => ("typed", error::to_lua(lua, &wrong)?).into_lua_multi(lua),
        Ok(Answer::Help(text)) => ("help", text).into_lua_multi(lua),
        Ok(Answer::Values(values)) => {
            let table = lua.create_table()?;
            for (name, value) in values {
                table.raw_set(name, to_lua(lua, value)?)?;
            }
            let names: Vec<_> =
                declared.arguments.iter().map(|argument| argument.name.clone()).collect();
            ("values", table, names).into_lua_multi(lua)
        }
    }
}

fn to_lua(lua: &Lua, value: Value) -> LuaResult<LuaValue> {
    match value {
        Value::Text(bytes) => lua.create_string(bytes).map(LuaValue::String),
        Value::Integer(integer) => Ok(LuaValue::Integer(integer)),
        Value::Number(number) => Ok(LuaValue::Number(number)),
        Value::Flag(flag) => Ok(LuaValue::Boolean(flag)),
        Value::List(values) => {
            let list = lua.create_table()?;
            for (index, value) in values.into_iter().enumerate() {
                list.raw_set(index + 1, to_lua(lua, value)?)?;
            }
            list.set_metatable(Some(crate::vm::value::array_metatable(lua)?))?;
            Ok(LuaValue::Table(list))
        }
    }
}

/// Returns an error about the declaration.
fn wrong(why: impl std::fmt::Display) -> Error {
    Error::usage(format!("`agent.args`: {why}"))
}

/// Returns names as a sentence has them: `a`, `b` or `c`.
fn listed(names: &[String], joint: &str) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {joint} {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
