//! A merge that is made and has not landed: a commit that nothing points to.

use std::sync::Arc;

use serde_json::json;

use super::attempt::{Attempt, HalfMerged, attempt, with_names};
use super::{Lane, Merge, Merged, Strategy, additions, listed, rebase, refused};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::repo::Repo;

/// What a merge came to, in memory.
#[derive(Debug)]
pub enum Proposed {
    /// A commit that may land.
    Ready(Proposal),
    /// Paths that somebody has to decide about.
    Conflicted(Box<Conflict>),
}

/// A commit for the target to move to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// `merged`, `fast_forward` or `up_to_date`.
    pub status: &'static str,
    /// Where the target was when the commit was made.
    pub old: String,
    /// The commit.
    pub commit: String,
    /// What messages call that which is merged.
    pub name: String,
}

impl Proposal {
    /// Tells whether landing it changes nothing.
    pub fn is_up_to_date(&self) -> bool {
        self.commit == self.old
    }

    /// Describes it as landed.
    pub fn merged(&self, lane: &Lane) -> Merged {
        let into = lane.branch().to_owned();
        Merged { status: self.status, commit: self.commit.clone(), into }
    }
}

/// A merge that stopped at conflicts.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// What is merged, as it was named.
    pub branch: String,
    /// The target.
    pub into: String,
    pub(super) ours: String,
    pub(super) theirs: String,
    pub(super) half: HalfMerged,
    /// The commit that could not be replayed, by id and subject.
    pub(super) replayed: Option<(String, String)>,
}

impl Conflict {
    /// Returns the paths in conflict, sorted, each once.
    pub fn paths(&self) -> Vec<String> {
        self.half.paths()
    }

    /// Returns the conflicts as scripts read them.
    pub fn as_json(&self) -> Vec<serde_json::Value> {
        self.half.as_json()
    }

    /// Returns the error of the merge that stopped here.
    pub fn error(&self) -> Error {
        let paths = self.paths();
        let (branch, into, listed) = (&self.branch, &self.into, listed(&paths));
        let mut merge =
            json!({ "status": "conflicted", "conflicts": self.as_json(), "paths": paths });
        let message = match &self.replayed {
            Some((id, subject)) => {
                merge["commit"] = json!(id);
                format!(
                    "replaying {id:.10} (`{subject}`) of `{branch}` on `{into}` conflicts in {listed}"
                )
            }
            None => format!("merging `{branch}` into `{into}` conflicts in {listed}"),
        };
        let hint = format!("`{into}` is as it was; an agent settles it with `on_conflict = {{}}`");
        Error::new(Kind::Git, message).with("merge", merge).hint(hint)
    }
}

impl Conflict {
    /// Keeps both sides' additions where that settles a file; returns what is left to decide, and the
    /// paths that are settled.
    ///
    /// # Errors
    /// [`Kind::Git`] when the files cannot be read or written.
    pub async fn simplified(self, repo: &Repo) -> Result<(Self, Vec<String>)> {
        let trouble = || trouble(&self.branch, &self.into);
        let settled = additions::settle(repo, self.half.clone(), &self.ours).await;
        let (half, paths) = settled.or_kind(Kind::Git, trouble)?;
        Ok((Self { half, ..self }, paths))
    }

    /// Returns the merged tree, if nothing is left to decide.
    pub fn settled(&self) -> Option<&str> {
        let open = !self.half.unmerged.is_empty() || !self.half.conflicts.is_empty();
        (!open).then_some(&*self.half.tree)
    }
}

impl Lane {
    /// Makes the commit that the target is to move to, on top of `ours`; writes objects only.
    ///
    /// # Errors
    /// As [`propose`].
    pub async fn propose(&self, merge: &Merge, ours: &str) -> Result<Proposed> {
        propose(&self.repo, self.branch(), merge, ours).await
    }
}

/// Makes the commit of a merge on top of `ours`, which is or is to become the branch `into`; writes
/// objects only.
///
/// # Errors
/// [`Kind::Git`], with the detail `merge` where the merge is refused.
pub async fn propose(repo: &Arc<Repo>, into: &str, merge: &Merge, ours: &str) -> Result<Proposed> {
    // Of a turn's snapshot, a commit without the turns before it: they are nobody's history.
    let theirs = repo.resolve_base(&merge.branch).await?;
    Make { repo, into, merge, ours, theirs: &theirs }.proposed().await
}

/// Makes the commit of a merge whose conflicts somebody has resolved to `tree`.
///
/// # Errors
/// [`Kind::Git`] when the commit cannot be written.
pub async fn propose_resolved(
    repo: &Arc<Repo>,
    merge: &Merge,
    conflict: &Conflict,
    tree: &str,
) -> Result<Proposal> {
    let (ours, theirs) = (&*conflict.ours, &*conflict.theirs);
    Make { repo, into: &conflict.into, merge, ours, theirs }.committed(tree).await
}

/// Commits a tree on top of a proposal, as one more step of it.
///
/// # Errors
/// [`Kind::Git`] when the commit cannot be written.
pub async fn committed(
    repo: &Arc<Repo>,
    onto: &Proposal,
    tree: &str,
    message: &str,
) -> Result<Proposal> {
    let trouble = || format!("cannot commit what was changed after merging `{}`", onto.name);
    let sign = repo.signs().await.or_kind(Kind::Git, trouble)?;
    let commit = repo.commit_tree(tree, &[&onto.commit], message, sign).await;
    let commit = commit.or_kind(Kind::Git, trouble)?;
    Ok(Proposal { status: "merged", commit, ..onto.clone() })
}

