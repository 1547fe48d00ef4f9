//! The global `git`.

use std::sync::Arc;

use mlua::prelude::*;
use serde_json::{Value, json};

use super::query::repo_dir;
use super::revision::{self, Revision};
use super::{result, worktree};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::git::{self, Diff, LogQuery, Merge, Repo, Side, Spec, Strategy};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Options, Shape};

/// What the manual has and this version lacks.
pub const LATER: [&str; 6] = ["status", "commit", "show", "fetch", "push", "root"];

const DIFF: Shape = Shape {
    function: "git.diff",
    known: &["from", "to", "paths", "staged", "repo"],
    later: &[],
    instead: &[],
};

const MERGE: Shape = Shape {
    function: "git.merge",
    known: &["branch", "into", "strategy", "message", "repo"],
    later: &["verify", "on_conflict"],
    instead: &[("squash", "use `strategy = \"squash\"`"), ("ff", "use `strategy = \"ff\"`")],
};

const LOG: Shape = Shape {
    function: "git.log",
    known: &["rev", "limit", "paths", "repo"],
    later: &[],
    instead: &[],
};

const CONFLICTS: Shape =
    Shape { function: "git.conflicts", known: &["repo"], later: &[], instead: &[] };

const BRANCHES: Shape =
    Shape { function: "git.branches", known: &["repo"], later: &[], instead: &[] };

const WORKTREES: Shape =
    Shape { function: "git.worktrees", known: &["repo"], later: &[], instead: &[] };

const HEAD: Shape = Shape { function: "git.head", known: &["repo"], later: &[], instead: &[] };

