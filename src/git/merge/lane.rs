//! The queue of merges into one branch: one at a time, in the order in which they came.
//!
//! A place in it is held from the first look at the target until the target has moved, a slow
//! `verify` between them included; the repository's own lock is held for the move alone. In this
//! process the order is strict; among processes a `flock` lets one through at a time. Merges into
//! different branches do not wait for each other.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::lock::alone;
use crate::git::repo::Repo;

/// How long another process may hold the queue: as long as the longest `verify`.
const PATIENCE: Duration = Duration::from_hours(24);

/// The queues of this process, by full ref name.
#[derive(Debug, Default)]
pub(in crate::git) struct Lanes(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Lanes {
    fn of(&self, full_name: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(full_name.to_owned()).or_default())
    }
}

/// The turn to merge into one branch.
#[derive(Debug)]
#[must_use = "the next merge begins when this is dropped"]
pub struct Lane {
    pub(super) repo: Arc<Repo>,
    into: String,
    recovered: Vec<String>,
    _file: File,
    _turn: OwnedMutexGuard<()>,
}

impl Lane {
    /// Waits for the turn to merge into a branch; into the one that is checked out if none is named.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such branch, the queue cannot be entered, or a merge that was cut
    /// off cannot be finished; [`Kind::Timeout`]
    /// when another process holds it for a day.
    pub async fn enter(repo: &Arc<Repo>, into: Option<&str>) -> Result<Self> {
        let into = match into {
            Some(into) => into.trim_start_matches("refs/heads/").to_owned(),
            None => repo.head().await?.branch.ok_or_else(|| {
                Error::new(Kind::Git, "HEAD is on no branch that could take a merge")
                    .hint("say which: git.merge { branch = …, into = \"main\" }")
            })?,
        };
        let full_name = full_name(&into);
        let turn = repo.lanes.of(&full_name).lock_owned().await;
        let file = locked(repo, &full_name).await?;
        let recovered = super::recover::recover_all(repo).await?;
        let lane = Self { repo: Arc::clone(repo), into, recovered, _file: file, _turn: turn };
        lane.tip().await?;
        Ok(lane)
    }

    /// Returns the branch that takes the merges.
    pub fn branch(&self) -> &str {
        &self.into
    }

    /// Returns what to tell people about merges of processes that are gone, which were finished or
    /// taken back on entering.
    pub fn recovered(&self) -> &[String] {
        &self.recovered
    }

    /// Returns the repository.
    pub fn repo(&self) -> &Arc<Repo> {
        &self.repo
    }

    /// Returns the commit that the branch points to now.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such branch.
    pub async fn tip(&self) -> Result<String> {
        let into = &self.into;
        let tip = self.repo.tip(&self.full_name()).await;
        let tip = tip.or_kind(Kind::Git, || format!("cannot read the branch `{into}`"))?;
        tip.ok_or_else(|| Error::new(Kind::Git, format!("there is no branch `{into}`")))
    }

    pub(super) fn full_name(&self) -> String {
        full_name(&self.into)
    }
}

fn full_name(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

/// Takes the queue's lock file, waiting without holding a thread.
async fn locked(repo: &Repo, full_name: &str) -> Result<File> {
    let folder = repo.state_dir().join("merge");
    let name = git2::Oid::hash_object(git2::ObjectType::Blob, full_name.as_bytes());
    let name = name.or_kind(Kind::Internal, || "cannot name the queue of a branch")?;
    let path = folder.join(format!("{name:.12}.lock"));
    alone(&path, PATIENCE).await
}