/// A merge with its names resolved.
struct Make<'m> {
    repo: &'m Arc<Repo>,
    into: &'m str,
    merge: &'m Merge,
    ours: &'m str,
    theirs: &'m str,
}

impl Make<'_> {
    async fn proposed(&self) -> Result<Proposed> {
        let (repo, ours, theirs) = (self.repo, self.ours, self.theirs);
        let trouble = || trouble(&self.merge.name, self.into);
        if repo.is_ancestor(theirs, ours).await.or_kind(Kind::Git, trouble)? {
            return Ok(Proposed::Ready(self.proposal("up_to_date", ours)));
        }
        let forward = repo.is_ancestor(ours, theirs).await.or_kind(Kind::Git, trouble)?;
        if forward && self.merge.strategy != Strategy::Squash {
            return Ok(Proposed::Ready(self.proposal("fast_forward", theirs)));
        }
        if self.merge.strategy == Strategy::FastForward {
            let (name, into) = (&self.merge.name, self.into);
            let why = format!("`{into}` has commits that `{name}` lacks: no fast-forward");
            return Err(refused("diverged", why, &[]));
        }
        if repo.merge_base(ours, theirs).await.or_kind(Kind::Git, trouble)?.is_none() {
            let cut = if repo.is_shallow() { " in this shallow clone" } else { "" };
            let (name, into) = (&self.merge.name, self.into);
            let why = format!("`{name}` and `{into}` have no common base{cut}");
            return Err(refused("no_common_base", why, &[]));
        }
        if self.merge.strategy == Strategy::Rebase {
            return self.replayed().await;
        }
        match attempt(repo, ours, theirs, None).await.or_kind(Kind::Git, trouble)? {
            Attempt::Clean(tree) => self.committed(&tree).await.map(Proposed::Ready),
            Attempt::Conflicts(half) => {
                let names = (self.into, &*self.merge.name);
                let half = with_names(repo, half, (ours, theirs), names).await;
                Ok(self.conflicted(half, None))
            }
        }
    }

    async fn replayed(&self) -> Result<Proposed> {
        let replay = rebase::replay(self.repo, self.ours, self.theirs).await;
        Ok(match replay.or_kind(Kind::Git, || trouble(&self.merge.name, self.into))? {
            rebase::Replay::Done(tip) if tip == self.ours => {
                Proposed::Ready(self.proposal("up_to_date", &tip))
            }
            rebase::Replay::Done(tip) => Proposed::Ready(self.proposal("merged", &tip)),
            rebase::Replay::Stopped { half, id, subject } => {
                self.conflicted(half, Some((id, subject)))
            }
            rebase::Replay::LosesMerges => {
                let (name, into) = (&self.merge.name, self.into);
                let why = format!(
                    "replaying `{name}` on `{into}` would lose what its merge commits resolved"
                );
                return Err(refused("merges", why, &[]).hint("use `strategy = \"merge\"`"));
            }
        })
    }

    fn conflicted(&self, half: HalfMerged, replayed: Option<(String, String)>) -> Proposed {
        Proposed::Conflicted(Box::new(Conflict {
            branch: self.merge.name.clone(),
            into: self.into.to_owned(),
            ours: self.ours.to_owned(),
            theirs: self.theirs.to_owned(),
            half,
            replayed,
        }))
    }

    /// Commits a merged tree.
    async fn committed(&self, tree: &str) -> Result<Proposal> {
        let (repo, ours) = (self.repo, self.ours);
        let trouble = || trouble(&self.merge.name, self.into);
        let squash = self.merge.strategy == Strategy::Squash;
        if squash && repo.tree(ours).await.or_kind(Kind::Git, trouble)? == tree {
            return Ok(self.proposal("up_to_date", ours));
        }
        let parents: &[&str] = if squash { &[ours] } else { &[ours, self.theirs] };
        let sign = repo.signs().await.or_kind(Kind::Git, trouble)?;
        let commit = repo.commit_tree(tree, parents, &self.message(), sign).await;
        let commit = commit.or_kind(Kind::Git, trouble).map_err(|error| {
            let hint = "git signs here: see `git config commit.gpgsign` and `user.signingkey`";
            if sign { error.hint(hint) } else { error }
        })?;
        Ok(self.proposal("merged", &commit))
    }

    fn proposal(&self, status: &'static str, commit: &str) -> Proposal {
        Proposal {
            status,
            old: self.ours.to_owned(),
            commit: commit.to_owned(),
            name: self.merge.name.clone(),
        }
    }

    fn message(&self) -> String {
        let name = &self.merge.name;
        let mut message = match (&self.merge.message, self.merge.strategy, self.into) {
            (Some(message), ..) => message.clone(),
            (None, Strategy::Squash, _) => format!("Squash branch '{name}'"),
            (None, _, "main" | "master") => format!("Merge branch '{name}'"),
            (None, _, into) => format!("Merge branch '{name}' into {into}"),
        };
        if !message.ends_with('\n') {
            message.push('\n');
        }
        message
    }
}

pub(super) fn trouble(name: &str, into: &str) -> String {
    format!("cannot merge `{name}` into `{into}`")
}
