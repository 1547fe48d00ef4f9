//! What a worktree would be if it was made now, with every refusal that making it would end in, and
//! nothing made: for plans.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::create::{New, check_id, place};
use super::reopen::{There, admit, at, holder};
use super::{Terms, Worktree};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::branch::{OTHER_NAME, Taken, check_branch_name};
use crate::git::repo::Repo;

impl Worktree {
    /// Returns the worktree that [`Worktree::create`] would make. It is not there; whoever has it may ask
    /// it for its names and nothing else.
    ///
    /// # Errors
    /// As [`Worktree::create`].
    pub async fn survey(repo: &Arc<Repo>, new: New) -> Result<Self> {
        check_id(&new.id)?;
        check_branch_name(&new.branch)?;
        let path = place(repo, &new.root)?.join(&new.id);
        let mut worktree = nowhere(repo, new.id, new.run, new.branch, path);
        worktree.base_commit = new.base_commit;
        worktree.terms.branch_created = true;
        match new.taken {
            Taken::Refuse => require_free(&worktree).await?,
            Taken::Number => worktree.branch = repo.numbered_name(&worktree.branch).await?,
            Taken::Continue => {
                let name = format!("refs/heads/{}", worktree.branch);
                let tip = repo.tip(&name).await.or_kind(Kind::Git, || "cannot read the branch")?;
                let Some(tip) = tip else {
                    require_free(&worktree).await?;
                    return Ok(worktree);
                };
                worktree.base_commit = tip;
                worktree.terms.branch_created = false;
                if repo.pretended(&worktree.branch).is_none()
                    && let Some(entry) = holder(&worktree).await?
                {
                    admit(&worktree, &entry).await?;
                    worktree.path = entry.path;
                }
            }
        }
        Ok(worktree)
    }

    /// Returns the worktree that [`Worktree::reopen`] would open, as it is, neither entered nor locked.
    ///
    /// # Errors
    /// As [`Worktree::reopen`].
    pub async fn survey_there(repo: &Arc<Repo>, there: There) -> Result<Self> {
        let path = place(repo, &there.root)?.join(&there.id);
        let mut worktree = nowhere(repo, there.id, there.run, there.branch, path);
        worktree.terms.lender = there.lender;
        if let Some(commit) = repo.pretended(&worktree.branch) {
            worktree.base_commit = commit;
            worktree.path = there.path.unwrap_or(worktree.path);
            return Ok(worktree);
        }
        let entry = match &there.path {
            Some(path) => at(&worktree, path).await?,
            None => holder(&worktree).await?.ok_or_else(|| gone(&worktree.branch))?,
        };
        let (_, tip) = admit(&worktree, &entry).await?;
        (worktree.base_commit, worktree.path) = (tip, entry.path);
        Ok(worktree)
    }
}

/// Refuses a branch that is there, or that no other branch could stand beside.
async fn require_free(worktree: &Worktree) -> Result<()> {
    let (repo, branch) = (&worktree.repo, &worktree.branch);
    if repo.is_pretended_gone(branch) {
        return Ok(());
    }
    repo.require_free_name(branch).await?;
    match repo.clash(branch, false).await.or_kind(Kind::Git, || "cannot look for the branch")? {
        Some(clash) => Err(Error::new(Kind::Git, clash.to_string()).hint(OTHER_NAME)),
        None => Ok(()),
    }
}

/// Says that nobody has a branch checked out any more.
pub(super) fn gone(branch: &str) -> Error {
    Error::new(Kind::Git, format!("no worktree holds the branch `{branch}` any more"))
        .hint(format!("branch = \"{branch}\", if_exists = \"continue\""))
}

fn nowhere(repo: &Arc<Repo>, id: String, run: String, branch: String, path: PathBuf) -> Worktree {
    Worktree {
        repo: Arc::clone(repo),
        id,
        run,
        branch,
        base_commit: String::new(),
        path,
        admin: Path::new("").to_owned(),
        terms: Terms::default(),
        record: Arc::default(),
    }
}
