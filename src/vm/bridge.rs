//! How a Rust function becomes a Lua function.
//!
//! A primitive returns `(true, values…)` or `(false, error)`; the prelude's `define` wraps it into
//! the public function, which raises the error with the caller's position, and its `try_` twin,
//! which returns `nil, error`. Three manners:
//!
//! * [`Module::function`] answers at once;
//! * [`Module::waiting`] may wait, and is cut short when its task is cancelled;
//! * [`Module::joining`] may wait and is not cut short, because something below it (an agent, a
//!   group) hears of the cancellation itself and unwinds.

use std::rc::Rc;

use mlua::prelude::*;

use super::args::Args;
use super::error;
use super::task::Task;
use crate::error::Error;

const DEFINE: &str = "agentlua.define";

/// What a primitive failed with.
pub enum Raised {
    /// An error of ours.
    Error(Box<Error>),
    /// A value of the script's own, to be raised unchanged.
    Value(LuaValue),
    /// A fault of Lua or of the bridge.
    Fault(LuaError),
}

impl From<Error> for Raised {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

impl From<LuaError> for Raised {
    fn from(fault: LuaError) -> Self {
        Self::Fault(fault)
    }
}

/// What a primitive returns.
pub type Returned<T> = std::result::Result<T, Raised>;

/// Keeps the prelude's `define`.
pub fn install(lua: &Lua, define: LuaFunction) -> LuaResult<()> {
    lua.set_named_registry_value(DEFINE, define)
}

fn settle<T: IntoLuaMulti>(lua: &Lua, returned: Returned<T>) -> LuaResult<LuaMultiValue> {
    let raised = match returned {
        Ok(values) => {
            let mut values = values.into_lua_multi(lua)?;
            values.push_front(LuaValue::Boolean(true));
            return Ok(values);
        }
        Err(Raised::Error(raised)) => error::to_lua(lua, &raised)?,
        Err(Raised::Value(value)) => value,
        Err(Raised::Fault(fault)) => error::from_fault(lua, &fault),
    };
    Ok(LuaMultiValue::from_vec(vec![LuaValue::Boolean(false), raised]))
}

/// Waits for `work`, unless the running task is cancelled first.
pub async fn cut_short<T>(
    lua: &Lua,
    task: &Task,
    work: impl Future<Output = Returned<T>>,
) -> Returned<T> {
    if task.must_stop() {
        return Err(Raised::Value(task.tell(lua)?));
    }
    tokio::select! {
        biased;
        () = task.stopped() => Err(Raised::Value(task.tell(lua)?)),
        returned = work => returned,
    }
}

/// A table of functions that is being filled.
pub struct Module<'lua> {
    lua: &'lua Lua,
    /// The name in the manual, such as `agent`; prefixed to function names in messages.
    name: &'static str,
    table: LuaTable,
    define: LuaFunction,
}

impl<'lua> Module<'lua> {
    /// Begins a module.
    pub fn new(lua: &'lua Lua, name: &'static str) -> LuaResult<Self> {
        let define = lua.named_registry_value(DEFINE)?;
        Ok(Self { lua, name, table: lua.create_table()?, define })
    }

    fn full_name(&self, name: &str) -> String {
        // A module that is called itself: `sh "make"`.
        if name == "call" {
            return self.name.to_owned();
        }
        // Handles are named by a word that methods hang on with a colon: `task:await`.
        let joint = if self.name.starts_with("agentlua.") { "" } else { "." };
        match self.name.strip_prefix("agentlua.") {
            Some(handle) => format!("{handle}:{name}"),
            None => format!("{}{joint}{name}", self.name),
        }
    }

    fn define(self, name: &'static str, function: LuaFunction, waits: bool) -> LuaResult<Self> {
        self.define.call::<()>((&self.table, name, self.full_name(name), function, waits))?;
        Ok(self)
    }

    /// Adds a function that answers at once.
    pub fn function<T, F>(self, name: &'static str, body: F) -> LuaResult<Self>
    where
        T: IntoLuaMulti,
        F: Fn(&Lua, Args) -> Returned<T> + 'static,
    {
        let full = self.full_name(name);
        let function = self.lua.create_function(move |lua, values: LuaMultiValue| {
            settle(lua, body(lua, Args::new(&full, values)))
        })?;
        self.define(name, function, false)
    }

    /// Adds a function that may wait and is cut short by cancellation.
    pub fn waiting<T, F, Fut>(self, name: &'static str, body: F) -> LuaResult<Self>
    where
        T: IntoLuaMulti + 'static,
        F: Fn(Lua, Args) -> Fut + 'static,
        Fut: Future<Output = Returned<T>> + 'static,
    {
        let full = self.full_name(name);
        let body = Rc::new(body);
        let function = self.lua.create_async_function(move |lua: Lua, values: LuaMultiValue| {
            let (body, args) = (Rc::clone(&body), Args::new(&full, values));
            async move {
                let returned = match Task::current() {
                    Ok(task) => cut_short(&lua, &task, body(lua.clone(), args)).await,
                    Err(error) => Err(error.into()),
                };
                settle(&lua, returned)
            }
        })?;
        self.define(name, function, true)
    }

    /// Adds a function that may wait and unwinds by itself when its task is cancelled.
    pub fn joining<T, F, Fut>(self, name: &'static str, body: F) -> LuaResult<Self>
    where
        T: IntoLuaMulti + 'static,
        F: Fn(Lua, Rc<Task>, Args) -> Fut + 'static,
        Fut: Future<Output = Returned<T>> + 'static,
    {
        let full = self.full_name(name);
        let body = Rc::new(body);
        let function = self.lua.create_async_function(move |lua: Lua, values: LuaMultiValue| {
            let (body, args) = (Rc::clone(&body), Args::new(&full, values));
            async move {
                let returned = match Task::current() {
                    Ok(task) => {
                        let _joining = task.joining();
                        body(lua.clone(), Rc::clone(&task), args).await
                    }
                    Err(error) => Err(error.into()),
                };
                settle(&lua, returned)
            }
        })?;
        self.define(name, function, true)
    }

    /// Returns the table.
    pub fn build(self) -> LuaTable {
        self.table
    }
}
