//! What an agent of any process has done: looked at while it works, and landed when it has ended.

use std::sync::Arc;

use super::merge::Gate;
use super::roster::Roster;
use super::{Host, repository_around};
use crate::error::{Error, Kind, Result};
use crate::git::{self, Diff, Merge, Merged, Repo, Side, Spec, Strategy};
use crate::journal::{AgentRow, Status};

/// How the work of an agent is to land.
#[derive(Clone, Debug)]
pub struct Landing {
    /// The agent's id, or the start of it.
    pub id: String,
    /// The branch that gets it; the one that is checked out if absent.
    pub into: Option<String>,
    /// How.
    pub strategy: Strategy,
    /// The message of the commit; git's own if absent.
    pub message: Option<String>,
}

impl Host {
    /// Compares what an agent has done with what it started from, what is not committed included, also
    /// while it works.
    ///
    /// # Errors
    /// Usage, for an id that no agent or several have, and for an agent without a worktree; git.
    pub async fn diff_of_agent(self: Arc<Self>, id: &str) -> Result<Diff> {
        let Roster { repo, agents, .. } = self.roster().await?;
        let row = super::roster::find_agent(&agents, id)?;
        let (repo, spec) = (in_repository(row, repo)?, brought(row)?);
        self.beside(async move { git::diff(&repo, spec, &[]).await }).await?
    }

    /// Merges what an agent has done into a branch.
    ///
    /// # Errors
    /// As [`Host::merge`]; usage, for an id that no agent or several have, and for an agent without a
    /// worktree; git, for one that still works, whose work is not committed, or that was removed by force.
    pub async fn merge_agent(self: Arc<Self>, landing: Landing, gate: &Gate<'_>) -> Result<Merged> {
        let dir = self.default_dir();
        if repository_around(&dir).is_some() {
            // It may be the very agent that was cut off.
            self.repo_to_change(&dir).await?;
        }
        let Roster { repo, agents, .. } = self.roster().await?;
        let row = super::roster::find_agent(&agents, &landing.id)?;
        let repo = in_repository(row, repo)?;
        let name = branch_of(row)?.to_owned();
        if row.status.is_live() {
            let why = format!("`{}` still works: it is {}", row.id, row.status.as_str());
            let hint = format!("agentlua logs -f {0}, or agentlua stop {0}", row.id);
            return Err(Error::new(Kind::Git, why).hint(hint));
        }
        self.require_committed(&repo, row).await?;
        let branches = {
            let repo = Arc::clone(&repo);
            self.beside(async move { repo.branches().await }).await??
        };
        // The branch of one whose place another call has taken is that one's now.
        let is_there = !row.superseded && branches.iter().any(|branch| branch.name == name);
        if !is_there && !row.superseded {
            self.require_not_removed(&repo, row).await?;
        }
        // A branch to which nothing was added goes at the end of its run; its commit is known.
        let branch = row.head_commit.clone().filter(|_| !is_there).unwrap_or_else(|| name.clone());
        let Landing { into, strategy, message, .. } = landing;
        let by_hand = match &into {
            Some(into) => format!("git switch {into} && git merge {name}"),
            None => format!("git merge {name}"),
        };
        let merge = Merge { branch, name, into, strategy, message };
        let landed = self.merge(&repo, merge, gate).await.map_err(|error| {
            let told = error.detail("merge");
            if told.is_none_or(|told| told["status"] != "conflicted") {
                return error;
            }
            error.hint(format!(
                "`{by_hand}` leaves the conflicts in the files for you to settle; in a script, \
                 `git.merge(branch, {{ on_conflict = … }})` has an agent settle them"
            ))
        });
        Ok(landed?.merged)
    }

    /// Refuses to merge what somebody has thrown away.
    async fn require_not_removed(&self, repo: &Arc<Repo>, row: &AgentRow) -> Result<()> {
        let (own, id) = (Arc::clone(repo), row.id.clone());
        let Some(kept) = self.beside(async move { own.removed_branch(&id).await }).await?? else {
            return Ok(());
        };
        let why = format!("`{}` was removed; its work is kept under `{kept}`", row.id);
        Err(Error::new(Kind::Git, why).hint(format!("to land it all the same: git merge {kept}")))
    }

    /// Refuses to merge a branch to which nothing was added while its worktree has changes.
    async fn require_committed(&self, repo: &Arc<Repo>, row: &AgentRow) -> Result<()> {
        let (Some(head), Some(folder)) = (&row.head_commit, &row.worktree_path) else {
            return Ok(());
        };
        if row.base_commit.as_ref() != Some(head) {
            return Ok(());
        }
        let to = Side::Work { commit: head.clone(), folder: folder.clone() };
        let (repo, spec) = (Arc::clone(repo), Spec::Between { from: head.clone(), to });
        let left = self.beside(async move { git::diff(&repo, spec, &[]).await }).await??;
        if left.files.is_empty() {
            return Ok(());
        }
        let why = format!("the work of `{}` is not committed", row.id);
        Err(Error::new(Kind::Git, why).hint(format!("git -C {} commit --all", folder.display())))
    }
}

/// Returns what to compare: the agent's base with its commit and what its worktree has on top, or with the
/// files of one that still works.
fn brought(row: &AgentRow) -> Result<Spec> {
    let branch = branch_of(row)?;
    let Some(base) = &row.base_commit else {
        return Err(Error::new(Kind::Git, format!("`{}` had not begun to work", row.id)));
    };
    let head = row.head_commit.clone().filter(|_| !row.status.is_live());
    Ok(Spec::brought(branch, base, head, row.worktree_path.clone()))
}

fn branch_of(row: &AgentRow) -> Result<&str> {
    match &row.branch {
        Some(branch) => Ok(branch),
        None if row.status == Status::Queued => {
            let why = format!("`{}` waits for a place, and has no worktree yet", row.id);
            Err(Error::new(Kind::Git, why).hint(format!("agentlua logs -f {}", row.id)))
        }
        None => Err(Error::usage(format!("`{}` worked without a worktree", row.id))),
    }
}

fn in_repository(row: &AgentRow, repo: Option<Arc<Repo>>) -> Result<Arc<Repo>> {
    repo.ok_or_else(|| Error::usage(format!("`{}` worked without a worktree", row.id)))
}
