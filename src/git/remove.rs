//! Removing a worktree with its branch and refs, once it is proved that nothing is lost with them.
//!
//! The removal is written down before it begins; then the folder is moved aside, looked at once more
//! and, if anything has come since the proof, moved back. A crash leaves it either not begun or far
//! enough to be finished by the same steps: each of them does nothing where it was done before.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::command::{LONG, Place};
use super::ledger::Pledge;
use super::repo::Repo;
use super::trash;
use super::worktree;
use crate::crash;
use crate::error::{Kind, Result, ResultExt};
use crate::journal::AgentChange;

/// The kind of the intents that hold a [`Removal`].
pub(super) const KIND: &str = "remove";

/// What is to go. Whoever makes one has proved that nothing is lost with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Removal {
    /// Whose it is.
    pub id: String,
    /// The run of that agent; empty if none.
    pub run: String,
    /// The folder of its worktree, if it has one. Its files are those of the private index.
    pub path: Option<PathBuf>,
    /// The refs that go with it, by full name, and what they must point to.
    pub refs: Vec<(String, String)>,
}

impl Removal {
    /// Writes down that it is about to happen.
    pub(super) async fn intend(&self, repo: &Repo) -> Result<Pledge> {
        let pledge = repo.intend(KIND, &self.id, self).await?;
        crash::point("remove.intended");
        Ok(pledge)
    }

    /// Removes it all. `false`: something has come since the proof, and all is as it was.
    pub(super) async fn carry_out(&self, repo: &Repo, pledge: Pledge) -> Result<bool> {
        let trouble = || format!("cannot remove the worktree and refs of `{}`", self.id);
        let begun = {
            let _lock = repo.lock().await?;
            self.begin(repo).await.or_kind(Kind::Git, trouble)?
        };
        if !begun {
            pledge.settle("not begun").await;
            return Ok(false);
        }
        self.end(repo, pledge).await.or_kind(Kind::Git, trouble)?;
        Ok(true)
    }

    /// Finishes it after a crash. `false`: it had not begun. A branch that somebody has checked out since
    /// stays.
    pub(super) async fn resume(mut self, repo: &Repo, pledge: Pledge) -> Result<bool> {
        let untouched = self.path.as_ref().is_some_and(|path| {
            path.symlink_metadata().is_ok() && trash::aside(path).symlink_metadata().is_err()
        });
        if untouched {
            pledge.settle("not begun").await;
            return Ok(false);
        }
        let held = self.checked_out(repo).await?;
        self.refs.retain(|(name, _)| held.iter().all(|(branch, _)| branch != name));
        self.carry_out(repo, pledge).await
    }

    /// Takes it out of sight, under the repository's lock.
    async fn begin(&self, repo: &Repo) -> anyhow::Result<bool> {
        self.require_free_branch(repo).await?;
        if let Some(path) = &self.path {
            let aside = trash::aside(path);
            if path.symlink_metadata().is_ok() {
                if self.is_taken(repo, path)? {
                    return Ok(false);
                }
                if aside.symlink_metadata().is_ok() {
                    bail!("`{}` is in the way", aside.display());
                }
                std::fs::rename(path, &aside)
                    .with_context(|| format!("cannot move `{}` aside", path.display()))?;
                crash::point("remove.moved");
            }
            if let Some(admin) = worktree::admin_dir(repo.common_dir(), path)? {
                if aside.symlink_metadata().is_ok() {
                    match self.is_unchanged(repo, &aside).await {
                        Ok(true) => {}
                        changed => {
                            std::fs::rename(&aside, path)
                                .with_context(|| format!("it is now in `{}`", aside.display()))?;
                            return changed;
                        }
                    }
                }
                crash::point("remove.verified");
                trash::retire(repo, &self.id, &admin)?;
                crash::point("remove.unregistered");
            }
        }
        self.delete_refs(repo).await?;
        crash::point("remove.refs");
        Ok(true)
    }

    /// Deletes what is out of sight.
    async fn end(&self, repo: &Repo, pledge: Pledge) -> anyhow::Result<()> {
        if let Some(path) = &self.path {
            let aside = trash::aside(path);
            tokio::task::spawn_blocking(move || trash::discard(&aside)).await??;
            worktree::discard_private(repo, &self.id, path)?;
        }
        crash::point("remove.deleted");
        let change = AgentChange { worktree_removed: true, ..AgentChange::default() };
        repo.store().await?.update(&self.id, change).await?;
        pledge.settle("removed").await;
        crash::point("remove.settled");
        Ok(())
    }

    /// Tells whether somebody else has gone on in the worktree since it was judged.
    fn is_taken(&self, repo: &Repo, path: &Path) -> anyhow::Result<bool> {
        let mark = repo.state_dir().join("entered").join(path.file_name().unwrap_or_default());
        let Some(admin) = worktree::admin_dir(repo.common_dir(), path)? else {
            return Ok(mark.is_dir());
        };
        let own = format!("{}{}", worktree::LOCK_REASON, self.id);
        let taken = match std::fs::read(admin.join("locked")) {
            Ok(reason) => reason.trim_ascii_end() != own.as_bytes(),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        };
        Ok(taken || mark.is_dir())
    }

    /// Tells whether the files are still those of the private index.
    async fn is_unchanged(&self, repo: &Repo, folder: &Path) -> anyhow::Result<bool> {
        let mut place: Place = repo.place(repo.common_dir().to_owned(), Some(folder.to_owned()));
        place.index = Some(repo.state_dir().join("index").join(&self.id));
        let git = repo.git_at(&place, "ls-files").limit(LONG);
        let git = git.args(["-z", "--others", "--modified", "--deleted", "--exclude-standard"]);
        Ok(git.bytes().await?.is_empty())
    }

    /// Refuses to delete a branch that somebody has checked out elsewhere.
    async fn require_free_branch(&self, repo: &Repo) -> anyhow::Result<()> {
        if let Some((branch, place)) = self.checked_out(repo).await?.first() {
            let branch = branch.trim_start_matches("refs/heads/");
            bail!("`{branch}` is checked out in `{}`", place.display());
        }
        Ok(())
    }

    /// Lists which of the branches are checked out elsewhere, by full name, and where.
    async fn checked_out(&self, repo: &Repo) -> Result<Vec<(String, PathBuf)>> {
        if !self.refs.iter().any(|(name, _)| name.starts_with("refs/heads/")) {
            return Ok(Vec::new());
        }
        let entries = repo.worktrees().await?.into_iter();
        let elsewhere = entries.filter(|entry| Some(&entry.path) != self.path.as_ref());
        let named = elsewhere
            .filter_map(|entry| Some((format!("refs/heads/{}", entry.branch?), entry.path)));
        Ok(named.filter(|(name, _)| self.refs.iter().any(|(ours, _)| ours == name)).collect())
    }

    /// Deletes the refs that still point to where they did, all or none.
    async fn delete_refs(&self, repo: &Repo) -> anyhow::Result<()> {
        if self.refs.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.refs.iter().map(|(name, _)| name.as_str()).collect();
        let mut input = Vec::new();
        // Whoever moved one of them since has a reason; one that is gone is gone.
        for found in repo.find_refs(&names).await? {
            if self.refs.iter().any(|(name, id)| *name == found.name && *id == found.target) {
                let (name, id) = (found.name, found.target);
                input.extend_from_slice(format!("delete {name}\0{id}\0").as_bytes());
            }
        }
        if input.is_empty() {
            return Ok(());
        }
        let git = repo.git("update-ref").args(["--no-deref", "-z", "--stdin"]).stdin(input);
        git.bytes().await.context("cannot delete the refs")?;
        Ok(())
    }
}
