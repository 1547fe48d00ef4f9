//! `git.show` and `git.log`: what there was.

use std::sync::Arc;

use mlua::prelude::*;
use serde_json::{Value, json};

use super::diff::diff_table;
use super::{options, repo};
use crate::api::{result, revision};
use crate::git::{Commit, LogQuery};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Options, Shape};

pub(in crate::api) const SHOW: Shape =
    Shape { function: "git.show", known: &["repo"], instead: &[] };

pub(in crate::api) const LOG: Shape =
    Shape { function: "git.log", known: &["rev", "limit", "paths", "repo"], instead: &[] };

pub async fn log(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
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
    Ok(result::list(&lua, "commit", commits.iter().map(fields))?)
}

fn fields(commit: &Commit) -> Value {
    json!({
        "id": commit.id,
        "parents": commit.parents,
        "author_name": commit.author_name,
        "author_email": commit.author_email,
        "time": commit.time,
        "subject": commit.subject,
        "body": commit.body,
    })
}

/// A file at a revision, or without a path the commit with its diff.
pub async fn show(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaValue> {
    let first = args.any();
    let (path, last) = match args.any() {
        LuaValue::Nil => (None, args.any()),
        LuaValue::String(path) => (Some(path.to_string_lossy()), args.any()),
        table @ LuaValue::Table(_) => (None, table),
        other => return Err(args.wrong("path", "a string", &other).into()),
    };
    let mut given = match &last {
        LuaValue::Nil => None,
        LuaValue::Table(table) => Some(Options::read(&lua, table, &SHOW)?),
        other => return Err(args.wrong("options", "a table", other).into()),
    };
    let rev = revision::read(&first, "`git.show`: argument 1")?.rev;
    let repo = repo(&host, given.as_mut()).await?;
    if let Some(path) = path {
        let bytes = host.beside(async move { repo.file_at(&rev, &path).await }).await??;
        return Ok(LuaValue::String(lua.create_string(bytes)?));
    }
    let (commit, diff) = host.beside(async move { repo.commit_at(&rev).await }).await??;
    let table = result::table(&lua, "shown commit", &fields(&commit))?;
    table.raw_set("diff", diff_table(&lua, &diff)?)?;
    Ok(LuaValue::Table(table))
}
