//! A temporary worktree for files that are looked at: a merged tree that is verified before it
//! lands, a half-merged one that is resolved, a base on which an agent has not begun. It is on no
//! branch, save for an agent that is to work in it: then on one of its own that goes with it.
//!
//! It is made outside the repository, locked, written down before and removed after. Nothing in it is
//! anybody's work until a commit is made of it, so it goes whatever is in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::land::KIND;
use super::recover::Step;
use super::{Conflict, Proposal};
use crate::crash;
use crate::error::{Kind, Result, ResultExt};
use crate::git::command::{LONG, complaint};
use crate::git::index;
use crate::git::ledger::Pledge;
use crate::git::repo::Repo;
use crate::git::to_the_end;
use crate::git::trash;
use crate::git::worktree::{self, Furnish, LOCK_REASON, Worktree};

/// How often to try again when another git changes the registry at the same moment.
const TRIES: u32 = 6;

/// What begins the ids of temporary worktrees, and so the names of their folders.
const PREFIX: &str = "merge-";

/// What is written down about a temporary worktree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Its id among the worktrees of agentlua.
    pub id: String,
    /// Its folder.
    pub path: PathBuf,
    /// Its branch, if it is on one.
    #[serde(default)]
    pub branch: Option<String>,
}

/// What a temporary worktree is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Footing {
    /// A commit.
    #[default]
    Commit,
    /// A branch of its own, as agents need it.
    Branch,
}

/// What a temporary worktree holds.
enum Files {
    /// A tree.
    Tree(String),
    /// Those of its commit, as an agent would find them.
    Furnished(Furnish),
}

/// A temporary worktree.
#[derive(Debug)]
#[must_use = "it stays until it is closed"]
pub struct Trial {
    worktree: Worktree,
    record: Record,
    pledge: Pledge,
}

impl Trial {
    /// Makes one with the files of a merge that was made, in the folder of the worktrees.
    ///
    /// # Errors
    /// [`Kind::Git`] when it cannot be made; nothing of it is left behind.
    pub async fn of(
        repo: &Arc<Repo>,
        proposal: &Proposal,
        root: &Path,
        footing: Footing,
    ) -> Result<Self> {
        let commit = proposal.commit.clone();
        Self::make(repo, root, &proposal.old, commit.clone(), Files::Tree(commit), footing).await
    }

    /// Makes one with the files of a commit, and what a worktree gets beside them.
    ///
    /// # Errors
    /// As [`Trial::of`].
    pub async fn of_base(
        repo: &Arc<Repo>,
        commit: &str,
        furnish: Furnish,
        root: &Path,
    ) -> Result<Self> {
        let files = Files::Furnished(furnish);
        Self::make(repo, root, commit, commit.to_owned(), files, Footing::Commit).await
    }

    /// Makes one with the files of a merge that stopped at conflicts, its index with all sides of
    /// them.
    ///
    /// # Errors
    /// As [`Trial::of`].
    pub async fn of_conflict(
        repo: &Arc<Repo>,
        conflict: &Conflict,
        root: &Path,
        footing: Footing,
    ) -> Result<Self> {
        let (ours, tree) = (conflict.ours.clone(), conflict.half.tree.clone());
        let trial =
            Self::make(repo, root, &conflict.ours, ours, Files::Tree(tree), footing).await?;
        match trial.show_sides(conflict).await {
            Ok(()) => Ok(trial),
            Err(error) => {
                trial.close().await?;
                Err(error).or_kind(Kind::Git, || "cannot show the sides of a conflict")
            }
        }
    }

    /// Returns the worktree.
    pub fn worktree(&self) -> &Worktree {
        &self.worktree
    }

    /// Removes what is kept of the files for an agent that has worked in it; its snapshots stay.
    pub fn forget(&self, agent: &str) {
        worktree::discard_indexes(self.worktree.repo(), agent);
    }

    /// Removes it, whatever is in it.
    ///
    /// # Errors
    /// [`Kind::Io`] when something in it cannot be removed; the next start tries again.
    pub async fn close(self) -> Result<()> {
        let step = async move {
            let Self { worktree, record, pledge } = self;
            let _lock = worktree.repo().lock().await?;
            remove(worktree.repo(), &record).await?;
            pledge.settle("removed").await;
            Ok(())
        };
        to_the_end(step, |()| async {}).await
    }

    /// Makes one at `commit`, with these files; its diff is that to `base`.
    async fn make(
        repo: &Arc<Repo>,
        root: &Path,
        base: &str,
        commit: String,
        files: Files,
        footing: Footing,
    ) -> Result<Self> {
        let folder = worktree::folder(repo, root)?;
        let id = unused_id();
        let branch = (footing == Footing::Branch).then(|| format!("agentlua/{id}"));
        let record = Record { path: folder.join(&id), id, branch };
        let (repo, base) = (Arc::clone(repo), base.to_owned());
        let step = async move {
            let pledge = repo.intend(KIND, &record.id, &Step::Trial(record.clone())).await?;
            crash::point("trial.intended");
            let made = make(&repo, &record, &base, &commit, &files).await;
            match made {
                Ok(worktree) => Ok(Self { worktree, record, pledge }),
                Err(error) => {
                    let _lock = repo.lock().await?;
                    remove(&repo, &record).await?;
                    pledge.settle("failed").await;
                    Err(error).or_kind(Kind::Git, || "cannot make a temporary worktree")
                }
            }
        };
        to_the_end(step, |unwanted: Self| async move {
            // What cannot be removed now, the next start removes.
            let _ = unwanted.close().await;
        })
        .await
    }

