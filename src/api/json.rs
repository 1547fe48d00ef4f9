//! The global `json`.

use mlua::prelude::*;

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::vm::{Module, Options, Shape, value};

pub(super) const ENCODE: Shape =
    Shape { function: "json.encode", known: &["indent"], instead: &[] };

/// Makes the module.
pub fn module(lua: &Lua) -> LuaResult<LuaTable> {
    let module = Module::new(lua, "json")?
        .function("encode", |lua, mut args| {
            let value = args.any();
            let indent = match args.optional_table("options")? {
                Some(table) => Options::read(lua, &table, &ENCODE)?.flag("indent")?,
                None => None,
            };
            let json = value::to_json(lua, &value, "`json.encode`: the value")?;
            let text = match indent {
                Some(true) => serde_json::to_string_pretty(&json),
                _ => serde_json::to_string(&json),
            };
            Ok(text.map_err(|fault| Error::internal(fault.to_string()))?)
        })?
        .function("decode", |lua, mut args| {
            let text = args.bytes("text")?;
            let json = serde_json::from_slice(&text).map_err(|fault| {
                Error::new(Kind::Io, format!("`json.decode`: the text is no JSON: {fault}"))
            })?;
            Ok(value::to_lua(lua, &json)?)
        })?
        .function("array", |lua, mut args| {
            let table = match args.optional_table("items")? {
                Some(table) => table,
                None => lua.create_table()?,
            };
            table.set_metatable(Some(value::array_metatable(lua)?))?;
            Ok(table)
        })?;
    let table = module.build();
    table.set("null", LuaValue::NULL)?;
    Ok(table)
}

/// Returns what a script returned: a value, or the list of several.
///
/// # Errors
/// Usage, for what JSON cannot hold.
pub fn returned(lua: &Lua, values: &LuaMultiValue) -> Result<Value> {
    let path = "what the script returned";
    let items = values.iter().map(|item| value::to_json(lua, item, path));
    let mut items = items.collect::<Result<Vec<Value>>>()?;
    Ok(if items.len() > 1 { items.into() } else { items.pop().unwrap_or_default() })
}
