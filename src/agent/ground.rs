//! The ground an agent works on: a worktree of its own, or a directory as it is. A worktree that
//! cannot be had is an error, never the main checkout instead.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::query::{Commit, Site};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::worktree::{Entry, New, Released, Worktree};
use crate::git::{CommitMessage, Kept, Left, Repo};
use crate::workspace::disk::Disk;

/// Where an agent works.
pub enum Ground {
    /// A worktree.
    Worktree {
        /// It.
        worktree: Worktree,
        /// What becomes of the work.
        commit: Commit,
    },
    /// A directory.
    Directory(PathBuf),
}

/// What there is at the end.
#[derive(Debug, Default)]
pub struct Harvest {
    /// The commit that holds the work.
    pub head_commit: Option<String>,
    /// Paths that differ from the base.
    pub files_changed: Vec<String>,
    /// Whether the worktree is there no more, because nothing had changed, and what ignored files
    /// went with it: their number and size.
    pub removed: Option<(u64, u64)>,
    /// Paths that git cannot store.
    pub skipped: Vec<String>,
    /// Refs that keep what is not on the branch.
    pub kept: Vec<Kept>,
    /// Repositories inside whose files were taken in as files.
    pub nested: Vec<String>,
    /// The agent's git directory, if something in it could not be taken in.
    pub left: Option<Left>,
}

impl Ground {
    /// Prepares the ground for the agent `id`.
    ///
    /// # Errors
    /// What keeps the worktree from being made; nothing of it is left behind.
    pub async fn prepare(
        site: &Site,
        (id, run, label): (&str, &str, &str),
        repo: Option<&Arc<Repo>>,
        root: &Path,
    ) -> Result<Self> {
        let (branch, base, commit, repo) = match (site, repo) {
            (Site::Directory(path), _) => return Ok(Self::Directory(path.clone())),
            (Site::Worktree { branch, base, commit, .. }, Some(repo)) => {
                (branch, base, commit, repo)
            }
            (Site::Worktree { .. }, None) => {
                return Err(Error::internal("a worktree without a repository"));
            }
        };
        let base_commit = repo.resolve_base(base.as_deref().unwrap_or("HEAD")).await?;
        let new = New {
            id: id.to_owned(),
            run: run.to_owned(),
            branch: branch.clone().unwrap_or_else(|| format!("agentlua/{id}")),
            base_commit,
            root: root.to_owned(),
        };
        let worktree = Worktree::create(repo, new).await?;
        let entry = Entry { commit: message(commit, id, run, label), ..Entry::default() };
        if let Err(error) = worktree.enter(entry).await {
            worktree.abandon().await;
            return Err(error);
        }
        Ok(Self::Worktree { worktree, commit: commit.clone() })
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        match self {
            Self::Worktree { worktree, .. } => worktree.path(),
            Self::Directory(path) => path,
        }
    }

    /// Returns the worktree.
    pub fn worktree(&self) -> Option<&Worktree> {
        match self {
            Self::Worktree { worktree, .. } => Some(worktree),
            Self::Directory(_) => None,
        }
    }

    /// Opens the files for tools.
    ///
    /// # Errors
    /// When the directory cannot be opened.
    pub fn workspace(&self) -> Result<Disk> {
        Disk::open(self.path()).or_kind(Kind::Io, || "cannot open the agent's directory")
    }

    /// Takes in the work: commits it to the branch, and removes a worktree in which nothing changed.
    ///
    /// # Errors
    /// What git says; the worktree is then kept as it is.
    pub async fn harvest(&self, id: &str, run: &str, label: &str) -> Result<Harvest> {
        let Self::Worktree { worktree, commit } = self else { return Ok(Harvest::default()) };
        let finished = worktree.finish(message(commit, id, run, label)).await?;
        let left = worktree.leave(&finished).await?;
        let removed = match worktree.release(&finished).await? {
            Released::Removed { ignored_files, ignored_bytes } => {
                Some((ignored_files, ignored_bytes))
            }
            Released::Kept => None,
        };
        if let Some(aside) = finished.aside {
            let branch = worktree.branch();
            return Err(Error::new(
                Kind::Git,
                format!(
                    "somebody else moved `{branch}` meanwhile; the agent's work is on `{aside}`"
                ),
            )
            .hint(format!("git merge {aside}")));
        }
        Ok(Harvest {
            head_commit: Some(finished.head_commit),
            files_changed: finished.files_changed,
            removed,
            skipped: finished.skipped,
            kept: finished.kept,
            nested: finished.nested,
            left,
        })
    }
}

/// Says how an agent's work is committed.
fn message(commit: &Commit, id: &str, run: &str, label: &str) -> Option<CommitMessage> {
    let Commit::Yes(subject) = commit else { return None };
    Some(CommitMessage {
        subject: subject.clone().unwrap_or_else(|| label.to_owned()),
        trailers: vec![
            ("Agentlua-Agent".to_owned(), id.to_owned()),
            ("Agentlua-Run".to_owned(), run.to_owned()),
        ],
    })
}
