//! Merges with somebody asked between: made in memory, looked at in a temporary worktree, landed.
//!
//! The turn in the target's queue is held over all of it, so what was verified is what lands. When
//! somebody who does not queue moves the target meanwhile, all of it is done again.

mod account;
mod explain;
mod gate;
mod prompt;
mod resolving;
mod team;
mod train;

pub use account::{Account, How, Resolution};
pub use gate::{Answer, Gate, OnConflict, Resolved, Resolver, Verifier, Verify};
pub use team::{Spent, Team};
pub use train::{Train, Trained};

pub(in crate::host) use explain::Explained;
pub(in crate::host) use gate::Failure;
pub(in crate::host) use prompt::{dropped as dropped_prompt, repair as repair_prompt};
pub(in crate::host) use resolving::{Made, ROUNDS};
pub(in crate::host) use team::Job;

use std::sync::Arc;

use serde_json::{Value, json};

use super::Host;
use super::steps::Landing;
use crate::crash;
use crate::error::Result;
use crate::event::Event;
use crate::git::{self, Lane, Merge, Merged, Proposal, Proposed, Repo, TRIES, Trial};

/// The agent whose work a branch is.
#[derive(Clone, Debug)]
pub(in crate::host) struct Owner {
    /// Its id.
    pub id: String,
    /// The name that people see.
    pub label: String,
    /// Whether its conversation can be gone on with.
    pub resumable: bool,
}

/// A merge that has landed.
#[derive(Clone, Debug)]
pub struct Landed {
    /// Where the target is now.
    pub merged: Merged,
    /// How conflicts were resolved.
    pub account: Account,
}

impl Landed {
    /// Returns it as scripts read it.
    pub fn to_json(&self) -> Value {
        let mut fields = fields_of(&self.merged);
        self.account.tell(&mut fields);
        fields
    }
}

/// Returns what became of a target as scripts read it.
fn fields_of(merged: &Merged) -> Value {
    json!({ "status": merged.status, "commit": merged.commit, "into": merged.into })
}

impl Host {
    /// Merges a branch into another.
    ///
    /// # Errors
    /// As [`crate::git::merge`]; verify, with the detail `merge` (`status` is `verify_failed`,
    /// `output` has its last lines); cancelled. The target is then as it was.
    pub async fn merge(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        merge: Merge,
        gate: &Gate<'_>,
    ) -> Result<Landed> {
        let lane = self.enter(repo, merge.into.clone(), gate).await?;
        for _ in 0..TRIES {
            let tip = self.tip(&lane).await?;
            let Made { proposal, account } =
                self.proposed(repo, lane.branch(), &merge, tip, gate, None).await?;
            self.require_room(&lane, &proposal).await?;
            if !proposal.is_up_to_date()
                && gate.verified.as_ref() != Some(&proposal.commit)
                && let Some(failure) = self.verified(repo, &proposal, gate).await?
            {
                return Err(failure.error(&merge.name, lane.branch()));
            }
            let landed = Landed { merged: proposal.merged(&lane), account };
            let (into, result) = (lane.branch(), landed.to_json());
            let landing = Landing { into, proposal: &proposal, result, whole: true };
            if self.land(&lane, &landing, gate).await? {
                self.note_landed(&merge.name, &landed.merged);
                return Ok(landed);
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

    /// Makes the commit of a merge on top of `ours`, which is or is to become the branch `into`, with the
    /// conflicts resolved by whoever is there to do it.
    pub(in crate::host) async fn proposed(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        into: &str,
        merge: &Merge,
        ours: String,
        gate: &Gate<'_>,
        owner: Option<&Owner>,
    ) -> Result<Made> {
        gate.require_going()?;
        let (own, into, wanted) = (Arc::clone(repo), into.to_owned(), merge.clone());
        let propose = async move { git::propose(&own, &into, &wanted, &ours).await };
        match self.beside(propose).await?? {
            Proposed::Ready(proposal) => Ok(Made { proposal, account: Account::default() }),
            Proposed::Conflicted(conflict) => {
                self.resolved(repo, merge, *conflict, gate, owner).await
            }
        }
    }

    /// Refuses what could not land, before anybody spends time on it.
    async fn require_room(&self, lane: &Arc<Lane>, proposal: &Proposal) -> Result<()> {
        let (lane, proposal) = (Arc::clone(lane), proposal.clone());
        self.beside(async move { lane.require_room(&proposal).await }).await?
    }

    /// Moves the target, written down before and after; `false` if it has moved meanwhile.
    async fn land(&self, lane: &Arc<Lane>, landing: &Landing<'_>, gate: &Gate<'_>) -> Result<bool> {
        gate.require_going()?;
        if let (Some(merging), false) = (&gate.merging, landing.proposal.is_up_to_date()) {
            self.begin_merge(merging, landing).await?;
            crash::point("step.merge_begun");
        }
        let (lane, proposal) = (Arc::clone(lane), landing.proposal.clone());
        let landed = self.beside(async move { lane.land(&proposal).await }).await??;
        if let (Some(merging), true) = (&gate.merging, landed) {
            crash::point("step.merge_landed");
            self.keep_merge(merging, landing).await;
            crash::point("step.merge_kept");
        }
        Ok(landed)
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
    pub(in crate::host) async fn close_trial(&self, trial: Arc<Trial>) {
        let Some(trial) = Arc::into_inner(trial) else { return };
        if let Err(error) = self.beside(trial.close()).await.and_then(|closed| closed) {
            self.events.warn(error.to_string());
        }
    }
}
