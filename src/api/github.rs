//! The global `github`. Its functions are in the manual and not built yet.

use mlua::prelude::*;

use crate::vm::Module;

/// What the manual has and this version lacks.
pub const LATER: [&str; 8] =
    ["pulls", "pull", "issues", "diff", "comment", "review", "create_pull", "api"];

/// Makes the module.
pub fn module(lua: &Lua) -> LuaResult<LuaTable> {
    Ok(Module::new(lua, "github")?.later(&LATER)?.build())
}
