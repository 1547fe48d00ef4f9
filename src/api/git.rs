//! The global `git`.

pub mod diff;
mod merge;

use std::sync::Arc;

use mlua::prelude::*;
use serde_json::{Value, json};

use super::query::repo_dir;
use super::{result, revision, worktree};
use crate::error::Result;
use crate::git::{LogQuery, Repo};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Options, Shape};

/// What the manual has and this version lacks.
pub const LATER: [&str; 6] = ["status", "commit", "show", "fetch", "push", "root"];

const LOG: Shape = Shape {
    function: "git.log",
    known: &["rev", "limit", "paths", "repo"],
    later: &[],
    instead: &[],
};

const BRANCHES: Shape =
    Shape { function: "git.branches", known: &["repo"], later: &[], instead: &[] };

const WORKTREES: Shape =
    Shape { function: "git.worktrees", known: &["repo"], later: &[], instead: &[] };

const HEAD: Shape = Shape { function: "git.head", known: &["repo"], later: &[], instead: &[] };

/// Makes the module.
pub fn module(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let module = Module::new(lua, "git")?
        .waiting("diff", with(host, diff::diff))?
        .waiting("conflicts", with(host, merge::conflicts))?
        .waiting("log", with(host, log))?
        .waiting("branches", with(host, branches))?
        .waiting("worktrees", with(host, worktrees))?
        .waiting("head", with(host, head))?
        .joining("worktree", {
            let host = Arc::clone(host);
            move |lua, task, args| {
                let host = Arc::clone(&host);
                async move {
                    if task.must_stop() {
                        return Err(crate::vm::Raised::Value(task.tell(&lua)?));
                    }
                    worktree::open(lua, host, task, args).await
                }
            }
        })?;
    // A merge that has begun to move the target is not cut short, nor is the making of a worktree.
    let module = {
        let host = Arc::clone(host);
        module.joining("merge", move |lua, task, args| {
            let host = Arc::clone(&host);
            async move {
                if task.must_stop() {
                    return Err(crate::vm::Raised::Value(task.tell(&lua)?));
                }
                merge::merge(lua, host, args).await
            }
        })?
    };
    worktree::install(lua, host)?;
    Ok(module.later(&LATER)?.build())
}

/// Gives a function the host.
fn with<Out, F, Fut>(host: &Arc<Host>, body: F) -> impl Fn(Lua, Args) -> Fut + 'static
where
    F: Fn(Lua, Arc<Host>, Args) -> Fut + 'static,
    Fut: Future<Output = Returned<Out>> + 'static,
{
    let host = Arc::clone(host);
    move |lua, args| body(lua, Arc::clone(&host), args)
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

async fn log(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut given = options(&lua, &mut args, &LOG)?;
    let repo = repo(&host, given.as_mut()).await?;
    let mut query = LogQuery::default();
    if let Some(options) = &mut given {
        query.rev = match options.any("rev") {
            Some(rev) => Some(revision::read(&rev, "`git.log`: option `rev`")?.rev),
            None => None,
        };
        query.limit = options.integer("limit", 1, 1_000_000)?.and_then(|n| usize::try_from(n).ok());
        query.paths = options.strings("paths")?.unwrap_or_default();
    }
    let commits = host.beside(async move { repo.log(query).await }).await??;
    let commits = commits.iter().map(|commit| {
        json!({
            "id": commit.id,
            "parents": commit.parents,
            "author_name": commit.author_name,
            "author_email": commit.author_email,
            "time": commit.time,
            "subject": commit.subject,
            "body": commit.body,
        })
    });
    Ok(result::list(&lua, "commit", commits)?)
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
    let entries = host.beside(async move { repo.worktrees().await }).await??;
    let entries = entries.iter().map(|entry| -> Value {
        json!({
            "path": entry.path.display().to_string(),
            "branch": entry.branch,
            "head": entry.head,
            "locked": entry.locked,
            "main": entry.main,
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
