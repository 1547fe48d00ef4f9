//! Git: the repository, worktrees and their snapshots, diffs and merges.
//!
//! The `git` program does everything that changes a repository, checks files out, merges or makes
//! patch text, because it honours the repository's filters, attributes, sparse patterns and
//! extensions. libgit2 answers the few questions that are asked for every agent (HEAD, a tip, a tree,
//! the paths between two trees, ancestry) in the process; where it cannot open a repository the
//! program answers them too, chosen once per [`Repo`]. It writes only refs that hold a commit for
//! agentlua itself (`private`), and such commits (`own`).
//!
//! What holds throughout: every git child has a rebuilt environment and an explicit repository
//! (`command`); refs move only by compare-and-swap; what changes the registry of worktrees or lands on
//! a branch does so under one lock per repository (`lock`) and is written down before (`ledger`); nothing of the user's is changed but the
//! target of a merge; steps that change something run to their end even when their caller goes
//! away (`to_the_end`); while an agent is in a worktree its git has a directory of its own (`private`),
//! and from then on git is never run here with what that agent could have written: its `.git` file, what
//! is kept about its worktree, its index, its configuration. This module knows nothing of agents or Lua.

mod about;
mod blob;
mod branch;
mod command;
mod commit;
mod conflict;
mod diff;
mod dirt;
pub mod gc;
mod index;
mod ledger;
mod lock;
mod log;
mod merge;
mod own;
mod pretend;
mod private;
mod reader;
mod recover;
mod refs;
mod remote;
mod remove;
mod repo;
mod scope;
mod show;
pub mod size;
mod snapshot;
mod status;
mod trash;
mod turns;
pub mod worktree;

pub use about::{About, may_write, version};
pub use branch::{Branch, Taken, check_branch_name};
pub use command::Environment;
pub use commit::{MadeCommit, NewCommit, Planned, What};
pub use conflict::{Clash, conflicts};
pub use diff::{Diff, FileDiff, Flag, Side, Spec, diff};
pub use log::{Commit, LogQuery};
pub use merge::{
    Brief, Clash as HunkClash, Conflict, ConflictedPath, Examined, Footing, Lane, Loss, Losses,
    Merge, Merged, PathBrief, Proposal, Proposed, Strategy, TRIES, Trial, committed, merge, order,
    propose, propose_resolved,
};
pub use private::{Kept, Left};
pub use reader::{Head, Reader};
pub use recover::{Recovered, recover};
pub use remote::{Address, DEFAULT_LIMIT, Fetch, Fetched, Lease, Push, Pushed, RefChange, Remote};
pub use repo::{Opening, Repo};
pub use scope::Scope;
pub use snapshot::{CommitMessage, Finished};
pub use status::{FileStatus, Status, StatusQuery, Untracked};
pub use turns::Touched;
pub use worktree::{Worktree, WorktreeEntry};

use std::future::Future;

use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// Runs `step` to its end even if the caller stops waiting, and then gives what it made to `undo`.
///
/// Dropping a future in the middle of a git child would kill it and leave its locks behind.
async fn to_the_end<T, S, U, F>(step: S, undo: U) -> Result<T>
where
    T: Send + 'static,
    S: Future<Output = Result<T>> + Send + 'static,
    U: FnOnce(T) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (done, wait) = oneshot::channel();
    tokio::spawn(async move {
        if let Err(Ok(unwanted)) = done.send(step.await) {
            undo(unwanted).await;
        }
    });
    wait.await.map_err(|_| Error::internal("a git step ended without a result"))?
}
