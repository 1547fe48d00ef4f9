//! `task:events()`: an iterator over what the agents of a task do, from the first event to its end; of an
//! agent that is known by its id, over what the journal has of it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::error::Error;
use crate::event::log::Log;
use crate::host::Host;
use crate::host::known::Following;
use crate::vm::bridge::Returned;
use crate::vm::{Module, Runtime, Task, value};

/// What makes an iterator of a reader.
const ITERATOR: &str = "agentlua.events";
/// In Lua, so that it may wait, and raises at the line of the `for`.
const SOURCE: &str = "local next = ... \
  return function(reader) return function() return next(reader) end end";

/// Someone who reads events.
struct Reader {
    source: Source,
    place: Cell<u64>,
}

/// Where they come from.
#[derive(Clone)]
enum Source {
    /// A task, while it lives.
    Task(Rc<Task>, Arc<Log>),
    /// The journal.
    Known(Arc<Host>, Arc<Mutex<Following>>),
}

impl LuaUserData for Reader {}

/// Makes what [`iterator`] and [`following`] need.
pub fn install(runtime: &Runtime) -> LuaResult<()> {
    let lua = runtime.lua();
    let module =
        Module::new(lua, "agentlua.task")?.waiting("events", |lua, mut args| async move {
            let LuaValue::UserData(data) = args.any() else {
                return Err(Error::internal("not a reader of events").into());
            };
            let event = next(&data).await?;
            Ok(event.map(|event| value::to_lua(&lua, &event)).transpose()?)
        })?;
    let next: LuaFunction = module.build().get("events")?;
    let make: LuaFunction = runtime.load_own(SOURCE, next)?;
    lua.set_named_registry_value(ITERATOR, make)
}

async fn next(data: &LuaAnyUserData) -> Returned<Option<Arc<Value>>> {
    let (source, mut place) = {
        let reader = data.borrow::<Reader>()?;
        (reader.source.clone(), reader.place.get())
    };
    match source {
        Source::Task(task, _) if task.contains(&Task::current()?) => {
            let why = "a task cannot wait for the events of itself or of a task that contains it";
            Err(Error::usage(why).into())
        }
        Source::Task(_, log) => {
            let event = log.next(&mut place).await;
            data.borrow::<Reader>()?.place.set(place);
            Ok(event)
        }
        Source::Known(host, following) => {
            let next = host.beside(async move { following.lock().await.next().await });
            Ok(next.await??.map(Arc::new))
        }
    }
}

/// Returns a function that returns the next event of `task`, and nil at its end.
pub fn iterator(lua: &Lua, task: &Rc<Task>) -> Returned<LuaFunction> {
    let log = task.log().ok_or_else(|| Error::internal("a task without a log"))?;
    reader(lua, Source::Task(Rc::clone(task), log))
}

/// Returns a function that returns the next event of an agent, and nil at its end.
pub fn following(lua: &Lua, host: &Arc<Host>, following: Following) -> Returned<LuaFunction> {
    reader(lua, Source::Known(Arc::clone(host), Arc::new(Mutex::new(following))))
}

fn reader(lua: &Lua, source: Source) -> Returned<LuaFunction> {
    let reader = Reader { source, place: Cell::new(0) };
    let make: LuaFunction = lua.named_registry_value(ITERATOR)?;
    Ok(make.call(lua.create_userdata(reader)?)?)
}
