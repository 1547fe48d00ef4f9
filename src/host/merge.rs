//! Merges with somebody asked between: made in memory, looked at in a temporary worktree, landed.
//!
//! The turn in the target's queue is held over all of it, so what was verified is what lands. When
//! somebody who does not queue moves the target meanwhile, all of it is done again.

mod gate;
mod train;

pub use gate::{Answer, Gate, Resolved, Resolver, Verifier, Verify};
pub use train::{Train, Trained};

use std::sync::Arc;

use serde_json::json;

use super::Host;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::git::{Conflict, Lane, Merge, Merged, Proposal, Proposed, Repo, TRIES, Trial};

impl Host {
    /// Merges a branch into another.
    ///
    /// # Errors
    /// As [`crate::git::merge`]; verify, with the detail `merge` (`status` is `verify_failed`,
    /// `output` has its last lines); cancelled. The target is then as it was.
    pub async fn merge(&self, repo: &Arc<Repo>, merge: Merge, gate: &Gate<'_>) -> Result<Merged> {
        let lane = self.enter(repo, merge.into.clone(), gate).await?;
        for _ in 0..TRIES {
            let proposal = self.proposed(&lane, &merge, self.tip(&lane).await?, gate).await?;
            self.require_room(&lane, &proposal).await?;
            if !proposal.is_up_to_date()
                && let Some(failure) = self.verified(&lane, &proposal, gate).await?
            {
                return Err(failure.error(&merge.name, lane.branch()));
            }
            if self.land(&lane, &proposal, gate).await? {
                let merged = proposal.merged(&lane);
                self.note_landed(&merge.name, &merged);
                return Ok(merged);
            }
        }
        Err(lane.restless())
    }

    /// Waits for the turn to merge into a branch.
    async fn enter(
        &self,
        repo: &Arc<Repo>,
        into: Option<String>,
        gate: &Gate<'_>,
    ) -> Result<Arc<Lane>> {
        let repo = Arc::clone(repo);
        let entering = self.beside(async move { Lane::enter(&repo, into.as_deref()).await });
        let lane = tokio::select! {
            lane = entering => lane??,
            () = gate.cancel.cancelled() => return Err(gate::called_off()),
        };
        for told in lane.recovered() {
            self.events.warn(told.clone());
        }
        Ok(Arc::new(lane))
    }

    async fn tip(&self, lane: &Arc<Lane>) -> Result<String> {
        let lane = Arc::clone(lane);
        self.beside(async move { lane.tip().await }).await?
    }

    /// Makes the commit of a merge on top of `ours`, with the conflicts resolved by whoever is there
    /// to do it.
    async fn proposed(
        &self,
        lane: &Arc<Lane>,
        merge: &Merge,
        ours: String,
        gate: &Gate<'_>,
    ) -> Result<Proposal> {
        gate.require_going()?;
        let (own, wanted) = (Arc::clone(lane), merge.clone());
        match self.beside(async move { own.propose(&wanted, &ours).await }).await?? {
            Proposed::Ready(proposal) => Ok(proposal),
            Proposed::Conflicted(conflict) => match gate.on_conflict {
                None => Err(conflict.error()),
                Some(resolver) => self.resolved(lane, merge, *conflict, resolver).await,
            },
        }
    }

    async fn resolved(
        &self,
        lane: &Arc<Lane>,
        merge: &Merge,
        conflict: Conflict,
        resolver: &dyn Resolver,
    ) -> Result<Proposal> {
        let root = self.worktree_root()?;
        let (repo, shown) = (Arc::clone(lane.repo()), conflict.clone());
        let trial =
            self.beside(async move { Trial::of_conflict(&repo, &shown, &root).await }).await??;
        let trial = Arc::new(trial);
        let answer = resolver.resolve(&conflict, trial.worktree().clone()).await;
        let tree = match answer {
            Ok(Resolved::Not(why)) => Err(unresolved(&conflict, why)),
            Ok(answer) => {
                let (trial, conflict) = (Arc::clone(&trial), conflict.clone());
                let all_changed = answer == Resolved::Unsaid;
                self.beside(async move { trial.resolution(&conflict, all_changed).await })
                    .await
                    .and_then(|tree| tree)
            }
            Err(error) => Err(error),
        };
        self.close_trial(trial).await;
        let (tree, lane, merge) = (tree?, Arc::clone(lane), merge.clone());
        self.beside(async move { lane.propose_resolved(&merge, &conflict, &tree).await }).await?
    }

    /// Refuses what could not land, before anybody spends time on it.
    async fn require_room(&self, lane: &Arc<Lane>, proposal: &Proposal) -> Result<()> {
        let (lane, proposal) = (Arc::clone(lane), proposal.clone());
        self.beside(async move { lane.require_room(&proposal).await }).await?
    }

    async fn land(&self, lane: &Arc<Lane>, proposal: &Proposal, gate: &Gate<'_>) -> Result<bool> {
        gate.require_going()?;
        let (lane, proposal) = (Arc::clone(lane), proposal.clone());
        self.beside(async move { lane.land(&proposal).await }).await?
    }

    fn note_landed(&self, name: &str, merged: &Merged) {
        self.fleet.note_merge(name);
        self.events.emit(Event::Merged {
            branch: name.to_owned(),
            into: merged.into.clone(),
            status: merged.status.to_owned(),
            commit: merged.commit.clone(),
        });
    }

    /// Removes a temporary worktree that nobody else holds any more.
    async fn close_trial(&self, trial: Arc<Trial>) {
        let Some(trial) = Arc::into_inner(trial) else { return };
        if let Err(error) = self.beside(trial.close()).await.and_then(|closed| closed) {
            self.events.warn(error.to_string());
        }
    }
}

/// Returns the error of a merge whose conflicts were not resolved, with the reason.
fn unresolved(conflict: &Conflict, why: Option<String>) -> Error {
    let error = conflict.error();
    let why = why.unwrap_or_else(|| "`on_conflict` did not resolve it".to_owned());
    let merge = error.detail("merge").cloned().unwrap_or_else(|| json!({}));
    Error::new(Kind::Git, format!("{}: {why}", error.message)).with("merge", merge)
}