    /// Puts all sides of the conflicts into the index that git in the worktree sees, and the files of
    /// those that a sparse checkout leaves out into the folder.
    async fn show_sides(&self, conflict: &Conflict) -> anyhow::Result<()> {
        let (repo, own) = (self.worktree.repo(), self.worktree.own());
        let mut names = Vec::new();
        for name in &conflict.half.unmerged {
            names.extend_from_slice(name);
            names.push(0);
        }
        let git = repo.git_at(&own, "checkout-index").args(["--quiet", "-z", "--stdin"]);
        // One that a side removed has no file; the exit code says no more than that.
        git.arg("--ignore-skip-worktree-bits").stdin(names).run().await?;
        let sides = conflict.half.stages.clone();
        let git = repo.git_at(&own, "update-index").args(["-z", "--index-info"]);
        git.stdin(sides).bytes().await.map(drop)
    }
}

async fn make(
    repo: &Arc<Repo>,
    record: &Record,
    base: &str,
    commit: &str,
    files: &Files,
) -> anyhow::Result<Worktree> {
    {
        let _lock = repo.lock().await?;
        add(repo, record, commit).await?;
    }
    crash::point("trial.registered");
    let branch = record.branch.as_deref().unwrap_or_default();
    let worktree = Worktree::open(repo, &record.id, branch, base, &record.path)?;
    let files = match files {
        Files::Tree(tree) => tree,
        Files::Furnished(furnish) => {
            worktree::furnish(&worktree, furnish).await?;
            return Ok(worktree);
        }
    };
    let git = repo.git_at(&worktree.own(), "read-tree").limit(LONG);
    git.args(["-m", "-u", files]).bytes().await?;
    crash::point("trial.files");
    let private = worktree.index();
    let folder = private.parent().context("no place for the index")?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make `{}`", folder.display()))?;
    index::replace(&worktree.admin().join("index"), &private)?;
    Ok(worktree)
}

/// Registers it with git, locked, with no file in it.
async fn add(repo: &Repo, record: &Record, commit: &str) -> anyhow::Result<()> {
    let reason = format!("{LOCK_REASON}{}", record.id);
    let name = record.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    let head = name.as_ref().map_or_else(|| commit.to_owned(), |name| format!("ref: {name}"));
    if worktree::registry::make(repo, &record.path, &reason, &head).await? {
        return match name {
            Some(name) => repo.move_ref(&name, commit, None, "branch: created by agentlua").await,
            None => Ok(()),
        };
    }
    let mut tries = 0;
    loop {
        let git = repo.git("worktree").args(["add", "--quiet", "--no-checkout"]);
        let git = git.args(["--lock", "--reason", &reason]);
        let git = match &record.branch {
            Some(branch) => git.args(["--no-track", "-b", branch]),
            None => git.arg("--detach"),
        };
        let git = git.arg(&record.path).arg(commit);
        let output = git.run().await?;
        if output.code == Some(0) {
            return Ok(());
        }
        let said = complaint(&output);
        tries += 1;
        // A `git worktree add` or a fetch of somebody else, who does not take our lock.
        if !said.contains("commondir") || tries == TRIES {
            bail!("git worktree add: {said}");
        }
        remove(repo, record).await?;
        tokio::time::sleep(Duration::from_millis(20 << tries)).await;
    }
}

/// Removes folder, records, index and branch; each step goes on where the one before had nothing to do.
/// Called with the repository's lock.
pub(super) async fn remove(repo: &Repo, record: &Record) -> Result<()> {
    let path = &record.path;
    let trouble = || format!("cannot remove the temporary worktree `{}`", path.display());
    let admin = worktree::admin_dir(repo.common_dir(), path).or_kind(Kind::Io, trouble)?;
    if let Some(admin) = admin {
        trash::retire(repo, &record.id, &admin).or_kind(Kind::Io, trouble)?;
    }
    trash::discard(path).or_kind(Kind::Io, trouble)?;
    for kept in ["index", "setup"] {
        let _ = std::fs::remove_file(repo.state_dir().join(kept).join(&record.id));
    }
    if let Some(folder) = path.parent() {
        let _ = std::fs::remove_dir(folder);
    }
    let Some(branch) = &record.branch else { return Ok(()) };
    let name = format!("refs/heads/{branch}");
    let trouble = || format!("cannot remove the temporary branch `{branch}`");
    // What an agent committed on it is nobody's: its snapshots are kept, and so is what came of it.
    if let Some(tip) = repo.tip(&name).await.or_kind(Kind::Git, trouble)? {
        repo.delete_ref(&name, &tip).await.or_kind(Kind::Git, trouble)?;
    }
    Ok(())
}

/// Tells whether a folder is that of a temporary worktree.
pub(in crate::git) fn is_one(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
}

/// Returns a name that no worktree has had.
fn unused_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{:x}-{:x}-{next}", since.as_nanos(), std::process::id())
}
