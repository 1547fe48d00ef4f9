//! The Lua API: one file for each global, each only translating: options in, a call of the layers
//! below, a plain table out. A decision about the domain does not belong here.

pub mod agent;
mod arguments;
pub mod budget;
mod events;
pub mod fs;
pub mod git;
pub mod github;
mod handle;
pub mod integrate;
pub mod json;
mod known;
pub mod log;
pub mod model;
pub mod objection;
mod once;
pub mod peek;
mod plan;
pub mod query;
pub mod result;
pub mod revision;
pub mod schema;
pub mod settings;
pub mod sh;
pub mod shapes;
pub mod site;
pub mod task;
pub mod team;
pub mod test;
pub mod tool;
pub mod worktree;

use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::vm::Runtime;

/// The combinators, written in Lua over groups.
const TASKS: &str = include_str!("../../lua/tasks.lua");
/// `agent.text`, written in Lua.
const TEXT: &str = include_str!("../../lua/text.lua");
/// `require "agentlua.patterns"`, written in Lua for people to read.
const PATTERNS: &str = include_str!("../../lua/patterns.lua");

/// Puts every global in its place.
///
/// # Errors
/// Internal: a fault of ours.
pub fn install(runtime: &Rc<Runtime>, host: &Arc<Host>) -> Result<()> {
    build(runtime, host).map_err(|fault| Error::internal(format!("cannot set up Lua: {fault}")))
}

fn build(runtime: &Rc<Runtime>, host: &Arc<Host>) -> LuaResult<()> {
    let lua = runtime.lua();
    let kit = runtime.kit();
    kit.set("excuse", {
        let host = Arc::clone(host);
        lua.create_function(move |_, id: String| {
            host.fleet().excuse(&id);
            Ok(())
        })?
    })?;
    kit.set("is_task", lua.create_function(|_, value: LuaValue| Ok(task::is_task(&value)))?)?;
    let agent = agent::module(runtime, host)?;
    runtime.load_own::<()>(TASKS, (&agent, task::groups(runtime, host)?, kit))?;
    runtime.load_own::<()>(TEXT, (&agent, kit))?;
    arguments::install(runtime, &agent)?;
    runtime.publish("agent", agent)?;
    runtime.publish("git", git::module(runtime, host)?)?;
    runtime.publish("github", github::module(lua, host)?)?;
    runtime.publish("sh", sh::module(lua, host)?)?;
    runtime.publish("fs", fs::module(lua, host)?)?;
    runtime.publish("json", json::module(lua)?)?;
    runtime.publish("log", log::module(lua, host)?)?;
    test::offer(lua, host, kit)?;
    offer_patterns(lua)?;
    plan::install(runtime, host)
}

/// Makes the patterns a module that can be required; nothing is loaded before it is.
fn offer_patterns(lua: &Lua) -> LuaResult<()> {
    let preload: LuaTable = lua.globals().get::<LuaTable>("package")?.get("preload")?;
    let load = lua.create_function(|lua, _: LuaMultiValue| {
        lua.load(PATTERNS).set_name("=[agentlua]").eval::<LuaTable>()
    })?;
    preload.set("agentlua.patterns", load)
}
