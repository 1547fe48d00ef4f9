//! `github.create_pull`: pushes a branch and opens a pull request for it.

use std::sync::Arc;

use mlua::prelude::*;

use super::{ask, slug};
use crate::api::{result, revision};
use crate::error::{Error, Kind};
use crate::git::{DEFAULT_LIMIT, Push};
use crate::github::{NewPull, Write};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Options, Shape, Task};

const CREATE: Shape = Shape {
    function: "github.create_pull",
    known: &["head", "base", "title", "body", "draft", "remote", "repo"],
    later: &[],
    instead: &[("branch", "use `head`")],
};

pub async fn create_pull(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut options = Options::read(&lua, &args.table("options")?, &CREATE)?;
    let head = options.any("head");
    let place = "`github.create_pull`: option `head`";
    let branch = revision::read(&options.required("head", head)?, place)?.to_merge()?;
    let branch = branch.trim_start_matches("refs/heads/").to_owned();
    let title = options.text("title")?;
    let title = options.required("title", title)?;
    let body = options.string("body")?.unwrap_or_default();
    let draft = options.flag("draft")?.unwrap_or(false);
    let base = match options.any("base") {
        Some(base) => {
            let base = revision::read(&base, "`github.create_pull`: option `base`")?.rev;
            Some(base.trim_start_matches("refs/heads/").to_owned())
        }
        None => None,
    };
    let remote = options.text("remote")?;
    let call_path = Task::current()?.next_path("create_pull");
    let target = match options.text("repo")? {
        Some(named) => slug(options.function(), &named)?,
        None => host.github_repo().await?,
    };
    let local = host.repo(&host.default_dir()).await?;
    let remote = match remote {
        Some(remote) => remote,
        // Of somebody else's repository the branch goes to where one's own work goes.
        None => match host.remote_to(&local, &target).await? {
            Some(remote) => remote,
            None => "origin".to_owned(),
        },
    };
    let source = host.github_at(&local, &remote).await?;
    let base = match base {
        Some(base) => base,
        None => {
            let asked = target.clone();
            ask(&host, |github| async move { github.default_branch(&asked).await }).await?
        }
    };
    if branch == base && source.is(&target) {
        let why = format!("`{branch}` is the branch that the pull request would go into");
        return Err(Error::new(Kind::Git, why)
            .hint("commit on another branch, and name it as `head`")
            .into());
    }
    let push = Push {
        remote: Some(remote.clone()),
        branch: Some(branch.clone()),
        to: None,
        set_upstream: false,
        lease: None,
        dry_run: false,
        limit: DEFAULT_LIMIT,
    };
    if let Some(plan) = host.plan() {
        host.beside(async move { local.foresee_push(&push).await }).await??;
        plan.step("push", format!("push `{branch}` to `{remote}`"));
    } else {
        host.beside(async move { local.push(push).await }).await??;
    }
    let owner = source.owner().to_owned();
    let pull = NewPull { head: branch, owner, base, title, body, draft };
    let done = host.write_github(call_path, Write::Pull { repo: target, pull }).await?;
    Ok(result::table(&lua, "pull", &done)?)
}
