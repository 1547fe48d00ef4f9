//! The git layer against real repositories, odd ones too.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/repo.rs"]
mod repo;

#[path = "git/commits.rs"]
mod commits;
#[path = "git/create.rs"]
mod create;
#[path = "git/diffs.rs"]
mod diffs;
#[path = "git/gc.rs"]
mod gc;
#[path = "git/hostile.rs"]
mod hostile;
#[path = "git/include.rs"]
mod include;
#[path = "git/integrate_crash.rs"]
mod integrate_crash;
#[path = "git/isolation.rs"]
mod isolation;
#[path = "git/kinds.rs"]
mod kinds;
#[path = "git/merge_crash.rs"]
mod merge_crash;
#[path = "git/merge_faults.rs"]
mod merge_faults;
#[path = "git/merge_queue.rs"]
mod merge_queue;
#[path = "git/merges.rs"]
mod merges;
#[path = "git/races.rs"]
mod races;
#[path = "git/refusals.rs"]
mod refusals;
#[path = "git/remotes.rs"]
mod remotes;
#[path = "git/safety.rs"]
mod safety;
#[path = "git/show.rs"]
mod show;
#[path = "git/sparse.rs"]
mod sparse;
#[path = "git/status.rs"]
mod status;
#[path = "git/worktrees.rs"]
mod worktrees;

use std::path::Path;
use std::sync::Arc;

use agentlua::error::Result;
use agentlua::git::worktree::New;
use agentlua::git::{self, CommitMessage, Opening, Reader, Worktree};

use repo::Repo;

/// Opens the repository around `dir` with the environment of `repo`.
async fn open_at(repo: &Repo, dir: &Path, reader: Option<Reader>) -> Result<Arc<git::Repo>> {
    let environment = Some(repo.environment().into_iter().collect());
    git::Repo::open_with(dir, Opening { environment, reader, ..Opening::default() }).await
}

async fn open(repo: &Repo) -> Arc<git::Repo> {
    open_at(repo, repo.path(), None).await.unwrap()
}

/// Says what worktree to make, beside the repository.
async fn new(repo: &Repo, opened: &git::Repo, id: &str, branch: &str) -> New {
    New {
        id: id.to_owned(),
        run: "run-1".to_owned(),
        branch: branch.to_owned(),
        base_commit: opened.resolve("HEAD").await.unwrap(),
        root: repo.beside("state"),
        ..New::default()
    }
}

async fn create(repo: &Repo, opened: &Arc<git::Repo>, id: &str, branch: &str) -> Worktree {
    Worktree::create(opened, new(repo, opened, id, branch).await).await.unwrap()
}

fn message(subject: &str) -> CommitMessage {
    let trailers = vec![("Agentlua-Agent".to_owned(), "a1".to_owned())];
    CommitMessage { subject: subject.to_owned(), trailers }
}
