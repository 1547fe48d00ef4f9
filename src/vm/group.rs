//! A group: the children of one `agent.all`, `race`, `map` …, finished in whatever order.
//!
//! The combinators themselves are Lua (`lua/tasks.lua`); a group gives them "start one", "wait for
//! the next to end" and "cancel the rest and wait". A failure in a group always has a reader, so it
//! never fails the parent by itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::prelude::*;
use tokio::sync::mpsc;

use super::task::{Ending, Task};
use super::trail::Item;
use crate::error::{Error, Kind};

/// Children that are waited for together.
pub struct Group {
    owner: Rc<Task>,
    /// The combinator's name in the manual, such as `agent.all`.
    name: String,
    path: String,
    members: RefCell<Vec<Member>>,
    ended: (mpsc::UnboundedSender<usize>, RefCell<mpsc::UnboundedReceiver<usize>>),
    /// How many were started and not yet handed out by [`Group::next`].
    open: Cell<usize>,
}

struct Member {
    key: LuaValue,
    /// What the script gave for it, for its name in errors.
    subject: LuaValue,
    task: Rc<Task>,
}

impl Group {
    /// Makes an empty group of `owner`'s. `kind` is the word in call paths.
    pub fn new(owner: Rc<Task>, kind: &'static str, name: String) -> Self {
        let path = owner.next_path(kind);
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            owner,
            name,
            path,
            members: RefCell::default(),
            ended: (sender, RefCell::new(receiver)),
            open: Cell::new(0),
        }
    }

    /// Starts `body` as the member `key`; `subject` is what the script gave for it.
    pub fn start(
        &self,
        lua: &Lua,
        main: &LuaFunction,
        (key, subject): (LuaValue, LuaValue),
        body: LuaFunction,
        args: LuaMultiValue,
    ) -> Rc<Task> {
        let index = self.members.borrow().len();
        let place = match &key {
            LuaValue::Nil => String::new(),
            LuaValue::String(text) => format!("[{}]", text.to_string_lossy()),
            other => format!("[{}]", other.to_string().unwrap_or_default()),
        };
        let task = self.owner.child(format!("{}{place}", self.path));
        task.excuse();
        let sender = self.ended.0.clone();
        task.on_done(move || {
            let _ = sender.send(index);
        });
        self.members.borrow_mut().push(Member { key, subject, task: Rc::clone(&task) });
        self.open.set(self.open.get() + 1);
        task.start(lua, main, body, args);
        task
    }

    /// Waits for the next member to end; `None` when all have been handed out.
    pub async fn next(&self) -> Option<(LuaValue, Ending)> {
        if self.open.get() == 0 {
            return None;
        }
        let index =
            std::future::poll_fn(|context| self.ended.1.borrow_mut().poll_recv(context)).await?;
        self.open.set(self.open.get() - 1);
        let (key, subject, task) = {
            let member = &self.members.borrow()[index];
            (member.key.clone(), member.subject.clone(), Rc::clone(&member.task))
        };
        let ending = task.join().await;
        if let Err(value) = &ending {
            let item = (!key.is_nil()).then(|| Item::new(&self.name, &key, &subject));
            self.owner.inherit_trail(&task, value, item);
        }
        Some((key, ending))
    }

    /// Returns the call paths of the members but for `winner`.
    pub fn losers(&self, winner: &LuaValue) -> Vec<String> {
        let members = self.members.borrow();
        let losers = members.iter().filter(|member| member.key != *winner);
        losers.map(|member| member.task.path().to_owned()).collect()
    }

    /// Cancels what still runs.
    pub fn cancel(&self, why: &str) {
        for member in self.members.borrow().iter() {
            member.task.stopper().stop(Error::new(Kind::Cancelled, why));
        }
    }

    /// Cancels what still runs and waits until it has unwound.
    pub async fn close(&self, why: &str) {
        self.cancel(why);
        let tasks: Vec<_> = self.members.borrow().iter().map(|m| Rc::clone(&m.task)).collect();
        for task in tasks {
            // Its ending was handed out or is not wanted any more.
            let _ = task.join().await;
        }
    }
}
