//! Tools written in Lua: `agent.tool { name =, description =, input =, run = function … end }`.

use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mlua::prelude::*;
use serde_json::{Value, json};

use super::schema;
use crate::error::{Error, Kind, Result};
use crate::event::Events;
use crate::host::Host;
use crate::tool::registry::Registry;
use crate::tool::{Context, Tool, ToolError, ToolOutput};
use crate::vm::bridge::Returned;
use crate::vm::{Callback, Options, Runtime, Shape, Task};

const SHAPE: Shape = Shape {
    function: "agent.tool",
    known: &["name", "description", "input", "run", "read_only"],
    later: &[],
    instead: &[
        ("input_schema", "use `input`"),
        ("parameters", "use `input`"),
        ("handler", "use `run`"),
    ],
};

/// The most bytes of a result that the model is shown.
const MAX_RESULT: usize = 30_000;

/// A tool as the script wrote it.
struct Written {
    name: String,
    description: String,
    input: Value,
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
    if Registry::builtin_names().any(|builtin| builtin == name) {
        return Err(options.bad("name", format_args!("`{name}` is a built-in tool's")).into());
    }
    let description = options.text("description")?;
    let description = options.required("description", description)?;
    let input = options.json("input")?.unwrap_or_else(|| json!({}));
    let input = schema::object(&input, "`agent.tool`: option `input`")?;
    let run = options.callable("run")?;
    let run = options.required("run", run)?;
    let read_only = options.flag("read_only")?.unwrap_or(false);
    Ok(lua.create_userdata(Handle(Rc::new(Written {
        name,
        description,
        input,
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
            read_only: written.read_only,
            callback: runtime.callbacks().register(written.run.clone(), Rc::clone(task)),
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

    fn summary(&self, input: &Value) -> String {
        input.to_string()
    }

    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        async move {
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

/// Cuts what is longer than a model is shown of a command.
fn capped(mut text: String) -> String {
    if text.len() > MAX_RESULT {
        let cut = text.floor_char_boundary(MAX_RESULT);
        let left_out = text.len() - cut;
        text.truncate(cut);
        let _ = write!(text, "\n[{left_out} bytes left out here]");
    }
    text
}

/// A string or a table is the result; `nil, message` is a failed call.
fn output(name: &str, values: &[Value]) -> ToolOutput {
    match values {
        [Value::String(text), ..] => Ok(text.clone().into()),
        [Value::Null, Value::String(message), ..] => Err(ToolError::reply(message.clone())),
        [] | [Value::Null, ..] => Err(ToolError::reply(format!("tool `{name}` returned nothing"))),
        [value, ..] => Ok(value.to_string().into()),
    }
}
