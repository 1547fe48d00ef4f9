//! A worktree of one agent: its folder, its branch, its base, and what git keeps about it.
//!
//! It is made outside the repository, locked against `git worktree prune` while its agent lives,
//! and ended by [`Worktree::finish`] and [`Worktree::release`]. The main checkout is never used in
//! its place. An agent works in it between [`Worktree::enter`] and [`Worktree::leave`], with a git
//! directory of its own. The index that snapshots are taken with is private to agentlua.

mod create;
mod enter;
mod leave;
mod life;
mod list;
mod release;

pub use create::New;
pub use enter::Entry;
pub(super) use life::{KIND, Life, State};
pub use list::WorktreeEntry;
pub use release::Released;

pub(super) use list::admin_dir;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::command::Place;
use super::ledger::Pledge;
use super::private::Left;
use super::repo::Repo;
use super::snapshot::{self, CommitMessage, Finished};
use super::to_the_end;
use crate::error::{Error, Kind, Result, ResultExt};

/// What stands in the lock file of a worktree that belongs to an agent, before its id.
const LOCK_REASON: &str = "agentlua ";

/// What git leaves in a worktree's own git directory while an operation waits for its user.
const OPERATIONS: [&str; 7] = [
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "rebase-merge",
    "rebase-apply",
    "sequencer",
    "BISECT_LOG",
];

/// A linked worktree that an agent works in.
#[derive(Clone, Debug)]
pub struct Worktree {
    repo: Arc<Repo>,
    id: String,
    run: String,
    branch: String,
    base_commit: String,
    path: PathBuf,
    admin: PathBuf,
    record: Arc<Mutex<Option<Record>>>,
}

/// What is written down about a worktree that has no outcome yet.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The intent.
    pub pledge: Pledge,
    /// What it says now.
    pub life: Life,
}

impl Worktree {
    /// Makes a worktree on a new branch at a base commit. If the caller stops waiting, it is made
    /// and taken back.
    ///
    /// # Errors
    /// [`Kind::Usage`] for names that cannot be, [`Kind::Git`] otherwise; nothing is left behind.
    pub async fn create(repo: &Arc<Repo>, new: New) -> Result<Self> {
        let repo = Arc::clone(repo);
        to_the_end(create::create(repo, new), |unwanted| async move {
            unwanted.take_back().await;
        })
        .await
    }

    /// Opens a worktree that was made before, by its id, branch, base and path.
    ///
    /// # Errors
    /// [`Kind::Git`] when the repository has no worktree at that path.
    pub fn open(
        repo: &Arc<Repo>,
        id: &str,
        branch: &str,
        base_commit: &str,
        path: &Path,
    ) -> Result<Self> {
        let admin = list::admin_dir(repo.common_dir(), path)
            .or_kind(Kind::Git, || "cannot read the list of worktrees")?;
        let Some(admin) = admin else {
            let shown = path.display();
            return Err(Error::new(
                Kind::Git,
                format!("there is no worktree at `{shown}` any more"),
            ));
        };
        Ok(Self {
            repo: Arc::clone(repo),
            id: id.to_owned(),
            run: String::new(),
            branch: branch.to_owned(),
            base_commit: base_commit.to_owned(),
            path: path.to_owned(),
            admin,
            record: Arc::default(),
        })
    }

    /// Opens the worktree in a folder if an agent is in it: what git keeps about it is then the agent's.
    ///
    /// # Errors
    /// As [`Worktree::open`].
    pub(super) fn entered_at(repo: &Arc<Repo>, folder: &Path, base: &str) -> Result<Option<Self>> {
        let Some(id) = folder.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
        if !repo.state_dir().join("entered").join(id).is_dir() {
            return Ok(None);
        }
        let found = list::admin_dir(repo.common_dir(), folder)
            .or_kind(Kind::Git, || "cannot read the list of worktrees")?;
        let opened = found.map(|_| Self::open(repo, id, "HEAD", base, folder));
        opened.transpose()
    }

    /// Returns the repository it belongs to.
    pub fn repo(&self) -> &Arc<Repo> {
        &self.repo
    }

    /// Returns the id it was made under.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the run it belongs to; empty if none.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Returns its branch.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Returns the commit it started from.
    pub fn base_commit(&self) -> &str {
        &self.base_commit
    }

    /// Returns its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the agent that is to work here a repository of its own: until [`Worktree::leave`], git in the
    /// worktree reaches neither the user's nor another agent's.
    ///
    /// # Errors
    /// [`Kind::Git`], naming what cannot be made; the worktree is then as it was.
    pub async fn enter(&self, entry: Entry) -> Result<()> {
        let worktree = self.clone();
        to_the_end(async move { enter::enter(&worktree, entry).await }, |()| async {}).await
    }

    /// Makes it an ordinary worktree again, once the agent and all that it started has ended and its work
    /// is taken in. Returns the agent's git directory if that had to stay. Without an agent in it nothing
    /// happens.
    ///
    /// # Errors
    /// [`Kind::Git`], naming what cannot be put back; it can be done again.
    pub async fn leave(&self, finished: &Finished) -> Result<Option<Left>> {
        let (worktree, finished) = (self.clone(), finished.clone());
        let step = async move {
            let trouble = || format!("cannot put the worktree `{}` back", worktree.path.display());
            leave::leave(&worktree, &finished).await.or_kind(Kind::Git, trouble)
        };
        to_the_end(step, |_| async {}).await
    }

    /// Removes what was made for one that nobody has worked in: folder, records, and the branch if it is
    /// still at its base.
    pub async fn abandon(&self) {
        let worktree = self.clone();
        let step = async move {
            worktree.take_back().await;
            Ok(())
        };
        let _ = to_the_end(step, |()| async {}).await;
    }