/// Makes the module.
pub fn module(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let module = Module::new(lua, "git")?
        .waiting("diff", with(host, diff))?
        .waiting("conflicts", with(host, conflicts))?
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
                    worktree::open(lua, host, args).await
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
                merge(lua, host, args).await
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

/// Reports whether a table is one of options and not something with a branch.
fn is_options(table: &LuaTable, shape: &Shape) -> bool {
    table.metatable().is_none()
        && table
            .pairs::<LuaValue, LuaValue>()
            .filter_map(LuaResult::ok)
            .all(|(key, _)| matches!(&key, LuaValue::String(name) if shape.resolve(&name.to_string_lossy()).is_ok()))
}

async fn diff(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let (first, second) = (args.any(), args.any());
    let (spec, paths, repo) = match (&first, &second) {
        (LuaValue::Nil, LuaValue::Nil) => {
            (Spec::Checkout { staged: false }, Vec::new(), repo(&host, None).await?)
        }
        (LuaValue::Table(table), LuaValue::Nil)
            if is_options(table, &DIFF)
                || table.metatable().is_none() && table.raw_get::<LuaValue>("branch")?.is_nil() =>
        {
            let mut options = Options::read(&lua, table, &DIFF)?;
            let repo = repo(&host, Some(&mut options)).await?;
            let paths = options.strings("paths")?.unwrap_or_default();
            let staged = options.flag("staged")?.unwrap_or(false);
            let (from, to) = (options.any("from"), options.any("to"));
            let spec = match (from, to) {
                (None, None) => Spec::Checkout { staged },
                _ if staged => {
                    return Err(options.bad("staged", "cannot stand beside `from` or `to`").into());
                }
                (Some(from), None) => {
                    return Err(options
                        .bad("to", format_args!("is missing beside `from = {}`", from.to_string()?))
                        .into());
                }
                (from, Some(to)) => {
                    let to = revision::read(&to, "`git.diff`: option `to`")?;
                    match from {
                        Some(from) => {
                            between(revision::read(&from, "`git.diff`: option `from`")?, to)
                        }
                        None => brought(to),
                    }
                }
            };
            (spec, paths, repo)
        }
        (_, LuaValue::Nil) => {
            let brought = brought(revision::read(&first, "`git.diff`: argument 1")?);
            (brought, Vec::new(), repo(&host, None).await?)
        }
        _ => {
            let from = revision::read(&first, "`git.diff`: argument 1")?;
            let to = revision::read(&second, "`git.diff`: argument 2")?;
            (between(from, to), Vec::new(), repo(&host, None).await?)
        }
    };
    let diff = host.beside(async move { git::diff(&repo, spec, &paths).await }).await??;
    diff_table(&lua, &diff)
}

/// What something brought: an outcome or worktree since its base, a branch since it left HEAD.
fn brought(revision: Revision) -> Spec {
    match (revision.base_commit, revision.worktree_path) {
        (Some(from), Some(path)) if path.exists() => Spec::Between { from, to: Side::Folder(path) },
        (Some(from), _) => Spec::Between { from, to: Side::Rev(revision.rev) },
        (None, _) => Spec::Branch(revision.rev),
    }
}

fn between(from: Revision, to: Revision) -> Spec {
    Spec::Between { from: from.rev, to: Side::Rev(to.rev) }
}

/// Turns a diff into its table.
pub fn diff_table(lua: &Lua, diff: &Diff) -> Returned<LuaTable> {
    let files = diff.files.iter().map(|file| {
        json!({
            "path": file.path,
            "old_path": file.old_path,
            "status": file.status,
            "additions": file.additions,
            "deletions": file.deletions,
        })
    });
    let table = lua.create_table()?;
    table.raw_set("files", result::list(lua, "file diff", files)?)?;
    table.raw_set("patch", lua.create_string(&diff.patch)?)?;
    table.raw_set("additions", diff.additions)?;
    table.raw_set("deletions", diff.deletions)?;
    Ok(crate::vm::error::as_result(lua, "diff", table)?)
}

async fn merge(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let first = args.any();
    let is_table_of_options = matches!(&first, LuaValue::Table(table)
        if table.metatable().is_none() && table.raw_get::<LuaValue>("base_commit")?.is_nil());
    let (repo, merge) = match &first {
        LuaValue::Table(table) if is_table_of_options => {
            let mut options = Options::read(&lua, table, &MERGE)?;
            let branch = options.any("branch");
            let branch = options.required("branch", branch)?;
            let branch = revision::read(&branch, "`git.merge`: option `branch`")?.to_merge()?;
            let strategy = match options.text("strategy")?.as_deref() {
                None | Some("merge") => Strategy::Merge,
                Some("squash") => Strategy::Squash,
                Some("ff") => Strategy::FastForward,
                Some("rebase") => {
                    return Err(Error::not_built("`git.merge`: `strategy = \"rebase\"`").into());
                }
                Some(other) => {
                    let why = format!("must be `merge`, `squash`, `ff` or `rebase`, not `{other}`");
                    return Err(options.bad("strategy", why).into());
                }
            };
            let into = match options.any("into") {
                Some(into) => Some(revision::read(&into, "`git.merge`: option `into`")?.rev),
                None => None,
            };
            let message = options.text("message")?;
            let repo = repo(&host, Some(&mut options)).await?;
            let name = branch.clone();
            (repo, Merge { branch, name, into, strategy, message })
        }
        value => {
            let branch = revision::read(value, "`git.merge`: argument 1")?.to_merge()?;
            let merge = Merge {
                name: branch.clone(),
                branch,
                into: None,
                strategy: Strategy::Merge,
                message: None,
            };
            (repo(&host, None).await?, merge)
        }
    };
    let name = merge.name.clone();
    host.fleet().note_merge(&name);
    let merged = host.beside(async move { git::merge(&repo, merge).await }).await??;
    host.events().emit(Event::Merged {
        branch: name,
        into: merged.into.clone(),
        status: merged.status.to_owned(),
        commit: merged.commit.clone(),
    });
    let fields = json!({ "status": merged.status, "commit": merged.commit, "into": merged.into });
    Ok(result::table(&lua, "merge", &fields)?)
}

async fn conflicts(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let list = args.table("branches")?;
    let mut given = options(&lua, &mut args, &CONFLICTS)?;
    let mut revs = Vec::new();
    for (index, value) in list.sequence_values::<LuaValue>().enumerate() {
        let place = format!("`git.conflicts`: item {}", index + 1);
        revs.push(revision::read(&value?, &place)?.rev);
    }
    let repo = repo(&host, given.as_mut()).await?;
    let clashes = host.beside(async move { git::conflicts(&repo, &revs).await }).await??;
    let clashes =
        clashes.iter().map(|clash| json!({ "a": clash.a, "b": clash.b, "paths": clash.paths }));
    Ok(result::list(&lua, "clash", clashes)?)
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
