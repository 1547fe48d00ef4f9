//! The options of `agent.query`: a table (or a prompt) in, a checked [`Query`] out.

mod dirs;
mod effort;
mod finish;
pub(super) mod hooks;
mod listen;
pub(super) mod money;
mod past;
mod permission;
pub(super) mod servers;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;

use super::{model, site, tool};
use crate::agent::past::Past;
use crate::agent::query::{Commit, Limits, Query, Site};
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::model::Model;
use crate::vm::args::type_of;
use crate::vm::{Options, Runtime, Shape, Task};

/// The default model, when it is one that is written in Lua.
pub struct DefaultModel {
    /// It.
    pub model: Rc<model::Written>,
    /// Whether it was typed (`--model FILE.lua`), and so stands above what a script says.
    pub typed: bool,
}

/// Where the default model is kept.
pub type Models = Rc<RefCell<Option<DefaultModel>>>;

/// What `agent.query` takes, and what the manual has and this version lacks.
pub const SHAPE: Shape = Shape {
    function: "agent.query",
    known: &[
        "prompt",
        "label",
        "model",
        "fallback_model",
        "effort",
        "system_prompt",
        "append_system_prompt",
        "worktree",
        "branch",
        "if_exists",
        "base",
        "dirty",
        "scope",
        "allowed_tools",
        "disallowed_tools",
        "read_only",
        "can_use_tool",
        "hooks",
        "tools",
        "mcp_servers",
        "max_turns",
        "max_budget_usd",
        "max_output_tokens",
        "timeout",
        "idle_timeout",
        "commit",
        "resume",
        "fork",
        "on_event",
        "repo",
        "cwd",
        "add_dirs",
        "env",
        "schema",
        "verify",
        "verify_attempts",
    ],

    instead: &[
        ("permission_mode", "use `read_only` and rules in `allowed_tools`"),
        ("output_format", "use `schema`"),
        ("fork_session", "use `fork`"),
        ("options", "put them beside `prompt`"),
        ("thinking", "use `effort`"),
        ("max_thinking_tokens", "use `effort`"),
        ("additional_directories", "use `add_dirs`"),
        ("task_budget", "use `max_budget_usd`"),
        ("session_id", "use `resume`"),
    ],
};

/// The longest label made from a prompt.
const LABEL_WIDTH: usize = 40;

/// Reads a query. `label` is the name it has in its combinator; `check` names the function to blame
/// when a query is only checked. An agent that cannot begin, unless for a mistake of the script's, is
/// counted as one that failed.
///
/// # Errors
/// Usage, naming the option; model, when none can be had.
pub fn parse(
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
    models: &Models,
    task: &Rc<Task>,
    spec: &LuaValue,
    label: Option<String>,
    check: Option<&str>,
) -> Result<Query> {
    let name = label.clone();
    let parsed = read(runtime, host, models, task, spec, label, check.is_some());
    parsed.map_err(|mut error| {
        if error.kind != Kind::Usage {
            host.fleet().count_unstarted(&name_of(spec, name), &error);
        }
        if let Some(function) = check {
            error.message = format!("{function}: {}", error.message);
        }
        error
    })
}

