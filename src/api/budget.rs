//! `agent.budget`: the money of the run.

use std::sync::Arc;

use mlua::prelude::*;

use crate::error::Error;
use crate::host::Host;
use crate::vm::Module;

/// Makes the table: `total`, which is what it is at the moment, and two methods.
pub fn table(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let purse = |host: &Arc<Host>| Arc::clone(host.fleet().purse());
    let table = Module::new(lua, "agent.budget")?
        .function("spent", {
            let purse = purse(host);
            move |_, _| Ok(purse.spent())
        })?
        .function("remaining", {
            let purse = purse(host);
            move |_, _| {
                let left = purse.total().map(|total| (total - purse.spent()).max(0.0));
                Ok(left.unwrap_or(f64::INFINITY))
            }
        })?
        .build();
    for twin in ["try_spent", "try_remaining"] {
        table.set(twin, LuaValue::Nil)?;
    }
    let metatable = lua.create_table()?;
    let purse = purse(host);
    let index = Module::new(lua, "agent.budget")?.function("index", move |_, mut args| {
        let (_, name) = (args.any(), args.string("name")?);
        match name.as_str() {
            "total" => Ok(purse.total()),
            _ => Err(Error::usage(format!("`agent.budget` has no field `{name}`"))
                .hint("it has `total`, `:spent()` and `:remaining()`")
                .into()),
        }
    })?;
    metatable.set("__index", index.build().get::<LuaFunction>("index")?)?;
    let newindex = Module::new(lua, "agent.budget")?.function("newindex", |_, mut args| {
        let (_, name) = (args.any(), args.string("name")?);
        Err::<(), _>(
            Error::usage(format!("`agent.budget.{name}` cannot be set"))
                .hint("agent.config { max_budget_usd = … }, or `--max-budget-usd`")
                .into(),
        )
    })?;
    metatable.set("__newindex", newindex.build().get::<LuaFunction>("newindex")?)?;
    table.set_metatable(Some(metatable))?;
    Ok(table)
}
