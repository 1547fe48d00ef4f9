//! A worktree of one agent: its folder, its branch, its base, and what git keeps about it.
//!
//! It is made outside the repository, locked against `git worktree prune` while its agent lives,
//! and ended by [`Worktree::finish`] and [`Worktree::release`]. The main checkout is never used in
//! its place. An agent works in it between [`Worktree::enter`] and [`Worktree::leave`], with a git
//! directory of its own. The index that snapshots are taken with is private to agentlua.

mod again;
mod contents;
mod create;
mod enter;
mod furnish;
mod include;
mod leave;
mod life;
mod list;
mod operation;
mod places;
pub(super) mod registry;
mod release;
mod reopen;
mod setup;
mod sparse;
mod submodules;
mod survey;
mod undo;
mod unwritten;

pub use again::Before;
pub use contents::Contents;
pub use create::New;
pub use enter::Entry;
pub use furnish::Furnish;
pub use include::{Include, Included, shares_blocks};
pub(super) use life::{KIND, Life, State, namespace};
pub use list::WorktreeEntry;
pub use release::Released;
pub use reopen::There;
pub use sparse::Cone;
pub use unwritten::UNWRITTEN;

pub(super) use create::{folder, require_place};
pub(super) use furnish::furnish;
pub(super) use list::admin_dir;
pub(super) use operation::{is_parked, operation};
pub(super) use release::{has_modules, ignored, links_are_ours};
pub(super) use undo::{discard_indexes, discard_private, take_back, unlock_refs};
pub(super) use unwritten::discard_unwritten;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::ledger::Pledge;
use super::private::Left;
use super::repo::Repo;
use super::scope::Scope;
use super::snapshot::{self, CommitMessage, Finished};
use super::to_the_end;
use crate::error::{Error, Kind, Result, ResultExt};

/// What stands in the lock file of a worktree that belongs to an agent, before its id.
pub(super) const LOCK_REASON: &str = "agentlua ";

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
    terms: Terms,
    record: Arc<Mutex<Option<Record>>>,
}

/// On which terms somebody works in a worktree.
#[derive(Clone, Debug, Default)]
struct Terms {
    /// Whether the branch was made with it: only then may it ever be deleted with it.
    branch_created: bool,
    /// Whether it was there before: then it stays, whatever it holds.
    reopened: bool,
    /// Whether it was gone and had to be made again.
    remade: bool,
    /// Whose it is, when it was lent; the lock goes back to them.
    lender: Option<String>,
    /// What may be written, if not everything.
    scope: Option<Arc<Scope>>,
    /// The ignored files that it got.
    included: Included,
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
            terms: Terms::default(),
            record: Arc::default(),
        })
    }

    /// Opens a worktree by what was written down about it, to go on where its host was cut off. `None`
    /// when git has no record of it any more.
    ///
    /// # Errors
    /// [`Kind::Git`] when the records cannot be read.
    pub(super) fn adopted(repo: &Arc<Repo>, record: Record) -> Result<Option<Self>> {
        let life = &record.life;
        let found = list::admin_dir(repo.common_dir(), &life.path)
            .and_then(|admin| match admin {
                // An agent may have written over what its record says of the folder.
                None => list::locked_for(repo.common_dir(), &format!("{LOCK_REASON}{}", life.id)),
                found => Ok(found),
            })
            .or_kind(Kind::Git, || "cannot read the list of worktrees")?;
        let Some(admin) = found else { return Ok(None) };
        let scope = life.scope.as_ref().map(|paths| Scope::parse(paths)).transpose()?;
        Ok(Some(Self {
            repo: Arc::clone(repo),
            id: life.id.clone(),
            run: life.run.clone(),
            branch: life.branch.clone(),
            base_commit: life.base_commit.clone(),
            path: life.path.clone(),
            admin,
            terms: Terms {
                branch_created: life.branch_created,
                reopened: life.reopened,
                scope: scope.map(Arc::new),
                ..Terms::default()
            },
            record: Arc::new(Mutex::new(Some(record))),
        }))
    }

    /// Writes down how it ended.
    pub(super) async fn settle(&self, outcome: &str) {
        if let Some(record) = self.record() {
            self.set_record(None);
            record.pledge.settle(outcome).await;
        }
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

    /// Limits what is committed to paths of a scope; what else differs from the base stays in the
    /// files and is named.
    #[must_use]
    pub fn scoped(mut self, scope: Option<Arc<Scope>>) -> Self {
        self.terms.scope = scope;
        self
    }

    /// Returns what may be written, if not everything.
    pub fn scope(&self) -> Option<&Arc<Scope>> {
        self.terms.scope.as_ref()
    }

    /// Tells whether the branch was made with the worktree: only then may it ever be deleted with it.
    pub fn branch_created(&self) -> bool {
        self.terms.branch_created
    }

    /// Tells whether it was there before: then it stays at the end, whatever it holds.
    pub fn was_there(&self) -> bool {
        self.terms.reopened
    }

    /// Returns what was copied of the files that git ignores.
    pub fn included(&self) -> Included {
        self.terms.included
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

    /// Removes what [`Worktree::enter`] made, before anybody has used it.
    pub(super) async fn forget_private(&self) {
        self.sweep();
        // Without the mark it is an earlier agent's, with something in it that is nowhere else.
        if self.is_entered() {
            let _ = std::fs::remove_dir_all(self.private_dir());
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

/// Tells whether a folder's content is lost at a restart or swept now and then.
pub fn is_volatile(path: &Path) -> bool {
    let real = list::existing_part(path);
    ["/tmp", "/var/tmp", "/dev/shm", "/private/tmp", "/private/var/tmp", "/run"]
        .iter()
        .any(|folder| real.starts_with(folder))
}