fn read(
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
    models: &Models,
    task: &Rc<Task>,
    spec: &LuaValue,
    label: Option<String>,
    checking: bool,
) -> Result<Query> {
    let lua = runtime.lua();
    let table = match spec {
        LuaValue::Table(table) => table.clone(),
        LuaValue::String(prompt) => lua
            .create_table_from([("prompt", prompt.clone())])
            .map_err(|fault| Error::internal(fault.to_string()))?,
        other => {
            return Err(Error::usage(format!(
                "`agent.query` takes a table of options or a prompt, not {}",
                type_of(other)
            )));
        }
    };
    let mut options = Options::read(lua, &table, &SHAPE)?;
    let prompt = options.text("prompt")?;
    let prompt = options.required("prompt", prompt)?;
    let given = options.text("label")?;
    let tools = tool::read(runtime, host, task, &mut options)?;
    let read_only = permission::read_only(&mut options)?;
    let past = past::read(&mut options)?;
    let (mut site, branch) = match past {
        Past::New => site::read(lua, host, &mut options)?,
        Past::Resumed(_) | Past::Forked(_) => site::inherited(host, &mut options)?,
    };
    if let (Site::Worktree(plan), true) = (&mut site, read_only) {
        plan.commit = Commit::No;
    }
    let rules = permission::rules(&mut options, &site, &tools, read_only)?;
    let can_use_tool = permission::decider(runtime, task, &mut options)?;
    let hooks = hooks::read(runtime, task, &mut options)?;
    let schema = finish::schema(&mut options, &tools)?;
    let verify = finish::verify(runtime, task, &mut options)?;
    let add_dirs = dirs::read(&mut options, &site, host.cwd())?;
    let config = host.config();
    let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let limits = Limits {
        max_turns: options.integer("max_turns", 1, 1_000_000)?.map_or(config.max_turns, small),
        max_output_tokens: options
            .integer("max_output_tokens", 1, i64::from(u32::MAX))?
            .map(small)
            .or(config.max_output_tokens),
        timeout: options.seconds("timeout")?.or(config.timeout),
        idle_timeout: options.seconds("idle_timeout")?.unwrap_or(config.idle_timeout),
    };
    let servers = servers::read(lua, &mut options)?;
    let system_prompt = options.text("system_prompt")?;
    let append_system_prompt = options.text("append_system_prompt")?;
    let on_event = listen::function(runtime, task, &mut options)?;
    let env = options.string_map("env")?.unwrap_or_default();
    // Last: a missing key is the smaller mistake beside a wrong option.
    let model = model(runtime, host, models, task, &mut options)?;
    let money = money::read(host, task, &*model, &mut options, |value| {
        named_or_written(runtime, host, task, value)
    })?;
    let effort = effort::effort(&mut options, host, &*model)?;
    Ok(Query {
        label: given.or(label).or(branch).unwrap_or_else(|| short(&prompt)),
        prompt,
        model,
        system_prompt,
        append_system_prompt,
        site,
        rules,
        tools,
        servers,
        fallbacks: money.fallbacks,
        effort,
        add_dirs,
        past,
        read_only,
        can_use_tool,
        hooks,
        schema,
        verify,
        purse: money.purse,
        price: money.price,
        on_event,
        logs: task.logs(),
        limits,
        env,
        // A check takes no ordinal: call paths are the same with and without it.
        call_path: if checking { String::new() } else { task.next_path("query") },
        lent: task.employer().map(|employer| Arc::clone(&employer.place)),
    })
}

fn model(
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
    models: &Models,
    task: &Rc<Task>,
    options: &mut Options,
) -> Result<Arc<dyn Model>> {
    match options.any("model") {
        Some(value) => named_or_written(runtime, host, task, &value)
            .unwrap_or_else(|| Err(options.wrong("model", "a name or an `agent.model`", &value))),
        None => match &*models.borrow() {
            Some(default) => {
                let model = model::bind(runtime, &default.model, task);
                host.note_default_model(&*model);
                Ok(model)
            }
            None => host.default_model(),
        },
    }
}

/// Returns the model that a value names or is, if it is one of the two.
fn named_or_written(
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
    task: &Rc<Task>,
    value: &LuaValue,
) -> Option<Result<Arc<dyn Model>>> {
    if let LuaValue::String(name) = value {
        return Some(host.model(&name.to_string_lossy()));
    }
    let written = model::written(value)?;
    Some(Ok(model::bind(runtime, &written, task)))
}

/// Returns the label that a query would have had.
fn name_of(spec: &LuaValue, label: Option<String>) -> String {
    let text = |value: LuaValue| value.as_string().map(mlua::LuaString::to_string_lossy);
    let table = spec.as_table();
    let option = |name: &str| table.and_then(|table| table.raw_get(name).ok()).and_then(text);
    let prompt = || option("prompt").or_else(|| text(spec.clone())).map(|prompt| short(&prompt));
    option("label").or(label).or_else(|| option("branch")).or_else(prompt).unwrap_or_default()
}

fn short(prompt: &str) -> String {
    let line = prompt.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(LABEL_WIDTH) {
        Some((cut, _)) => format!("{}…", line[..cut].trim_end()),
        None => line.to_owned(),
    }
}

/// Returns the directory that a function's `repo` option means.
pub fn repo_dir(host: &Host, repo: Option<String>) -> PathBuf {
    repo.map_or_else(|| host.default_dir(), |repo| host.cwd().join(repo))
}
