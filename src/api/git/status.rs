//! `git.status`, `git.commit`, `git.root`: the user's own checkout.

use std::sync::Arc;

use mlua::prelude::*;
use serde_json::json;

use super::{options, repo};
use crate::api::result;
use crate::error::{Error, Kind, Result};
use crate::git::{FileStatus, NewCommit, StatusQuery, Untracked, What};
use crate::host::Host;
use crate::host::steps::Place;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Options, Shape, Task};

pub(in crate::api) const STATUS: Shape = Shape {
    function: "git.status",
    known: &["paths", "untracked", "repo"],

    instead: &[("ignored", "use `fs.glob`: what git ignores is no part of its status")],
};

pub(in crate::api) const COMMIT: Shape = Shape {
    function: "git.commit",
    known: &["message", "paths", "all", "amend", "allow_empty", "author", "repo"],

    instead: &[
        ("files", "use `paths`"),
        ("add", "use `paths`, which takes new files too"),
        ("no_verify", "leave it out: no hooks run"),
        ("sign", "leave it out: it is signed if your git signs"),
    ],
};

pub(in crate::api) const ROOT: Shape =
    Shape { function: "git.root", known: &["repo"], instead: &[] };

pub async fn status(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut given = options(&lua, &mut args, &STATUS)?;
    let repo = repo(&host, given.as_mut()).await?;
    let mut query = StatusQuery::default();
    if let Some(options) = &mut given {
        query.paths = options.strings("paths")?.unwrap_or_default();
        query.untracked = untracked(options)?;
    }
    let status = host.beside(async move { repo.status(query).await }).await??;
    let files = status.files.iter().map(|file: &FileStatus| {
        json!({
            "path": file.path,
            "old_path": file.old_path,
            "staged": file.staged,
            "unstaged": file.unstaged,
            "untracked": file.untracked,
            "conflicted": file.conflicted,
        })
    });
    let files = result::list(&lua, "file status", files)?;
    let fields = json!({
        "branch": status.branch,
        "commit": status.commit,
        "upstream": status.upstream,
        "ahead": status.ahead,
        "behind": status.behind,
        "operation": status.operation,
        "clean": status.files.is_empty() && status.operation.is_none(),
    });
    let table = result::table(&lua, "status", &fields)?;
    table.raw_set("files", files)?;
    Ok(table)
}

fn untracked(options: &mut Options) -> Result<Untracked> {
    let word = match options.any("untracked") {
        None | Some(LuaValue::Boolean(true)) => return Ok(Untracked::Normal),
        Some(LuaValue::Boolean(false)) => return Ok(Untracked::No),
        Some(LuaValue::String(word)) => word.to_string_lossy(),
        Some(other) => return Err(options.wrong("untracked", "true, false or `all`", &other)),
    };
    match word.as_str() {
        "all" => Ok(Untracked::All),
        "normal" => Ok(Untracked::Normal),
        "no" => Ok(Untracked::No),
        other => {
            Err(options
                .bad("untracked", format_args!("must be true, false or `all`, not `{other}`")))
        }
    }
}

pub async fn commit(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut options = Options::read(&lua, &args.table("options")?, &COMMIT)?;
    let repo = repo(&host, Some(&mut options)).await?;
    let new = new_commit(&mut options)?;
    if let Some(plan) = host.plan() {
        let head = host.beside(async move { repo.head().await }).await??;
        let message = new.message.as_deref().and_then(|message| message.lines().next());
        let on = head.branch.as_deref().unwrap_or("a detached HEAD");
        plan.step("commit", format!("commit `{}` on `{on}`", message.unwrap_or("the same again")));
        let fields = json!({ "commit": head.commit, "branch": head.branch, "files": [] });
        return Ok(result::table(&lua, "made commit", &fields)?);
    }
    let question = json!({ "repo": repo.top(), "new": new });
    let place = Place::at(Task::current()?.next_path("commit"), "commit", &question);
    let made = host.commit(&repo, place, new).await?;
    Ok(result::table(&lua, "made commit", &json!(made))?)
}

fn new_commit(options: &mut Options) -> Result<NewCommit> {
    let amend = options.flag("amend")?.unwrap_or(false);
    let message = options.text("message")?;
    if message.is_none() && !amend {
        return Err(Error::usage("`git.commit` needs the option `message`"));
    }
    let all = options.flag("all")?.unwrap_or(false);
    let what = match (options.strings("paths")?, all) {
        (Some(_), true) => return Err(options.bad("all", "cannot stand beside `paths`")),
        (Some(paths), _) if paths.is_empty() => {
            return Err(options.bad("paths", "is empty: leave it out to commit what is staged"));
        }
        (Some(paths), _) if paths.iter().any(|path| path.is_empty() || path.contains('\0')) => {
            return Err(options.bad("paths", "has an item that is no path"));
        }
        (Some(paths), _) => What::Paths(paths),
        (None, true) => What::All,
        (None, false) => What::Staged,
    };
    let author = options.text("author")?;
    if author.as_ref().is_some_and(|author| !is_ident(author)) {
        return Err(options.bad("author", "must be like `Ada <ada@example.com>`"));
    }
    let allow_empty = options.flag("allow_empty")?.unwrap_or(false);
    Ok(NewCommit { message, what, amend, allow_empty, author })
}

/// Tells whether `author` is a name and an address; git would look for anything else in the history.
fn is_ident(author: &str) -> bool {
    let parts = author.strip_suffix('>').and_then(|rest| rest.split_once(" <"));
    parts.is_some_and(|(name, address)| {
        !name.trim().is_empty() && !address.contains(['<', '>']) && !author.contains(['\n', '\0'])
    })
}

pub async fn root(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<String> {
    let mut given = options(&lua, &mut args, &ROOT)?;
    let repo = repo(&host, given.as_mut()).await?;
    let shown = repo.top().display().to_string();
    if repo.is_bare() {
        let why = format!("`{shown}` is bare: it has no checkout");
        return Err(Error::new(Kind::Git, why).into());
    }
    Ok(shown)
}
