//! Lua functions that agents call from their own threads: custom tools, models written in Lua.
//!
//! A [`Callback`] is a number and a channel. Each call becomes a child task of the task that issued
//! the query, so that cancelling and errors follow the tree, callbacks may wait, and a query made
//! in one runs in its agent's place. Values cross as JSON. When the caller gives up, its task is
//! cancelled; when the script has ended, a call fails instead of hanging.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mlua::prelude::*;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::error::Uncaught;
use super::task::Task;
use super::value;
use crate::error::{Error, Kind, Result};

enum Request {
    Call { id: u64, args: Vec<Value>, reply: oneshot::Sender<Result<Vec<Value>>> },
    Drop(u64),
}

struct Slot {
    id: u64,
    /// Bounded by the callers: each has at most one call under way and waits for its reply.
    requests: mpsc::UnboundedSender<Request>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let _ = self.requests.send(Request::Drop(self.id));
    }
}

/// A Lua function as other threads hold it.
#[derive(Clone)]
pub struct Callback(Arc<Slot>);

impl Callback {
    /// Calls it and returns what it returned; a raised value comes back as an error, whose kind is
    /// `tool` unless the script raised one of ours.
    ///
    /// # Errors
    /// What it raised; `cancelled` when the script has ended.
    pub async fn call(&self, args: Vec<Value>) -> Result<Vec<Value>> {
        let (reply, answer) = oneshot::channel();
        let ended = || Error::new(Kind::Cancelled, "the script has ended");
        self.0.requests.send(Request::Call { id: self.0.id, args, reply }).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

impl crate::agent::Function for Callback {
    fn call(&self, args: Vec<Value>) -> BoxFuture<'_, Result<Vec<Value>>> {
        self.call(args).boxed()
    }
}

/// The functions that callbacks stand for.
pub struct Callbacks {
    functions: RefCell<HashMap<u64, (LuaFunction, Rc<Task>)>>,
    next: Cell<u64>,
    requests: mpsc::UnboundedSender<Request>,
}

impl Callbacks {
    /// Makes the table and starts to serve it. Must be called inside the Lua thread's `LocalSet`.
    pub fn serve(lua: &Lua, main: LuaFunction) -> Rc<Self> {
        let (requests, mut incoming) = mpsc::unbounded_channel();
        let callbacks =
            Rc::new(Self { functions: RefCell::default(), next: Cell::new(1), requests });
        // Weak, or the channel would never close and this loop never end.
        let (lua, table) = (lua.clone(), Rc::downgrade(&callbacks));
        tokio::task::spawn_local(async move {
            while let Some(request) = incoming.recv().await {
                let Some(callbacks) = table.upgrade() else { return };
                match request {
                    Request::Drop(id) => drop(callbacks.functions.borrow_mut().remove(&id)),
                    Request::Call { id, args, reply } => {
                        let found = callbacks.functions.borrow().get(&id).cloned();
                        if let Some((function, owner)) = found {
                            let call =
                                answer(lua.clone(), main.clone(), function, owner, args, reply);
                            tokio::task::spawn_local(call);
                        }
                    }
                }
            }
        });
        callbacks
    }

    /// Registers `function`; calls run as children of `owner`.
    pub fn register(&self, function: LuaFunction, owner: Rc<Task>) -> Callback {
        let id = self.next.get();
        self.next.set(id + 1);
        self.functions.borrow_mut().insert(id, (function, owner));
        Callback(Arc::new(Slot { id, requests: self.requests.clone() }))
    }
}

async fn answer(
    lua: Lua,
    main: LuaFunction,
    function: LuaFunction,
    owner: Rc<Task>,
    args: Vec<Value>,
    mut reply: oneshot::Sender<Result<Vec<Value>>>,
) {
    let args: LuaResult<Vec<LuaValue>> = args.iter().map(|arg| value::to_lua(&lua, arg)).collect();
    let args = match args {
        Ok(args) => args,
        Err(fault) => {
            let _ = reply.send(Err(Error::internal(fault.to_string())));
            return;
        }
    };
    let task = owner.callback_child();
    task.excuse();
    task.start(&lua, &main, function, LuaMultiValue::from_vec(args));
    let ending = tokio::select! {
        ending = task.join() => ending,
        () = reply.closed() => {
            task.stopper().stop(Error::new(Kind::Cancelled, "the agent has ended"));
            return;
        }
    };
    let answer = match ending {
        Ok(values) => {
            values.iter().map(|value| value::to_json(&lua, value, "the returned value")).collect()
        }
        Err(raised) => {
            let Uncaught { mut error, raw, .. } = Uncaught::new(&lua, &task, &raised);
            if raw {
                error.kind = Kind::Tool;
            }
            Err(error)
        }
    };
    let _ = reply.send(answer);
}
