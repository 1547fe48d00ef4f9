//! `task:events()`: an iterator over what the agents of a task do, from the first event to its end.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;

use crate::error::Error;
use crate::event::log::Log;
use crate::vm::bridge::Returned;
use crate::vm::{Module, Runtime, Task, value};

/// What makes an iterator of a reader.
const ITERATOR: &str = "agentlua.events";
/// In Lua, so that it may wait, and raises at the line of the `for`.
const SOURCE: &str = "local next = ... \
  return function(reader) return function() return next(reader) end end";

/// Someone who reads the events of a task.
struct Reader {
    task: Rc<Task>,
    log: Arc<Log>,
    place: Cell<u64>,
}

impl LuaUserData for Reader {}

/// Makes what [`iterator`] needs.
pub fn install(runtime: &Runtime) -> LuaResult<()> {
    let lua = runtime.lua();
    let module =
        Module::new(lua, "agentlua.task")?.waiting("events", |lua, mut args| async move {
            let LuaValue::UserData(data) = args.any() else {
                return Err(Error::internal("not a reader of events").into());
            };
            let (task, log, mut place) = {
                let reader = data.borrow::<Reader>()?;
                (Rc::clone(&reader.task), Arc::clone(&reader.log), reader.place.get())
            };
            if task.contains(&Task::current()?) {
                let why =
                    "a task cannot wait for the events of itself or of a task that contains it";
                return Err(Error::usage(why).into());
            }
            let event = log.next(&mut place).await;
            data.borrow::<Reader>()?.place.set(place);
            Ok(event.map(|event| value::to_lua(&lua, &event)).transpose()?)
        })?;
    let next: LuaFunction = module.build().get("events")?;
    let make: LuaFunction = runtime.load_own(SOURCE, next)?;
    lua.set_named_registry_value(ITERATOR, make)
}

/// Returns a function that returns the next event of `task`, and nil at its end.
pub fn iterator(lua: &Lua, task: &Rc<Task>) -> Returned<LuaFunction> {
    let log = task.log().ok_or_else(|| Error::internal("a task without a log"))?;
    let reader = Reader { task: Rc::clone(task), log, place: Cell::new(0) };
    let make: LuaFunction = lua.named_registry_value(ITERATOR)?;
    Ok(make.call(lua.create_userdata(reader)?)?)
}
