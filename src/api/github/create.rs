//! `github.create_pull`: pushes a branch and opens a pull request for it.

use std::sync::Arc;

use mlua::prelude::*;

use super::{ask, repo};
use crate::api::{result, revision};
use crate::error::{Error, Kind, Result};
use crate::git::{DEFAULT_LIMIT, Push, Repo};
use crate::github::{NewPull, Write};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Options, Shape, Task};

pub(in crate::api) const CREATE: Shape = Shape {
    function: "github.create_pull",
    known: &["head", "base", "title", "body", "draft", "remote", "repo"],

    instead: &[("branch", "use `head`")],
};

/// What the script asks for.
struct Asked {
    branch: String,
    title: String,
    body: String,
    draft: bool,
    base: Option<String>,
    remote: Option<String>,
}

impl Asked {
    fn read(options: &mut Options) -> Returned<Self> {
        let plain = |rev: String| rev.trim_start_matches("refs/heads/").to_owned();
        let head = options.any("head");
        let place = "`github.create_pull`: option `head`";
        let branch = revision::read(&options.required("head", head)?, place)?.to_merge()?;
        let title = options.text("title")?;
        let base = match options.any("base") {
            Some(base) => {
                Some(plain(revision::read(&base, "`github.create_pull`: option `base`")?.rev))
            }
            None => None,
        };
        Ok(Self {
            branch: plain(branch),
            title: options.required("title", title)?,
            body: options.string("body")?.unwrap_or_default(),
            draft: options.flag("draft")?.unwrap_or(false),
            base,
            remote: options.text("remote")?,
        })
    }
}

pub async fn create_pull(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut options = Options::read(&lua, &args.table("options")?, &CREATE)?;
    let Asked { branch, title, body, draft, base, remote } = Asked::read(&mut options)?;
    let call_path = Task::current()?.next_path("create_pull");
    let target = repo(&host, &mut options, None).await?;
    let local = host.repo(&host.default_dir()).await?;
    // Of somebody else's repository the branch goes to where one's own work goes.
    let known = if remote.is_none() { host.remote_to(&local, &target).await? } else { None };
    let remote = remote.or(known).unwrap_or_else(|| "origin".to_owned());
    let source = host.github_at(&local, &remote).await?;
    let base = if let Some(base) = base {
        base
    } else {
        let asked = target.clone();
        ask(&host, |github| async move { github.default_branch(&asked).await }).await?
    };
    if branch == base && source.is(&target) {
        let why = format!("`{branch}` is the branch that the pull request would go into");
        let hint = "commit on another branch, and name it as `head`";
        return Err(Error::new(Kind::Git, why).hint(hint).into());
    }
    push(&host, local, &branch, &remote).await?;
    let owner = source.owner().to_owned();
    let pull = NewPull { head: branch, owner, base, title, body, draft };
    let done = host.write_github(call_path, Write::Pull { repo: target, pull }).await?;
    Ok(result::table(&lua, "pull", &done)?)
}

/// Pushes the branch; in a dry run that is noted.
async fn push(host: &Arc<Host>, local: Arc<Repo>, branch: &str, remote: &str) -> Result<()> {
    let push = Push {
        remote: Some(remote.to_owned()),
        branch: Some(branch.to_owned()),
        to: None,
        set_upstream: false,
        lease: None,
        dry_run: false,
        limit: DEFAULT_LIMIT,
    };
    match host.plan() {
        Some(plan) => {
            host.beside(async move { local.foresee_push(&push).await }).await??;
            plan.step("push", format!("push `{branch}` to `{remote}`"));
        }
        None => {
            host.beside(async move { local.push(push).await }).await??;
        }
    }
    Ok(())
}
