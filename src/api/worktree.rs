//! Handles on worktrees that a script makes for itself: `git.worktree { branch = … }`.
//!
//! Closing one removes it when refs hold all of it, else keeps it and says where.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;

use super::git::diff::diff_table;
use super::query::repo_dir;
use super::{handle as fields, sh, site};
use crate::agent::query::Start;
use crate::error::{Error, Kind, Result};
use crate::git::worktree::Worktree;
use crate::git::{self, CommitMessage, Diff, Side, Spec};
use crate::host::Host;
use crate::host::worktrees::{Wanted, require_alone};
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Options, Shape, Task};

/// The methods of worktree handles.
const METHODS: &str = "agentlua.worktree methods";

/// What reads a field of a handle.
const INDEX: &str = "agentlua.worktree index";

pub(super) const SHAPE: Shape = Shape {
    function: "git.worktree",
    known: &[
        "branch",
        "if_exists",
        "base",
        "dirty",
        "sparse",
        "include",
        "setup",
        "submodules",
        "repo",
    ],

    instead: &[("scope", "it is an agent's, in its query")],
};

/// What `git.worktree` returns.
#[derive(Clone)]
pub struct Handle {
    worktree: Rc<Worktree>,
    state: Rc<Cell<State>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// `:keep()` was called: closing leaves it.
    Kept,
    /// It belongs to a merge or an agent, which ends it.
    Lent(&'static str),
    Removed,
}

impl LuaUserData for Handle {
    fn add_fields<F: LuaUserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field_with("__index", |lua| lua.named_registry_value::<LuaFunction>(INDEX));
    }

    fn add_methods<M: LuaUserDataMethods<Self>>(methods: &mut M) {
        // The prelude's function, because closing has to wait.
        methods.add_async_meta_method("__close", |lua, this, _: LuaMultiValue| {
            let handle = this.clone();
            async move {
                let close: LuaFunction =
                    lua.named_registry_value::<LuaTable>(METHODS)?.get("close")?;
                close.call_async::<()>(lua.create_userdata(handle)?).await
            }
        });
        methods.add_meta_method("__tostring", |_, this, ()| {
            let (branch, path) = (this.worktree.branch(), this.worktree.path().display());
            Ok(format!("<worktree {branch} {path}>"))
        });
    }
}

/// Returns the worktree behind a handle.
pub fn of(value: &LuaValue) -> Option<Rc<Worktree>> {
    let LuaValue::UserData(data) = value else { return None };
    data.borrow::<Handle>().ok().map(|handle| Rc::clone(&handle.worktree))
}

fn handle(args: &mut Args) -> Result<Handle> {
    let value = args.any();
    if let LuaValue::UserData(data) = &value
        && let Ok(handle) = data.borrow::<Handle>()
    {
        return Ok(handle.clone());
    }
    Err(args
        .wrong("worktree", "a worktree", &value)
        .hint("methods are called with a colon: `wt:diff()`"))
}

fn open_handle(args: &mut Args) -> Result<Handle> {
    let handle = handle(args)?;
    if handle.state.get() == State::Removed {
        let path = handle.worktree.path().display();
        return Err(Error::usage(format!("the worktree `{path}` was removed")));
    }
    // Who lends it is in it.
    if !matches!(handle.state.get(), State::Lent(_)) {
        require_alone(&handle.worktree)?;
    }
    Ok(handle)
}

/// Takes a handle on a worktree that the script may do with as it likes.
fn own_handle(args: &mut Args) -> Result<Handle> {
    let handle = open_handle(args)?;
    if let State::Lent(owner) = handle.state.get() {
        let function = args.function();
        return Err(Error::usage(format!("`{function}`: the worktree belongs to the {owner}"))
            .hint(format!("return from the function, and the {owner} goes on")));
    }
    Ok(handle)
}

/// A handle on a worktree of a merge or an agent, for as long as a function of the script looks at it.
pub struct Lent(Handle);

impl Lent {
    /// Lends a worktree of `owner`, a merge or an agent.
    pub fn new(worktree: Worktree, owner: &'static str) -> Self {
        let state = Rc::new(Cell::new(State::Lent(owner)));
        Self(Handle { worktree: Rc::new(worktree), state })
    }

    /// Returns the handle for the script.
    pub fn value(&self, lua: &Lua) -> LuaResult<LuaAnyUserData> {
        lua.create_userdata(self.0.clone())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.state.set(State::Removed);
    }
}