    /// Takes a snapshot of the files and, with a message, commits it on the branch, on top of
    /// whatever the agent committed there itself.
    ///
    /// # Errors
    /// [`Kind::Git`] when the files cannot be stored or the branch cannot be moved.
    pub async fn finish(&self, message: Option<CommitMessage>) -> Result<Finished> {
        let worktree = self.clone();
        let branch = self.branch.clone();
        let step = async move {
            let finished = snapshot::finish(&worktree, message).await;
            finished.or_kind(Kind::Git, || format!("cannot store the work on `{branch}`"))
        };
        to_the_end(step, |_| async {}).await
    }

    /// Unlocks the worktree; keeps it when it holds anything, removes it when it provably holds
    /// nothing. The branch stays either way.
    ///
    /// # Errors
    /// [`Kind::Git`] when the registry cannot be changed.
    pub async fn release(&self, finished: &Finished) -> Result<Released> {
        let (worktree, finished) = (self.clone(), finished.clone());
        to_the_end(async move { release::release(&worktree, &finished).await }, |_| async {}).await
    }

    /// Unlocks the worktree and leaves it as it is.
    ///
    /// # Errors
    /// As [`Worktree::release`].
    pub async fn keep(&self) -> Result<()> {
        let worktree = self.clone();
        to_the_end(async move { release::keep(&worktree).await }, |()| async {}).await
    }

    /// Unlocks the worktree and removes it when its branch holds all of it; keeps it otherwise.
    ///
    /// # Errors
    /// As [`Worktree::release`].
    pub async fn close(&self, finished: &Finished) -> Result<Released> {
        let (worktree, finished) = (self.clone(), finished.clone());
        to_the_end(async move { release::close(&worktree, &finished).await }, |_| async {}).await
    }

    /// Returns the place of snapshots: the shared git directory, which the agent's own files do not
    /// redirect, with the private index.
    pub(super) fn private(&self) -> Place {
        let common_dir = self.repo.common_dir();
        let mut place = self.repo.place(common_dir.to_owned(), Some(self.path.clone()));
        place.index = Some(self.index());
        place
    }

    /// Returns the place that git in the worktree itself sees.
    pub(super) fn own(&self) -> Place {
        self.repo.place(self.admin.clone(), Some(self.path.clone()))
    }

    /// Returns where git keeps what it knows about this worktree.
    pub(super) fn admin(&self) -> &Path {
        &self.admin
    }

    /// Returns the private index.
    pub(super) fn index(&self) -> PathBuf {
        self.repo.state_dir().join("index").join(&self.id)
    }

    /// Returns what refs for its work start with, without the last slash.
    pub(super) fn namespace(&self) -> String {
        let run = if self.run.is_empty() { "keep" } else { &self.run };
        format!("refs/agentlua/{run}/{}", self.id)
    }

    /// Returns the ref that holds the base while an agent works.
    pub(super) fn base_ref(&self) -> String {
        format!("{}/base", self.namespace())
    }

    /// Returns the git directory of the agent that works here, beside the folder. It need not exist.
    pub(super) fn private_dir(&self) -> PathBuf {
        self.path.with_added_extension("git")
    }

    /// Returns where that directory is while it is made.
    pub(super) fn unfinished_dir(&self) -> PathBuf {
        self.path.with_added_extension("making")
    }

    /// Returns where it is once all of it was taken in, until it is removed.
    pub(super) fn emptied_dir(&self) -> PathBuf {
        self.path.with_added_extension("taken")
    }

    /// Returns the folder that says that an agent is in the worktree, and what its repository started with.
    pub(super) fn mark(&self) -> PathBuf {
        self.repo.state_dir().join("entered").join(&self.id)
    }

    /// Tells whether an agent is in the worktree, or was and has not been taken out.
    pub(super) fn is_entered(&self) -> bool {
        self.mark().is_dir()
    }

    /// Removes what [`Worktree::enter`] made, before anybody has used it.
    pub(super) async fn forget_private(&self) {
        let _ = std::fs::remove_dir_all(self.private_dir());
        self.sweep();
        if self.is_entered() {
            let _ = super::private::let_go(&self.repo, &self.base_ref()).await;
            let _ = std::fs::remove_dir_all(self.mark());
        }
    }

    /// Removes what a crash has left of making or removing an agent's git directory.
    fn sweep(&self) {
        let _ = std::fs::remove_dir_all(self.unfinished_dir());
        let _ = std::fs::remove_dir_all(self.emptied_dir());
        let _ = std::fs::remove_file(self.path.with_added_extension("pointer"));
    }

    /// Returns what is written down about it.
    pub(super) fn record(&self) -> Option<Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over what is written down about it: nothing once it has its outcome.
    pub(super) fn set_record(&self, record: Option<Record>) {
        *self.record.lock().unwrap_or_else(PoisonError::into_inner) = record;
    }

    /// Tells whether a merge, rebase or the like is in progress.
    pub(super) fn is_parked(&self) -> bool {
        is_parked(&self.admin)
    }
}

/// Tells whether a merge, rebase or the like is in progress in the worktree of this git directory.
pub(super) fn is_parked(git_dir: &Path) -> bool {
    OPERATIONS.iter().any(|name| git_dir.join(name).exists())
}

/// Tells whether a folder's content is lost at a restart or swept now and then.
pub fn is_volatile(path: &Path) -> bool {
    let real = list::existing_part(path);
    ["/tmp", "/var/tmp", "/dev/shm", "/private/tmp", "/private/var/tmp", "/run"]
        .iter()
        .any(|folder| real.starts_with(folder))
}
