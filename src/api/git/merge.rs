//! `git.merge` and `git.conflicts`.

use std::sync::Arc;

use mlua::prelude::*;
use serde_json::json;

use super::{options, repo};
use crate::api::{result, revision};
use crate::error::Error;
use crate::event::Event;
use crate::git::{self, Merge, Strategy};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Options, Shape};

const MERGE: Shape = Shape {
    function: "git.merge",
    known: &["branch", "into", "strategy", "message", "repo"],
    later: &["verify", "on_conflict"],
    instead: &[("squash", "use `strategy = \"squash\"`"), ("ff", "use `strategy = \"ff\"`")],
};

const CONFLICTS: Shape =
    Shape { function: "git.conflicts", known: &["repo"], later: &[], instead: &[] };

pub async fn merge(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
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
    host.recover(&repo).await;
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

pub async fn conflicts(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
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
