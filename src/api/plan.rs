//! What a dry run changes about the standard library: files that a script writes are copies, and
//! commands run only if they look.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;

use crate::agent::permission;
use crate::host::Host;
use crate::host::plan::Plan;
use crate::vm::Runtime;

const SOURCE: &str = include_str!("../../lua/dry_run.lua");

/// Takes the place of the functions that change something, in a dry run.
pub fn install(runtime: &Runtime, host: &Arc<Host>) -> LuaResult<()> {
    if host.plan().is_none() {
        return Ok(());
    }
    let lua = runtime.lua();
    let kit = lua.create_table()?;
    kit.set(
        "found",
        with(lua, host, |plan, path, _| Ok(plan.file(&path).map(|path| shown(&path))))?,
    )?;
    kit.set(
        "to_write",
        with(lua, host, |plan, path, name| {
            plan.step("write", format!("write `{name}`"));
            plan.file_to_write(&path).map(|path| Some(shown(&path))).map_err(LuaError::external)
        })?,
    )?;
    kit.set(
        "remove",
        with(lua, host, |plan, path, name| {
            plan.step("remove", format!("remove `{name}`"));
            plan.remove_file(&path);
            Ok(None)
        })?,
    )?;
    let looks = {
        let host = Arc::clone(host);
        lua.create_function(move |_, command: String| {
            let looks = permission::only_looks(&command);
            if let (false, Some(plan)) = (looks, host.plan()) {
                plan.step("command", format!("run `{}`", command.trim()));
            }
            Ok(looks)
        })?
    };
    kit.set("looks", looks)?;
    let temporary = {
        let host = Arc::clone(host);
        lua.create_function(move |_, command: String| {
            let Some(plan) = host.plan() else { return Ok(None) };
            let path = plan.temporary(&command).map_err(LuaError::external)?;
            Ok(path.as_deref().map(shown))
        })?
    };
    kit.set("temporary", temporary)?;
    runtime.load_own::<()>(SOURCE, kit)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Makes a function of a path that the script names.
fn with(
    lua: &Lua,
    host: &Arc<Host>,
    body: impl Fn(&Plan, PathBuf, &str) -> LuaResult<Option<String>> + 'static,
) -> LuaResult<LuaFunction> {
    let host = Rc::new(Arc::clone(host));
    lua.create_function(move |_, name: String| match host.plan() {
        Some(plan) => body(plan, host.cwd().join(&name), &name),
        None => Ok(None),
    })
}
