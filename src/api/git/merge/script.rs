//! The functions of a script that a merge asks: `verify` and `on_conflict`, each call a child task of
//! the one that merges.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::FutureExt;
use mlua::prelude::*;
use serde_json::json;

use crate::api::objection::{objection, said};
use crate::api::result;
use crate::api::worktree::Lent;
use crate::error::{Error, Kind, Result};
use crate::git::{Conflict, Worktree};
use crate::host::merge::{Answer, Resolved, Resolver, Verifier};
use crate::vm::{Task, Uncaught};

/// The script that merges.
#[derive(Clone)]
pub struct Script {
    /// The task that called `git.merge`.
    pub task: Rc<Task>,
    main: LuaFunction,
    /// The path of the call; those of its functions are beneath it, so that they are the same when a
    /// merge before it is not made again.
    path: String,
    /// How often each of its functions was called.
    calls: Rc<RefCell<BTreeMap<&'static str, u32>>>,
}

impl Script {
    /// Makes the script of a call at `path`. `main` is the prelude's protected call, which every task
    /// starts with.
    pub fn new(task: Rc<Task>, main: LuaFunction, path: String) -> Self {
        Self { task, main, path, calls: Rc::default() }
    }

    fn next_path(&self, kind: &'static str) -> String {
        let mut calls = self.calls.borrow_mut();
        let count = calls.entry(kind).or_insert(0);
        *count += 1;
        format!("{}/{kind}#{count}", self.path)
    }
}

/// Holds a value that the script raised while an error of ours stands for it.
#[derive(Default)]
pub struct Outlet(RefCell<Option<LuaValue>>);

impl Outlet {
    pub fn take(&self) -> Option<LuaValue> {
        self.0.borrow_mut().take()
    }
}

/// A function of the script that a merge may call.
pub struct Call<'c> {
    lua: &'c Lua,
    script: &'c Script,
    function: LuaFunction,
    outlet: &'c Outlet,
}

impl<'c> Call<'c> {
    pub fn new(
        lua: &'c Lua,
        script: &'c Script,
        function: LuaFunction,
        outlet: &'c Outlet,
    ) -> Self {
        Self { lua, script, function, outlet }
    }

    /// Calls it; returns what it returned, or the value that it raised.
    async fn run(
        &self,
        kind: &'static str,
        arg: LuaResult<LuaValue>,
    ) -> Result<Result<Vec<LuaValue>, Raised>> {
        let parent = &self.script.task;
        let task = parent.child(self.script.next_path(kind));
        task.excuse();
        let args =
            LuaMultiValue::from_vec(vec![arg.map_err(|fault| Error::internal(fault.to_string()))?]);
        task.start(self.lua, &self.script.main, self.function.clone(), args);
        match task.join().await {
            Ok(values) => Ok(Ok(values.into_vec())),
            Err(value) => {
                let error = Uncaught::new(self.lua, &task, &value).error;
                if task.was_told() {
                    return Err(Error::new(Kind::Cancelled, error.message));
                }
                parent.inherit_trail(&task, &value, None);
                Ok(Err(Raised { value, error }))
            }
        }
    }
}

/// What a function of the script raised.
struct Raised {
    value: LuaValue,
    error: Error,
}

impl Verifier for Call<'_> {
    fn verify(&self, worktree: Worktree) -> Answer<'_, Option<String>> {
        async move {
            let lent = Lent::new(worktree, "merge");
            let handle = lent.value(self.lua).map(LuaValue::UserData);
            Ok(match self.run("verify", handle).await? {
                Ok(values) => objection(&values),
                Err(Raised { error, .. }) => {
                    let at = error.at.map(|at| format!("{at}: ")).unwrap_or_default();
                    Some(format!("{at}{}", error.message))
                }
            })
        }
        .boxed_local()
    }
}

impl Resolver for Call<'_> {
    fn resolve<'a>(&'a self, conflict: &'a Conflict, worktree: Worktree) -> Answer<'a, Resolved> {
        async move {
            let lent = Lent::new(worktree, "merge");
            let table = self.shown(conflict, &lent).map(LuaValue::Table);
            let values = match self.run("on_conflict", table).await? {
                Ok(values) => values,
                Err(Raised { value, error }) => {
                    *self.outlet.0.borrow_mut() = Some(value);
                    return Err(error);
                }
            };
            Ok(match &values[..] {
                [] | [LuaValue::Nil] => Resolved::Unsaid,
                [LuaValue::Nil | LuaValue::Boolean(false), why @ ..] => {
                    Resolved::Not(why.first().and_then(said))
                }
                [LuaValue::Boolean(true), why @ ..] => Resolved::Done(why.first().and_then(said)),
                [other, ..] => {
                    let why = "`git.merge`: `on_conflict` must return true, or false and a reason";
                    let kind = other.type_name();
                    return Err(Error::usage(format!("{why}, not a {kind}")));
                }
            })
        }
        .boxed_local()
    }
}

impl Call<'_> {
    /// Returns a conflict as the script sees it.
    fn shown(&self, conflict: &Conflict, lent: &Lent) -> LuaResult<LuaTable> {
        let fields = json!({
            "branch": conflict.branch,
            "into": conflict.into,
            "paths": conflict.paths(),
            "conflicts": conflict.as_json(),
        });
        let table = result::table(self.lua, "conflict", &fields)?;
        table.raw_set("worktree", lent.value(self.lua)?)?;
        Ok(table)
    }
}
