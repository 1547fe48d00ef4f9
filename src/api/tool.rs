//! Tools written in Lua: `agent.tool { name =, description =, input =, run = function … end }`.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mlua::prelude::*;
use serde_json::{Value, json};

use super::schema;
use crate::agent::Role;
use crate::error::{Error, Kind, Result};
use crate::event::Events;
use crate::host::Host;
use crate::schema::Checker;
use crate::tool::output::capped;
use crate::tool::registry::Registry;
use crate::tool::{Context, Tool, ToolError, ToolOutput};
use crate::vm::bridge::Returned;
use crate::vm::{Callback, Options, Runtime, Shape, Task};

pub(super) const SHAPE: Shape = Shape {
    function: "agent.tool",
    known: &["name", "description", "input", "run", "read_only"],

    instead: &[
        ("input_schema", "use `input`"),
        ("parameters", "use `input`"),
        ("handler", "use `run`"),
    ],
};

/// A tool as the script wrote it.
struct Written {
    name: String,
    description: String,
    input: Value,
    checker: Arc<Checker>,
    run: LuaFunction,
    read_only: bool,
}

/// What `agent.tool` returns.
struct Handle(Rc<Written>);

impl LuaUserData for Handle {
    fn add_methods<M: LuaUserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method("__tostring", |_, this, ()| Ok(format!("tool `{}`", this.0.name)));
    }
}

/// Makes a tool from its options.
pub fn define(lua: &Lua, table: &LuaTable) -> Returned<LuaAnyUserData> {
    let mut options = Options::read(lua, table, &SHAPE)?;
    let name = options.text("name")?;
    let name = options.required("name", name)?;
    if name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    {
        return Err(options.bad("name", "must be 1 to 64 letters, digits, `_` or `-`").into());
    }
    let taken = Registry::optional().contains(&&*name);
    if taken || Registry::builtin_names().any(|builtin| builtin == name) {
        return Err(options.bad("name", format_args!("`{name}` is a built-in tool's")).into());
    }
    let description = options.text("description")?;
    let description = options.required("description", description)?;
    let input = options.json("input")?.unwrap_or_else(|| json!({}));
    let input = schema::object(&input, "`agent.tool`: option `input`")?;
    let checker = Checker::new(&input)
        .map_err(|why| options.bad("input", format_args!("is not a JSON Schema: {why}")))?;
    let run = options.callable("run")?;
    let run = options.required("run", run)?;
    let read_only = options.flag("read_only")?.unwrap_or(false);
    Ok(lua.create_userdata(Handle(Rc::new(Written {
        name,
        description,
        input,
        checker: Arc::new(checker),
        run,
        read_only,
    })))?)
}

/// Reads the option `tools`: a list of tools.
pub fn read(
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
    task: &Rc<Task>,
    options: &mut Options,
) -> Result<Vec<Arc<dyn Tool>>> {
    let list = match options.any("tools") {
        None => return Ok(Vec::new()),
        Some(LuaValue::Table(list)) => list,
        Some(other) => {
            return Err(options.wrong("tools", "a list of tools made by `agent.tool`", &other));
        }
    };
    let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
    for pair in list.pairs::<LuaValue, LuaValue>() {
        let (key, item) = pair.map_err(|fault| Error::internal(fault.to_string()))?;
        let LuaValue::UserData(data) = &item else {
            return Err(options.bad(
                "tools",
                format_args!(
                    "has an item that `agent.tool` did not make, at {}",
                    key.to_string().unwrap_or_default()
                ),
            ));
        };
        let Ok(handle) = data.borrow::<Handle>() else {
            return Err(options.bad("tools", "has an item that `agent.tool` did not make"));
        };
        let written = &handle.0;
        if tools.iter().any(|tool| tool.name() == written.name) {
            return Err(
                options.bad("tools", format_args!("has two tools named `{}`", written.name))
            );
        }
        tools.push(Arc::new(LuaTool {
            name: written.name.clone(),
            description: written.description.clone(),
            input: written.input.clone(),
            checker: Arc::clone(&written.checker),
            read_only: written.read_only,
            callback: runtime.callbacks().register(
                written.run.clone(),
                Rc::clone(task),
                Role::Tool,
            ),
            events: host.events().clone(),
        }));
    }
    // The order of `pairs` is that of no run: tools are part of the prompt cache's key.
    tools.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(tools)
}

struct LuaTool {
    name: String,
    description: String,
    input: Value,
    checker: Arc<Checker>,
    read_only: bool,
    callback: Callback,
    events: Events,
}

impl Tool for LuaTool {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn input_schema(&self) -> Value {
        self.input.clone()
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn code(&self) -> Option<&str> {
        Some(self.callback.code())
    }

    fn summary(&self, input: &Value) -> String {
        input.to_string()
    }

    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        async move {
            let violations = self.checker.check(&input);
            if !violations.is_empty() {
                return Err(ToolError::Reply(format!(
                    "the input does not fit the schema of `{}`:\n{}",
                    self.name,
                    violations.join("\n")
                )));
            }
            let about = json!({
                "agent_id": context.agent,
                "label": context.label,
                "branch": context.branch,
                "cwd": context.workspace.root().display().to_string(),
                "turn": context.turn.load(Ordering::Relaxed),
            });
            let returned = tokio::select! {
                biased;
                () = context.cancel.cancelled() => return Err(ToolError::reply("cancelled")),
                returned = self.callback.call(vec![input, about]) => returned,
            };
            match returned {
                Ok(values) => output(&self.name, &values)
                    .map(|output| capped(output.text).into())
                    .map_err(|error| match error {
                        ToolError::Reply(text) => ToolError::Reply(capped(text)),
                        fatal @ ToolError::Fatal(_) => fatal,
                    }),
                Err(error) if error.kind == Kind::Cancelled => Err(ToolError::reply(error.message)),
                Err(error) => {
                    let at = error.at.as_deref().map(|at| format!("{at}: ")).unwrap_or_default();
                    self.events.warn(format!("tool `{}`: {at}{}", self.name, error.message));
                    Err(ToolError::reply(capped(error.message)))
                }
            }
        }
        .boxed()
    }
}

/// A string or a table is the result; `nil, message` is a failed call. A table in the way of MCP
/// servers, `{ content = { { type = "text", text = … } }, is_error = … }`, is its texts.
fn output(name: &str, values: &[Value]) -> ToolOutput {
    match values {
        [Value::String(text), ..] => Ok(text.clone().into()),
        [Value::Null, Value::String(message), ..] => Err(ToolError::reply(message.clone())),
        [] | [Value::Null, ..] => Err(ToolError::reply(format!("tool `{name}` returned nothing"))),
        [value, ..] => match texts(value) {
            Some(text) if value["is_error"] == true || value["isError"] == true => {
                Err(ToolError::Reply(text))
            }
            Some(text) => Ok(text.into()),
            None => Ok(value.to_string().into()),
        },
    }
}

/// Returns the texts of a result in the way of MCP servers.
fn texts(value: &Value) -> Option<String> {
    let blocks = value.get("content")?.as_array()?;
    let text = |block: &Value| {
        (block["type"] == "text").then_some(())?;
        block["text"].as_str().map(str::to_owned)
    };
    Some(blocks.iter().map(text).collect::<Option<Vec<_>>>()?.join("\n"))
}
