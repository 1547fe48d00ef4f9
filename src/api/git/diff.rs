//! `git.diff`: what to compare, and the table of what differs.

use std::sync::Arc;

use mlua::prelude::*;
use serde_json::json;

use super::repo;
use crate::api::result;
use crate::api::revision::{self, Revision};
use crate::git::{self, Diff, FileDiff, Side, Spec};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Options, Shape};

pub(in crate::api) const DIFF: Shape =
    Shape { function: "git.diff", known: &["from", "to", "paths", "staged", "repo"], instead: &[] };

/// Reports whether a table is one of options and not something with a branch.
fn is_options(table: &LuaTable, shape: &Shape) -> bool {
    table.metatable().is_none()
        && table
            .pairs::<LuaValue, LuaValue>()
            .filter_map(LuaResult::ok)
            .all(|(key, _)| matches!(&key, LuaValue::String(name) if shape.resolve(&name.to_string_lossy()).is_ok()))
}

/// Compares what the arguments say.
pub async fn diff(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let (first, second) = (args.any(), args.any());
    let (spec, paths, repo) = match (&first, &second) {
        (LuaValue::Nil, LuaValue::Nil) => {
            (Spec::Checkout { staged: false }, Vec::new(), repo(&host, None).await?)
        }
        (LuaValue::Table(table), LuaValue::Nil)
            if is_options(table, &DIFF)
                || table.metatable().is_none()
                    && !revision::is_pull(table)
                    && table.raw_get::<LuaValue>("branch")?.is_nil() =>
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

/// What something brought: an outcome or worktree since its base, a branch since it left HEAD, a
/// pull request since it left the branch that it is for.
fn brought(revision: Revision) -> Spec {
    let Revision { rev, base_commit, head_commit, worktree_path, pull, .. } = revision;
    if let Some(pull) = pull {
        return Spec::Since { left: pull.base, rev };
    }
    let Some(from) = base_commit else { return Spec::Branch(rev) };
    Spec::brought(&rev, &from, head_commit, worktree_path)
}

fn between(from: Revision, to: Revision) -> Spec {
    Spec::Between { from: from.rev, to: Side::Rev(to.rev) }
}

/// Turns a diff into its table.
pub fn diff_table(lua: &Lua, diff: &Diff) -> Returned<LuaTable> {
    let files = diff.files.iter().map(FileDiff::to_json);
    let flags = diff.files.iter().flat_map(|file| {
        file.flags.iter().map(|flag| json!({ "path": file.path, "flag": flag.as_str() }))
    });
    let flags = result::list(lua, "diff flag", flags)?;
    let table = lua.create_table()?;
    table.raw_set("files", result::list(lua, "file diff", files)?)?;
    table.raw_set("patch", lua.create_string(&diff.patch)?)?;
    table.raw_set("flags", flags)?;
    table.raw_set("summary", diff.summary())?;
    table.raw_set("additions", diff.additions)?;
    table.raw_set("deletions", diff.deletions)?;
    Ok(crate::vm::error::as_result(lua, "diff", table)?)
}
