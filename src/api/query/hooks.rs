//! The option `hooks`: functions by the step that they are told of, or the Agent SDK's lists of
//! `{ matcher = "Bash|Edit", hooks = { … } }`.

use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;

use crate::agent::Role;
use crate::agent::hook::{Hook, Hooks, Point};
use crate::error::{Error, Result};
use crate::vm::args::type_of;
use crate::vm::{Options, Runtime, Shape, Task};

pub(in crate::api) const SHAPE: Shape = Shape {
    function: "agent.query: hooks",
    known: &[
        "pre_tool_use",
        "post_tool_use",
        "post_tool_use_failure",
        "permission_denied",
        "session_start",
        "user_prompt_submit",
        "stop",
        "pre_compact",
        "session_end",
    ],

    instead: &[
        ("permission_request", "use `can_use_tool`"),
        ("notification", "use `on_event`"),
        ("post_tool_batch", "use `post_tool_use`"),
        ("stop_failure", "use `session_end`"),
        ("subagent_start", "use `hooks` of the sub-agent's own query, `session_start`"),
        ("subagent_stop", "use `hooks` of the sub-agent's own query, `stop`"),
        ("post_compact", "use `pre_compact`"),
    ],
};

pub(in crate::api) const MATCHER: Shape = Shape {
    function: "agent.query: hooks: matcher",
    known: &["matcher", "hooks", "timeout"],

    instead: &[],
};

/// Reads the hooks; calls run as children of `task`.
pub(super) fn read(runtime: &Runtime, task: &Rc<Task>, options: &mut Options) -> Result<Hooks> {
    let table = match options.any("hooks") {
        None => return Ok(Hooks::default()),
        Some(LuaValue::Table(table)) => table,
        Some(other) => return Err(options.wrong("hooks", "a table of functions", &other)),
    };
    let mut given = Options::read(runtime.lua(), &table, &SHAPE)?;
    let mut reader = Reader { runtime, task, hooks: Vec::new() };
    for (name, point) in Point::ALL {
        if let Some(value) = given.any(name) {
            reader.add(name, point, &value)?;
        }
    }
    Ok(Hooks::new(reader.hooks))
}

struct Reader<'a> {
    runtime: &'a Runtime,
    task: &'a Rc<Task>,
    hooks: Vec<Hook>,
}

impl Reader<'_> {
    /// Adds a function, or each of a list of functions and matchers.
    fn add(&mut self, name: &str, point: Point, value: &LuaValue) -> Result<()> {
        match value {
            LuaValue::Function(function) => self.push(point, function, &[], None),
            LuaValue::Table(list) => {
                for item in list.sequence_values::<LuaValue>() {
                    match item.map_err(|fault| Error::internal(fault.to_string()))? {
                        LuaValue::Function(function) => self.push(point, &function, &[], None),
                        LuaValue::Table(table) => self.matcher(name, point, &table)?,
                        other => return Err(wrong(name, &other)),
                    }
                }
                if list.raw_len() == 0 && !list.is_empty() {
                    // `{ matcher = … }` without the list around it.
                    self.matcher(name, point, list)?;
                }
            }
            other => return Err(wrong(name, other)),
        }
        Ok(())
    }

    fn matcher(&mut self, name: &str, point: Point, table: &LuaTable) -> Result<()> {
        let mut given = Options::read(self.runtime.lua(), table, &MATCHER)?;
        let tools = tools(&given.string("matcher")?.unwrap_or_default(), &given)?;
        let timeout = given.seconds("timeout")?;
        let functions = match given.any("hooks") {
            Some(LuaValue::Function(function)) => vec![function],
            Some(LuaValue::Table(list)) => list
                .sequence_values::<LuaFunction>()
                .collect::<LuaResult<_>>()
                .map_err(|_| given.bad("hooks", "must be a list of functions"))?,
            Some(other) => return Err(given.wrong("hooks", "a list of functions", &other)),
            None => Vec::new(),
        };
        if functions.is_empty() {
            return Err(Error::usage(format!("`agent.query`: the hook `{name}` has no function")));
        }
        for function in &functions {
            self.push(point, function, &tools, timeout);
        }
        Ok(())
    }

    fn push(
        &mut self,
        point: Point,
        function: &LuaFunction,
        tools: &[String],
        timeout: Option<std::time::Duration>,
    ) {
        let callback =
            self.runtime.callbacks().register(function.clone(), Rc::clone(self.task), Role::Hook);
        self.hooks.push(Hook {
            point,
            tools: tools.to_vec(),
            function: Arc::new(callback),
            timeout,
        });
    }
}

/// Reads which tools a matcher means: names joined by `|`, with `*` or `.*` for anything.
fn tools(matcher: &str, given: &Options) -> Result<Vec<String>> {
    if matcher.is_empty() || matcher == "*" || matcher == ".*" {
        return Ok(Vec::new());
    }
    let names: Vec<String> =
        matcher.split('|').map(|name| name.trim().replace(".*", "*")).collect();
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-*".contains(c);
    match names.iter().find(|name| name.is_empty() || !name.chars().all(fits)) {
        None => Ok(names),
        Some(_) => Err(given
            .bad("matcher", format_args!("must be names of tools joined by `|`, not `{matcher}`"))
            .hint("a name may have `*` in it, as in `mcp__docs__*`")),
    }
}

fn wrong(name: &str, value: &LuaValue) -> Error {
    Error::usage(format!(
        "`agent.query`: the hook `{name}` must be a function or a list, not {}",
        type_of(value)
    ))
}
