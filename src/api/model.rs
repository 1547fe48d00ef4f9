//! Models written in Lua: `agent.model { name =, reply = function(request) … end }`.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mlua::prelude::*;
use serde_json::{Map, Value, json};

use super::query::{DefaultModel, Models};
use crate::agent::{Role, prompt};
use crate::config::is_lua_file;
use crate::error::{Error, Kind, Result};
use crate::event::Usage;
use crate::host::Host;
use crate::model::{
    CallIds, Chunk, Failure, Message, Model, Reply, Request, StopReason, ToolCall, rate,
};
use crate::vm::bridge::Returned;
use crate::vm::{Callback, Options, Runtime, Shape, Task, chunk};

/// The wire format of its replies.
pub(super) const WIRE: &str = "lua";

pub(super) const SHAPE: Shape =
    Shape { function: "agent.model", known: &["name", "reply"], instead: &[] };

/// A model as the script wrote it.
pub struct Written {
    name: String,
    reply: LuaFunction,
}

/// What `agent.model` returns.
struct Handle(Rc<Written>);

impl LuaUserData for Handle {
    fn add_methods<M: LuaUserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method("__tostring", |_, this, ()| Ok(format!("model `{}`", this.0.name)));
    }
}

/// Makes a model from its options.
pub fn define(lua: &Lua, table: &LuaTable) -> Returned<LuaAnyUserData> {
    let mut options = Options::read(lua, table, &SHAPE)?;
    let name = options.text("name")?.unwrap_or_else(|| "lua".to_owned());
    let reply = options.callable("reply")?;
    let reply = options.required("reply", reply)?;
    Ok(lua.create_userdata(Handle(Rc::new(Written { name, reply })))?)
}

/// Returns the model behind a value that `agent.model` returned.
pub fn written(value: &LuaValue) -> Option<Rc<Written>> {
    let LuaValue::UserData(data) = value else { return None };
    data.borrow::<Handle>().ok().map(|handle| Rc::clone(&handle.0))
}

/// Gives a model to agents of `task`: its calls run as children of that task.
pub fn bind(runtime: &Rc<Runtime>, written: &Written, task: &Rc<Task>) -> Arc<dyn Model> {
    let callback =
        runtime.callbacks().register(written.reply.clone(), Rc::clone(task), Role::Model);
    Arc::new(LuaModel { name: written.name.clone(), callback })
}

/// Loads the Lua file that `--model` (or the setting) names, so that agents without a model of their
/// own use what it returns.
///
/// # Errors
/// Usage, for a file that cannot be read or returns no `agent.model`.
pub async fn load_default(runtime: &Rc<Runtime>, host: &Arc<Host>) -> Result<()> {
    // A recording answers in the place of every model.
    if host.player().is_some() {
        return Ok(());
    }
    let Some(name) = host.config().model.clone().filter(|name| is_lua_file(name)) else {
        return Ok(());
    };
    let source = std::fs::read(host.cwd().join(&name))
        .map_err(|fault| Error::usage(format!("cannot read the model `{name}`")).because(fault))
        .map_err(|error| {
            error.hint("it is a Lua file that ends with `return agent.model { … }`")
        })?;
    let function = chunk::compile(runtime.lua(), &source, &name)?;
    let task = Task::root(runtime.root().stopper().token().child_token());
    let returned = runtime.run(&task, function, LuaMultiValue::new()).await;
    let returned = returned.map_err(|uncaught| {
        let mut error = Error::usage(format!("the model `{name}`: {}", uncaught.error.message));
        error.at.clone_from(&uncaught.error.at);
        error
    })?;
    let Some(model) = returned.iter().next().and_then(written) else {
        return Err(Error::usage(format!("`{name}` does not return a model"))
            .hint("end it with `return agent.model { reply = function(request) … end }`"));
    };
    if let Some(models) = runtime.lua().app_data_ref::<Models>() {
        *models.borrow_mut() = Some(DefaultModel { model, typed: true });
    }
    Ok(())
}

struct LuaModel {
    name: String,
    callback: Callback,
}

impl Model for LuaModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn wire(&self) -> &'static str {
        WIRE
    }

    fn pool(&self) -> Option<&str> {
        None
    }

    fn code(&self) -> Option<&str> {
        Some(self.callback.code())
    }

    fn ask<'a>(
        &'a self,
        request: &'a Request,
        _chunks: &'a (dyn Fn(Chunk) + Send + Sync),
    ) -> BoxFuture<'a, Result<Reply, Failure>> {
        async move {
            let returned =
                self.callback.call(vec![request_json(request)]).await.map_err(|error| {
                    let mut failed = Error::new(
                        Kind::Model,
                        format!("model `{}`: {}", self.name, error.message),
                    );
                    // A script's own error keeps its kind, so that a model can play a cancelled run.
                    if error.kind != Kind::Tool {
                        failed.kind = error.kind;
                    }
                    failed.at = error.at;
                    Failure::fatal(failed)
                })?;
            let first = returned.into_iter().next().unwrap_or(Value::Null);
            reply(&first, request).map_err(|why| {
                Failure::fatal(Error::new(Kind::Model, format!("model `{}`: {why}", self.name)))
            })
        }
        .boxed()
    }
}

