//! Lua functions that agents call from their own threads: custom tools, models written in Lua.
//!
//! A [`Callback`] is a number and a channel. Each call becomes a child task of the task that issued
//! the query, so that cancelling and errors follow the tree, callbacks may wait, and a query made
//! in one runs in its agent's place. Values cross as JSON. When the caller gives up, its task is
//! cancelled; when the script has ended, a call fails instead of hanging.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use mlua::prelude::*;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::error::Uncaught;
use super::fingerprint::Reader;
use super::task::Task;
use super::value;
use crate::agent::Role;
use crate::error::{Error, Kind, Result};

enum Request {
    Call { id: u64, call: Call },
    Drop(u64),
}

/// What is done with a function and its owner, on the Lua thread.
type Call = Box<dyn FnOnce(Served) -> LocalBoxFuture<'static, ()> + Send>;

/// A function that is called, with everything that takes.
struct Served {
    lua: Lua,
    main: LuaFunction,
    function: LuaFunction,
    owner: Rc<Task>,
    role: Role,
}

/// The arguments of a call.
pub struct Given {
    /// They.
    pub values: Vec<LuaValue>,
    /// What has to live as long as the call.
    pub guard: Box<dyn Any>,
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
pub struct Callback {
    slot: Arc<Slot>,
    /// The hash of its code.
    code: Arc<str>,
}

impl Callback {
    /// Calls it and returns what it returned; a raised value comes back as an error, whose kind is
    /// `tool` unless the script raised one of ours.
    ///
    /// # Errors
    /// What it raised; `cancelled` when the script has ended.
    pub async fn call(&self, args: Vec<Value>) -> Result<Vec<Value>> {
        let given = move |lua: &Lua| {
            let values: LuaResult<_> = args.iter().map(|arg| value::to_lua(lua, arg)).collect();
            Ok(Given { values: values?, guard: Box::new(()) })
        };
        self.call_with(given, |lua, values| {
            values.iter().map(|value| value::to_json(lua, value, "the returned value")).collect()
        })
        .await
    }

    /// Calls it with what `given` makes on the Lua thread, and returns what `read` makes there of what
    /// it returned; else as [`Callback::call`].
    ///
    /// # Errors
    /// As [`Callback::call`], and what `read` says.
    pub async fn call_with<T: Send + 'static>(
        &self,
        given: impl FnOnce(&Lua) -> LuaResult<Given> + Send + 'static,
        read: impl FnOnce(&Lua, &[LuaValue]) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let ended = || Error::new(Kind::Cancelled, "the script has ended");
        let call: Call = Box::new(|served| served.answer(given, read, reply).boxed_local());
        let request = Request::Call { id: self.slot.id, call };
        self.slot.requests.send(request).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Returns the hash of its code.
    pub fn code(&self) -> &str {
        &self.code
    }
}

impl crate::agent::Function for Callback {
    fn call(&self, args: Vec<Value>) -> BoxFuture<'_, Result<Vec<Value>>> {
        self.call(args).boxed()
    }

    fn code(&self) -> &str {
        self.code()
    }
}

/// A function, whose children its calls are, and what it is to its agent.
type Registered = (LuaFunction, Rc<Task>, Role);

/// The functions that callbacks stand for.
pub struct Callbacks {
    functions: RefCell<HashMap<u64, Registered>>,
    next: Cell<u64>,
    reader: Reader,
    requests: mpsc::UnboundedSender<Request>,
}

impl Callbacks {
    /// Makes the table and starts to serve it, with the kit of the prelude. Must be called inside the Lua thread's `LocalSet`.
    pub fn serve(lua: &Lua, kit: &LuaTable, main: LuaFunction) -> Rc<Self> {
        let (requests, mut incoming) = mpsc::unbounded_channel();
        let callbacks = Rc::new(Self {
            functions: RefCell::default(),
            next: Cell::new(1),
            reader: Reader::new(kit),
            requests,
        });
        // Weak, or the channel would never close and this loop never end.
        let (lua, table) = (lua.clone(), Rc::downgrade(&callbacks));
        tokio::task::spawn_local(async move {
            while let Some(request) = incoming.recv().await {
                let Some(callbacks) = table.upgrade() else { return };
                match request {
                    Request::Drop(id) => drop(callbacks.functions.borrow_mut().remove(&id)),
                    Request::Call { id, call } => {
                        let found = callbacks.functions.borrow().get(&id).cloned();
                        if let Some((function, owner, role)) = found {
                            let (lua, main) = (lua.clone(), main.clone());
                            tokio::task::spawn_local(call(Served {
                                lua,
                                main,
                                function,
                                owner,
                                role,
                            }));
                        }
                    }
                }
            }
        });
        callbacks
    }

    /// Registers `function`; calls run as children of `owner`, numbered by what it is to its agent.
    pub fn register(&self, function: LuaFunction, owner: Rc<Task>, role: Role) -> Callback {
        let id = self.next.get();
        self.next.set(id + 1);
        let code = self.reader.fingerprint(&function).into();
        self.functions.borrow_mut().insert(id, (function, owner, role));
        Callback { slot: Arc::new(Slot { id, requests: self.requests.clone() }), code }
    }
}

impl Served {
    async fn answer<T>(
        self,
        given: impl FnOnce(&Lua) -> LuaResult<Given>,
        read: impl FnOnce(&Lua, &[LuaValue]) -> Result<T>,
        mut reply: oneshot::Sender<Result<T>>,
    ) {
        let Self { lua, main, function, owner, role } = self;
        let Given { values, guard: _guard } = match given(&lua) {
            Ok(given) => given,
            Err(fault) => {
                let _ = reply.send(Err(Error::internal(fault.to_string())));
                return;
            }
        };
        let task = owner.callback_child(role);
        task.excuse();
        task.start(&lua, &main, function, LuaMultiValue::from_vec(values));
        let ending = tokio::select! {
            ending = task.join() => ending,
            () = reply.closed() => {
                task.stopper().stop(Error::new(Kind::Cancelled, "the agent has ended"));
                return;
            }
        };
        let answer = match ending {
            Ok(values) => read(&lua, &values.into_vec()),
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
}
