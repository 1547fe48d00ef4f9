//! The global `json`.

use mlua::prelude::*;

use crate::error::{Error, Kind};
use crate::vm::{Module, Options, Shape, value};

const ENCODE: Shape =
    Shape { function: "json.encode", known: &["indent"], later: &[], instead: &[] };

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
