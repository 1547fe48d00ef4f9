//! `git.fetch` and `git.push`. Both take names first, as git does, and options last.

use std::sync::Arc;

use mlua::prelude::*;
use serde_json::json;

use super::repo;
use crate::api::{result, revision};
use crate::error::{Error, Result};
use crate::git::{DEFAULT_LIMIT, Fetch, Lease, Push, RefChange};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Options, Shape};

pub(in crate::api) const FETCH: Shape = Shape {
    function: "git.fetch",
    known: &["remote", "refspecs", "prune", "tags", "timeout", "repo"],

    instead: &[
        ("branch", "use `refspecs = { \"main\" }`"),
        ("refspec", "use `refspecs = { \"main\" }`"),
    ],
};

pub(in crate::api) const PUSH: Shape = Shape {
    function: "git.push",
    known: &[
        "remote",
        "branch",
        "to",
        "set_upstream",
        "force_with_lease",
        "dry_run",
        "timeout",
        "repo",
    ],

    instead: &[
        ("force", "use `force_with_lease = true`, which drops only what you have seen"),
        ("no_verify", "leave it out: no hooks run"),
    ],
};

/// Takes the arguments apart: what stands before the options, and the options.
fn parts(lua: &Lua, args: Args, shape: &Shape) -> Result<(Vec<LuaValue>, Options)> {
    let mut words: Vec<LuaValue> = args.rest().into_vec();
    while matches!(words.last(), Some(LuaValue::Nil)) {
        words.pop();
    }
    let is_options = matches!(words.last(), Some(LuaValue::Table(table))
        if table.metatable().is_none()
            && (words.len() == 1 || table.raw_get::<LuaValue>("head_commit").is_ok_and(|v| v.is_nil())));
    let table = match words.pop_if(|_| is_options) {
        Some(LuaValue::Table(table)) => table,
        _ => lua.create_table().map_err(|error| Error::internal(error.to_string()))?,
    };
    Ok((words, Options::read(lua, &table, shape)?))
}

/// Reads a name that may stand in front or among the options.
fn word(value: Option<LuaValue>, options: &mut Options, name: &str) -> Result<Option<String>> {
    let named = options.text(name)?;
    match (value, named) {
        (None | Some(LuaValue::Nil), named) => Ok(named),
        (Some(_), Some(_)) => Err(options.bad(name, "is given twice")),
        (Some(LuaValue::String(text)), None) => {
            let text = text.to_string_lossy();
            if text.trim().is_empty() { Err(options.bad(name, "is empty")) } else { Ok(Some(text)) }
        }
        (Some(other), None) => Err(options.wrong(name, "a string", &other)),
    }
}

fn changes(lua: &Lua, remote: &str, refs: &[RefChange]) -> LuaResult<LuaTable> {
    let refs = refs.iter().map(|change| {
        json!({
            "ref": change.name,
            "old": change.old,
            "new": change.new,
            "status": change.status,
        })
    });
    let refs = result::list(lua, "ref change", refs)?;
    let table = result::table(lua, "transfer", &json!({ "remote": remote }))?;
    table.raw_set("refs", refs)?;
    Ok(table)
}

pub async fn fetch(lua: Lua, host: Arc<Host>, args: Args) -> Returned<LuaTable> {
    let (words, mut options) = parts(&lua, args, &FETCH)?;
    let mut words = words.into_iter();
    let remote = word(words.next(), &mut options, "remote")?;
    let mut refspecs = options.strings("refspecs")?.unwrap_or_default();
    for value in words {
        refspecs.extend(word(Some(value), &mut options, "refspecs")?);
    }
    if refspecs.iter().any(|refspec| refspec.trim().is_empty()) {
        return Err(options.bad("refspecs", "has an empty item").into());
    }
    let fetch = Fetch {
        remote,
        refspecs,
        prune: options.flag("prune")?.unwrap_or(false),
        tags: options.flag("tags")?,
        limit: options.seconds("timeout")?.unwrap_or(DEFAULT_LIMIT),
    };
    let repo = repo(&host, Some(&mut options)).await?;
    if let Some(plan) = host.plan() {
        let refspecs = fetch.refspecs.join(" ");
        let remote = host.beside(async move { repo.foresee_fetch(&fetch).await }).await??;
        plan.step("fetch", format!("fetch {refspecs} from `{remote}`").replace("  ", " "));
        return Ok(changes(&lua, &remote, &[])?);
    }
    let fetched = host.beside(async move { repo.fetch(fetch).await }).await??;
    Ok(changes(&lua, &fetched.remote, &fetched.refs)?)
}

pub async fn push(lua: Lua, host: Arc<Host>, args: Args) -> Returned<LuaTable> {
    let (words, mut options) = parts(&lua, args, &PUSH)?;
    if words.len() > 2 {
        return Err(Error::usage("`git.push` takes a remote, a branch and options")
            .hint("several branches are several pushes")
            .into());
    }
    let mut words = words.into_iter();
    let remote = word(words.next(), &mut options, "remote")?;
    let named = options.any("branch");
    let branch = match (words.next(), named) {
        (Some(_), Some(_)) => return Err(options.bad("branch", "is given twice").into()),
        (Some(LuaValue::Nil) | None, None) => None,
        (Some(value), None) => Some(revision::read(&value, "`git.push`: argument 2")?.to_merge()?),
        (None, Some(value)) => {
            Some(revision::read(&value, "`git.push`: option `branch`")?.to_merge()?)
        }
    };
    if branch.as_ref().is_some_and(|branch| branch.contains(':') || branch.starts_with('+')) {
        let why = "is no refspec: name the branch there with `to`";
        return Err(options.bad("branch", why).into());
    }
    let lease = match options.any("force_with_lease") {
        None | Some(LuaValue::Boolean(false)) => None,
        Some(LuaValue::Boolean(true)) => Some(Lease::Seen),
        Some(value) => {
            let place = "`git.push`: option `force_with_lease`";
            Some(Lease::At(revision::read(&value, place)?.rev))
        }
    };
    let push = Push {
        remote,
        branch,
        to: options.text("to")?,
        set_upstream: options.flag("set_upstream")?.unwrap_or(false),
        lease,
        dry_run: options.flag("dry_run")?.unwrap_or(false),
        limit: options.seconds("timeout")?.unwrap_or(DEFAULT_LIMIT),
    };
    let repo = repo(&host, Some(&mut options)).await?;
    if let Some(plan) = host.plan() {
        let foreseen = host.beside(async move { repo.foresee_push(&push).await }).await??;
        let (remote, from, to) = foreseen;
        let short = |name: &str| name.trim_start_matches("refs/heads/").to_owned();
        let there = if from == to { String::new() } else { format!(" as `{}`", short(&to)) };
        plan.step("push", format!("push `{}` to `{remote}`{there}", short(&from)));
        return Ok(changes(&lua, &remote, &[])?);
    }
    let pushed = host.beside(async move { repo.push(push).await }).await??;
    Ok(changes(&lua, &pushed.remote, &pushed.refs)?)
}
