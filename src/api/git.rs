//! The global `git`.

pub mod diff;
pub(in crate::api) mod merge;
pub(super) mod remote;
pub(super) mod show;
pub(super) mod status;

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;
use serde_json::{Value, json};

use super::query::repo_dir;
use super::{result, worktree};
use crate::error::{Error, Result};
use crate::git::Repo;
use crate::host::Host;
use crate::journal::AgentFilter;
use crate::vm::bridge::{Raised, Returned};
use crate::vm::{Args, Module, Options, Runtime, Shape, Task};

pub(super) const BRANCHES: Shape =
    Shape { function: "git.branches", known: &["repo"], instead: &[] };

pub(super) const WORKTREES: Shape =
    Shape { function: "git.worktrees", known: &["repo"], instead: &[] };

pub(super) const HEAD: Shape = Shape { function: "git.head", known: &["repo"], instead: &[] };

/// Makes the module.
pub fn module(runtime: &Rc<Runtime>, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let lua = runtime.lua();
    let module = Module::new(lua, "git")?
        .waiting("diff", with(host, diff::diff))?
        .waiting("conflicts", with(host, merge::conflicts))?
        .waiting("log", with(host, show::log))?
        .waiting("branches", with(host, branches))?
        .waiting("worktrees", with(host, worktrees))?
        .waiting("head", with(host, head))?
        .waiting("root", with(host, status::root))?
        .waiting("status", with(host, status::status))?
        .waiting("show", with(host, show::show))?
        .waiting("fetch", with(host, remote::fetch))?
        .waiting("push", with(host, remote::push))?
        // The making of a worktree and what moves a branch are not cut short.
        .joining("worktree", whole(host, worktree::open))?
        .joining("merge", {
            let runtime = Rc::clone(runtime);
            whole(host, move |_, host, args| merge::merge(Rc::clone(&runtime), host, args))
        })?
        .joining("commit", whole(host, status::commit))?;
    worktree::install(lua, host)?;
    Ok(module.build())
}

/// Gives a function the host.
fn with<Out, F, Fut>(host: &Arc<Host>, body: F) -> impl Fn(Lua, Args) -> Answer<Out> + 'static
where
    Out: 'static,
    F: Fn(Lua, Arc<Host>, Args) -> Fut + 'static,
    Fut: Future<Output = Returned<Out>> + 'static,
{
    let host = Arc::clone(host);
    move |lua, args| {
        let asked = args.refuse_last_nil().map(|()| body(lua, Arc::clone(&host), args));
        Box::pin(async move { asked?.await })
    }
}

/// What a function that runs to its end returns.
type Answer<Out> = Pin<Box<dyn Future<Output = Returned<Out>>>>;

/// Gives a function that runs to its end the host; in a task that must stop it does not begin.
fn whole<Out, F, Fut>(
    host: &Arc<Host>,
    body: F,
) -> impl Fn(Lua, Rc<Task>, Args) -> Answer<Out> + 'static
where
    Out: 'static,
    F: Fn(Lua, Arc<Host>, Args) -> Fut + Clone + 'static,
    Fut: Future<Output = Returned<Out>> + 'static,
{
    let host = Arc::clone(host);
    move |lua, task, args| {
        let (host, body) = (Arc::clone(&host), body.clone());
        Box::pin(async move {
            if task.must_stop() {
                return Err(Raised::Value(task.tell(&lua)?));
            }
            args.refuse_last_nil()?;
            body(lua, host, args).await
        })
    }
}

async fn repo(host: &Arc<Host>, options: Option<&mut Options>) -> Result<Arc<Repo>> {
    let named = match options {
        Some(options) => options.text("repo")?,
        None => None,
    };
    host.repo(&repo_dir(host, named)).await
}

fn options(lua: &Lua, args: &mut Args, shape: &Shape) -> Result<Option<Options>> {
    args.optional_table("options")?.map(|table| Options::read(lua, &table, shape)).transpose()
}

async fn branches(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut given = options(&lua, &mut args, &BRANCHES)?;
    let repo = repo(&host, given.as_mut()).await?;
    let branches = host.beside(async move { repo.branches().await }).await??;
    let branches = branches.iter().map(|branch| {
        json!({
            "name": branch.name,
            "commit": branch.commit,
            "current": branch.current,
            "worktree": branch.worktree.as_ref().map(|path| path.display().to_string()),
            "upstream": branch.upstream,
        })
    });
    Ok(result::list(&lua, "branch", branches)?)
}

async fn worktrees(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut given = options(&lua, &mut args, &WORKTREES)?;
    let repo = repo(&host, given.as_mut()).await?;
    let (entries, agents) = host
        .beside(async move {
            let entries = repo.worktrees().await?;
            let agents = repo.store().await?.agents(AgentFilter::default()).await?;
            Ok::<_, Error>((entries, agents))
        })
        .await??;
    // Of several that worked in one worktree, the last.
    let by_path = agents.iter().filter_map(|row| Some((row.worktree_path.as_deref()?, row)));
    let by_path: HashMap<&Path, _> = by_path.collect();
    let entries = entries.iter().map(|entry| -> Value {
        let agent = by_path.get(entry.path.as_path());
        json!({
            "path": entry.path.display().to_string(),
            "branch": entry.branch,
            "head": entry.head,
            "locked": entry.locked.is_some(),
            "main": entry.main,
            "agent": agent.map(|row| &row.id),
            "run": agent.map(|row| &row.run),
            "in_use": agent.map(|row| row.status.is_live()),
        })
    });
    Ok(result::list(&lua, "worktree entry", entries)?)
}

async fn head(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut given = options(&lua, &mut args, &HEAD)?;
    let repo = repo(&host, given.as_mut()).await?;
    let head = host.beside(async move { repo.head().await }).await??;
    Ok(result::table(&lua, "head", &json!({ "branch": head.branch, "commit": head.commit }))?)
}
