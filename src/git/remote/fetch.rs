//! Fetching, in two steps: what takes long without the repository's lock, what moves refs with it.
//!
//! A fetch reads the HEAD of every worktree, and fails on one that is half made; making one takes the
//! lock. So the objects come by a dry run, without the lock, for as long as the network takes; a second
//! contact under the lock finds them here and only moves the refs. When the dry run has nothing to move
//! there is no second one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;

use super::{RefChange, Remotes, known, unreached};
use crate::error::{Error, Kind, Result};
use crate::git::command::{Git, complaint, text};
use crate::git::repo::Repo;
use crate::git::to_the_end;

/// How long the refs may take, in which the lock is held: less than others wait for it.
const LOCKED: Duration = Duration::from_secs(90);

/// What to fetch.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The remote, or an address; the one that git would take if absent.
    pub remote: Option<String>,
    /// What of it, in git's words; what the remote is configured for if empty.
    pub refspecs: Vec<String>,
    /// Whether refs of branches that are gone there go here too. Nothing goes otherwise, whatever the
    /// user's settings.
    pub prune: bool,
    /// Whether all tags come; those of the commits that come if absent.
    pub tags: Option<bool>,
    /// How long it may take.
    pub limit: Duration,
}

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The remote.
    pub remote: String,
    /// The refs that moved.
    pub refs: Vec<RefChange>,
}

impl Repo {
    /// Fetches from a remote.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such remote, it cannot be reached, or a ref may not move;
    /// [`Kind::Timeout`] after the limit.
    pub async fn fetch(self: &Arc<Self>, fetch: Fetch) -> Result<Fetched> {
        let branch = self.head().await?.branch;
        let remotes = Remotes::of(self).await?;
        let remote = remotes.pick(fetch.remote.as_deref(), branch.as_deref(), false)?;
        let trouble = format!("cannot fetch from `{remote}`");
        let limit = fetch.limit;
        let foreseen = match self.fetch_once(&fetch, &remote, limit, true).await {
            Ok(refs) => refs,
            // A worktree that is being made: it is whole under the lock.
            Err(error) if format!("{error:#}").contains("worktrees/") => Vec::new(),
            Err(error) => return Err(unreached(error, trouble, limit)),
        };
        if foreseen.is_empty() {
            return Ok(Fetched { remote, refs: foreseen });
        }
        let (repo, from) = (Arc::clone(self), remote.clone());
        let step = async move {
            let _lock = repo.lock().await?;
            let moved = repo.fetch_once(&fetch, &from, LOCKED, false).await;
            moved.map_err(|error| unreached(error, trouble, LOCKED))
        };
        let refs = to_the_end(step, |_| async {}).await?;
        let rejected: Vec<_> = refs.iter().filter(|change| change.status == "rejected").collect();
        if let Some(first) = rejected.first() {
            let name = &first.name;
            let why = format!("`{name}` was not moved by the fetch: it has commits of its own");
            let hint =
                format!("a `+` in front of its refspec moves it all the same: \"+…:{name}\"");
            return Err(Error::new(Kind::Git, why).hint(hint));
        }
        Ok(Fetched { remote, refs })
    }

    /// Returns the remote that a fetch would ask; nothing is asked.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such remote.
    pub async fn foresee_fetch(&self, fetch: &Fetch) -> Result<String> {
        let branch = self.head().await?.branch;
        Remotes::of(self).await?.pick(fetch.remote.as_deref(), branch.as_deref(), false)
    }

    async fn fetch_once(
        &self,
        fetch: &Fetch,
        remote: &str,
        limit: Duration,
        dry: bool,
    ) -> anyhow::Result<Vec<RefChange>> {
        let mut git = self.reaching("fetch", limit).await?;
        git = git.args(["--porcelain", "--no-recurse-submodules", "--no-auto-maintenance"]);
        git = git.arg(if fetch.prune { "--prune" } else { "--no-prune" });
        let tags = fetch.tags.map(|all| if all { "--tags" } else { "--no-tags" });
        let flags = tags.into_iter().chain(dry.then_some("--dry-run"));
        let git: Git = git.args(flags).args(["--", remote]).args(&fetch.refspecs);
        let output = git.run().await?;
        let refs = parse(&text(&output.stdout));
        match output.code {
            Some(0) => Ok(refs),
            Some(1) if refs.iter().any(|change| change.status == "rejected") => Ok(refs),
            Some(129) => bail!("this git is too old: fetching needs git 2.41 or newer"),
            _ => bail!("git fetch: {}", complaint(&output)),
        }
    }
}

/// Reads `git fetch --porcelain`: a letter, the old id, the new id, the ref.
fn parse(text: &str) -> Vec<RefChange> {
    let change = |line: &str| {
        let status = match line.bytes().next()? {
            b'*' => "new",
            b'+' => "forced",
            b'-' => "deleted",
            b'!' => "rejected",
            b'=' => "up_to_date",
            b' ' | b't' => "updated",
            _ => return None,
        };
        let mut columns = line.get(2..)?.splitn(3, ' ');
        let (old, new, name) = (columns.next()?, columns.next()?, columns.next()?);
        Some(RefChange { name: name.to_owned(), old: known(old), new: known(new), status })
    };
    text.lines().filter_map(change).collect()
}
