//! The agents that work on merges, as a script describes them: a query without a place.

use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;

use super::query::{self, Models};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::host::merge::Team;
use crate::suggest::snake_case;
use crate::vm::{Runtime, Task};

/// Options of a query that the merge itself decides about.
const DECIDED: [&str; 13] = [
    "worktree",
    "branch",
    "if_exists",
    "base",
    "dirty",
    "scope",
    "commit",
    "repo",
    "cwd",
    "resume",
    "fork",
    "read_only",
    "schema",
];

/// Returns what is wrong with an option of a query that the merge itself decides about.
pub fn refusal(written: &str, place: &str) -> Option<Error> {
    let name = snake_case(written);
    DECIDED.contains(&&*name).then(|| {
        let why = format!("{place}: `{name}` is not for agents that work on a merge");
        Error::usage(why)
            .hint("they work in a temporary worktree, and what its files are is the merge")
    })
}

/// Reads the template of agents that work on merges. `place` names the option or function in errors;
/// `setup` prepares their worktrees.
///
/// # Errors
/// Usage, naming the option; model, when none can be had.
pub fn read(
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
    task: &Rc<Task>,
    table: &LuaTable,
    place: &str,
    setup: Option<String>,
) -> Result<Team> {
    let lua = runtime.lua();
    let fault = |fault: LuaError| Error::internal(fault.to_string());
    let template = lua.create_table().map_err(fault)?;
    for pair in table.pairs::<LuaValue, LuaValue>() {
        let (key, value) = pair.map_err(fault)?;
        if let LuaValue::String(name) = &key
            && let Some(error) = refusal(&name.to_string_lossy(), place)
        {
            return Err(error);
        }
        template.raw_set(key, value).map_err(fault)?;
    }
    let text = |name: &str| template.raw_get::<Option<String>>(name).ok().flatten();
    let (prompt, label) = (text("prompt"), text("label"));
    let given = template.raw_get::<LuaValue>("prompt").map_err(fault)?;
    if given.is_nil() {
        template.raw_set("prompt", "resolve").map_err(fault)?;
    }
    // Else it would be offered only what reads.
    template.raw_set("worktree", true).map_err(fault)?;
    let Some(models) = lua.app_data_ref::<Models>().map(|models| Rc::clone(&models)) else {
        return Err(Error::internal("no models"));
    };
    let spec = LuaValue::Table(template);
    let query = query::parse(runtime, host, &models, task, &spec, None, None);
    let query = query.map_err(|mut error| {
        error.message = format!("{place}: {}", error.message);
        error
    })?;
    Ok(Team::new(query, label, prompt, setup))
}