/// Makes a worktree: `git.worktree { branch =, base =, … }`.
pub async fn open(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaAnyUserData> {
    let task = Task::current()?;
    let mut options = Options::read(&lua, &args.table("options")?, &SHAPE)?;
    let (furnish, setup) = site::furnish(&host, &mut options)?;
    let Start::Fresh { branch, taken, base, dirty } = site::fresh(&mut options)? else {
        return Err(Error::internal("a worktree of a script is made").into());
    };
    let branch = options.required("branch", branch)?;
    let dir = repo_dir(&host, options.text("repo")?);
    let call_path = task.next_path("worktree");
    let wanted = Wanted { dir, branch, taken, base, dirty, furnish, setup, call_path };
    let worktree = host.make_worktree(wanted, task.stopper().token()).await?;
    let handle = Handle { worktree: Rc::new(worktree), state: Rc::new(Cell::new(State::Open)) };
    Ok(lua.create_userdata(handle)?)
}

/// Keeps the methods of handles.
pub fn install(lua: &Lua, host: &Arc<Host>) -> LuaResult<()> {
    let module = Module::new(lua, "agentlua.worktree")?
        .waiting("diff", {
            let host = Arc::clone(host);
            move |lua, mut args| {
                let host = Arc::clone(&host);
                async move {
                    let worktree = Worktree::clone(&open_handle(&mut args)?.worktree);
                    diff_table(&lua, &brought(&host, worktree).await?)
                }
            }
        })?
        .waiting("sh", {
            let host = Arc::clone(host);
            move |lua, mut args| {
                let host = Arc::clone(&host);
                async move {
                    let cwd: PathBuf = open_handle(&mut args)?.worktree.path().to_owned();
                    sh::shell_in(&lua, &host, args, cwd).await
                }
            }
        })?
        .joining("commit", {
            let host = Arc::clone(host);
            move |_, _, mut args| {
                let host = Arc::clone(&host);
                async move {
                    let worktree = Worktree::clone(&own_handle(&mut args)?.worktree);
                    let subject = args.string("message")?;
                    if let Some(commit) = planned(&host, &worktree, &subject) {
                        return Ok(commit);
                    }
                    let message = CommitMessage { subject, trailers: Vec::new() };
                    let finished =
                        host.beside(async move { worktree.finish(Some(message)).await }).await??;
                    Ok(finished.head_commit)
                }
            }
        })?
        .joining("keep", {
            let host = Arc::clone(host);
            move |_, _, mut args| {
                let host = Arc::clone(&host);
                async move {
                    let handle = own_handle(&mut args)?;
                    host.keep_worktree(&handle.worktree).await?;
                    handle.state.set(State::Kept);
                    Ok(())
                }
            }
        })?
        .joining("remove", {
            let host = Arc::clone(host);
            move |_, _, mut args| {
                let host = Arc::clone(&host);
                async move {
                    let handle = own_handle(&mut args)?;
                    if release(&host, &handle).await? {
                        return Ok(());
                    }
                    let path = handle.worktree.path().display();
                    Err(Error::new(
                        Kind::Git,
                        format!("the worktree `{path}` holds changes that no commit has"),
                    )
                    .hint("commit them with `:commit(message)`, or leave it with `:keep()`")
                    .into())
                }
            }
        })?
        .joining("close", {
            let host = Arc::clone(host);
            move |_, _, mut args| {
                let host = Arc::clone(&host);
                async move {
                    let handle = handle(&mut args)?;
                    // While an agent works there it stays open; the end of the run closes it.
                    if handle.state.get() != State::Open || handle.worktree.occupant().is_some() {
                        return Ok(());
                    }
                    if handle.worktree.was_there() {
                        host.keep_worktree(&handle.worktree).await?;
                        handle.state.set(State::Kept);
                    } else if !release(&host, &handle).await? {
                        handle.state.set(State::Kept);
                        host.announce_kept(&handle.worktree);
                    }
                    Ok(())
                }
            }
        })?;
    strict(lua, module.build())
}

/// Keeps the methods, and what reads the fields of a handle beside them.
fn strict(lua: &Lua, methods: LuaTable) -> LuaResult<()> {
    let kind = fields::Kind {
        name: "worktree",
        fields: &["base_commit", "branch", "path"],
        awaited: None,
    };
    let index = fields::index::<Handle>(lua, kind, methods.clone(), |this, name| match name {
        "path" => Some(this.worktree.path().display().to_string()),
        "base_commit" => Some(this.worktree.base_commit().to_owned()),
        // A merge's is on none.
        _ => Some(this.worktree.branch().to_owned()).filter(|branch| !branch.is_empty()),
    })?;
    lua.set_named_registry_value(INDEX, index)?;
    lua.set_named_registry_value(METHODS, methods)
}

/// Compares a worktree with its base: one of a dry run has nothing in it.
async fn brought(host: &Arc<Host>, worktree: Worktree) -> Result<Diff> {
    if host.plan().is_some() {
        return Ok(Diff::default());
    }
    let repo = Arc::clone(worktree.repo());
    let from = worktree.base_commit().to_owned();
    let spec = Spec::Between { from, to: Side::Worktree(Box::new(worktree)) };
    host.beside(async move { git::diff(&repo, spec, &[]).await }).await?
}

/// Notes a commit that a dry run does not make; returns the one that stands for it.
fn planned(host: &Host, worktree: &Worktree, subject: &str) -> Option<String> {
    host.plan()?.step("commit", format!("commit `{subject}` on `{}`", worktree.branch()));
    Some(worktree.base_commit().to_owned())
}

/// Removes the worktree if refs hold all of it; tells whether it is gone.
async fn release(host: &Arc<Host>, handle: &Handle) -> Result<bool> {
    let removed = host.close_worktree(&handle.worktree).await?;
    if removed {
        handle.state.set(State::Removed);
    }
    Ok(removed)
}