fn request_json(request: &Request) -> Value {
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| json!({ "name": tool.name, "description": tool.description, "input_schema": tool.input_schema }))
        .collect();
    let messages: Vec<Value> = request.messages.iter().map(message_json).collect();
    let prompt = prompt::task_of(&request.messages);
    let results: Vec<Value> = match request.messages.last() {
        Some(Message::User { results, .. }) => results.iter().map(|result| json!(result)).collect(),
        _ => Vec::new(),
    };
    json!({
        "turn": request.turn,
        "prompt": prompt,
        "system": &*request.system,
        "tools": tools,
        "messages": messages,
        "results": results,
    })
}

/// A message as the Messages API would have it.
fn message_json(message: &Message) -> Value {
    match message {
        Message::User { results, texts } => {
            let results = results.iter().map(|result| {
                json!({ "type": "tool_result", "tool_use_id": result.id, "content": result.content, "is_error": result.is_error })
            });
            let texts = texts.iter().map(|text| json!({ "type": "text", "text": text }));
            json!({ "role": "user", "content": results.chain(texts).collect::<Vec<_>>() })
        }
        Message::Assistant(reply) => {
            let text =
                (!reply.text.is_empty()).then(|| json!({ "type": "text", "text": reply.text }));
            let calls = reply.calls.iter().map(|call| {
                json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": call.input.clone().unwrap_or_default() })
            });
            json!({ "role": "assistant", "content": text.into_iter().chain(calls).collect::<Vec<_>>() })
        }
    }
}

/// Reads what `reply` returned: a text, or `{ text=, tools=, usage=, stop_reason= }`.
fn reply(returned: &Value, request: &Request) -> Result<Reply, String> {
    let empty = Map::new();
    let (text, fields) = match returned {
        Value::String(text) => (text.clone(), &empty),
        Value::Object(fields) => {
            let known = ["text", "tools", "usage", "stop_reason"];
            if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
                return Err(format!(
                    "`reply` returned an unknown field `{name}`; there are text, tools, usage, stop_reason"
                ));
            }
            match fields.get("text") {
                None => (String::new(), fields),
                Some(Value::String(text)) => (text.clone(), fields),
                Some(_) => return Err("`reply` returned a `text` that is no string".to_owned()),
            }
        }
        Value::Null => {
            return Err("`reply` returned nothing; it has to return a text or a table".to_owned());
        }
        _ => return Err("`reply` returned neither a text nor a table".to_owned()),
    };
    let calls = match fields.get("tools") {
        None => Vec::new(),
        Some(Value::Array(calls)) => {
            let mut ids = CallIds::of(request);
            let numbered = calls.iter().enumerate();
            numbered
                .map(|(index, call)| tool_call(call, index, request.turn, &mut ids))
                .collect::<Result<_, _>>()?
        }
        Some(Value::Object(none)) if none.is_empty() => Vec::new(),
        Some(_) => return Err("`reply` returned `tools` that are no list of calls".to_owned()),
    };
    let stop = match fields.get("stop_reason").map(|word| word.as_str().unwrap_or_default()) {
        None if calls.is_empty() => StopReason::EndTurn,
        None | Some("tool_use") => StopReason::ToolUse,
        Some("end_turn") => StopReason::EndTurn,
        Some("max_tokens") => StopReason::MaxTokens,
        Some("refusal") => StopReason::Refusal,
        Some("pause_turn") => StopReason::PauseTurn,
        Some("model_context_window_exceeded") => StopReason::ContextOverflow,
        Some(other) => StopReason::Other(other.to_owned()),
    };
    let tokens = |name: &str| {
        fields.get("usage").and_then(|usage| usage.get(name)).and_then(Value::as_u64).unwrap_or(0)
    };
    Ok(Reply {
        text,
        calls,
        stop,
        usage: Usage {
            input_tokens: tokens("input_tokens"),
            output_tokens: tokens("output_tokens"),
            cache_read_input_tokens: tokens("cache_read_input_tokens"),
            cache_creation_input_tokens: tokens("cache_creation_input_tokens"),
        },
        wire: Value::Null,
        wire_format: WIRE,
        limits: rate::RateLimits::default(),
    })
}

fn tool_call(call: &Value, index: usize, turn: u32, ids: &mut CallIds) -> Result<ToolCall, String> {
    let Some(name) = call.get("name").and_then(Value::as_str) else {
        return Err(format!("call {} of `tools` has no `name`", index + 1));
    };
    let input = match call.get("input") {
        None => json!({}),
        Some(input @ Value::Object(_)) => input.clone(),
        Some(_) => {
            return Err(format!("call {} of `tools`: `input` is no table of arguments", index + 1));
        }
    };
    Ok(ToolCall {
        // A conversation that was taken up has ids of turns of the same numbers.
        id: ids.claim(&format!("call-{turn}-{}", index + 1)),
        name: name.to_owned(),
        input: Ok(input),
    })
}
