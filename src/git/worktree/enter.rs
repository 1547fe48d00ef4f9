//! An agent enters its worktree: it gets a git directory of its own, and the worktree's `.git` file points
//! there from now on. Until that file is swapped, in one rename, nothing of it is in use.

use std::path::Path;

use anyhow::Context;

use super::{KIND, Life, Record, State, Worktree};
use crate::crash;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::private::{self, Origin};
use crate::git::snapshot::CommitMessage;

/// What is written down before an agent enters, so that the next start can finish for it.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The message that its work is committed with; absent when it stays uncommitted.
    pub commit: Option<CommitMessage>,
    /// The only paths that it may change, if it is limited.
    pub scope: Option<Vec<String>>,
}

pub(super) async fn enter(worktree: &Worktree, entry: Entry) -> Result<()> {
    if worktree.is_entered() {
        let shown = worktree.path.display();
        let why =
            format!("an agent is in the worktree `{shown}`, or was and has not been taken out");
        return Err(Error::new(Kind::Git, why));
    }
    let made = prepare(worktree, entry).await;
    let swapped = match made {
        Ok(()) => point_to(worktree, &worktree.private_dir()),
        Err(error) => Err(error),
    };
    if let Err(error) = swapped {
        worktree.forget_private().await;
        let trouble = || format!("cannot give the agent in `{}` a repository", worktree.id);
        return Err(error).or_kind(Kind::Git, trouble);
    }
    crash::point("enter.swapped");
    Ok(())
}

/// Writes everything that an agent's repository is made of, and that it is about to be used.
async fn prepare(worktree: &Worktree, entry: Entry) -> anyhow::Result<()> {
    let repo = worktree.repo();
    let (settings, listed) = tokio::try_join!(repo.settings(), repo.all_refs())?;
    let branch = format!("refs/heads/{}", worktree.branch).into_bytes();
    let start = listed.iter().find(|listed| listed.name == branch);
    let start_commit = start.map(|start| start.id.clone());
    crash::point("enter.begun");
    private::write(worktree, &Origin { settings: &settings, listed: &listed })?;
    crash::point("enter.written");
    private::hold(repo, &worktree.base_ref(), &worktree.base_commit).await?;
    crash::point("enter.held");
    let config_worktree = std::fs::read(worktree.mark().join("config.worktree")).ok();
    let life = Life {
        id: worktree.id.clone(),
        run: worktree.run.clone(),
        branch: worktree.branch.clone(),
        branch_created: worktree.terms.branch_created,
        reopened: worktree.terms.reopened,
        base_commit: worktree.base_commit.clone(),
        path: worktree.path.clone(),
        state: State::Working,
        start_commit,
        commit: entry.commit,
        config_worktree,
        scope: entry.scope,
    };
    let pledge = match worktree.record() {
        Some(Record { pledge, .. }) => {
            pledge.amend(&life).await?;
            pledge
        }
        None => repo.intend(KIND, &worktree.id, &life).await?,
    };
    worktree.set_record(Some(Record { pledge, life }));
    crash::point("enter.recorded");
    Ok(())
}

/// Makes the worktree's `.git` file point to a git directory. The new file is made beside the worktree, so
/// that a crash leaves nothing in it.
pub(super) fn point_to(worktree: &Worktree, git_dir: &Path) -> anyhow::Result<()> {
    let pointer = worktree.path.join(".git");
    let text = [b"gitdir: ", git_dir.as_os_str().as_encoded_bytes(), b"\n"].concat();
    let fresh = worktree.path.with_added_extension("pointer");
    let written = std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, &pointer))
        .with_context(|| format!("cannot write `{}`", pointer.display()));
    written.inspect_err(|_| {
        let _ = std::fs::remove_file(&fresh);
    })
}
