//! Integrations as steps: the whole outcome is kept. One that was cut off after its branch was made goes on
//! with that; of one that failed or whose branches have changed, the branch goes first.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Integrated, Integration, Work};
use crate::crash;
use crate::error::Result;
use crate::git::gc::Claim;
use crate::git::{Merge, Repo, Strategy};
use crate::host::Host;
use crate::host::merge::Gate;
use crate::host::steps::{self, Known, Place};

/// What an earlier life of the run has made of an integration.
pub(super) enum Before {
    /// All of it.
    Done(Integrated),
    /// Its branch.
    Made { branch: String, commit: String, value: Value },
    /// Nothing that counts; the commits that are to be merged now.
    Nothing(Vec<String>),
}

impl Integration {
    /// Returns its place among the script's steps. As for a merge, it does not matter who verified it or
    /// resolved its conflicts.
    pub(super) fn place(&self, repo: &Repo) -> Place {
        let question = json!({
            "repo": repo.top(),
            "branches": self.revs(),
            "branch": self.branch,
            "base": self.base,
            "into": self.into,
            "strategy": format!("{:?}", self.strategy),
        });
        Place::at(self.call_path.clone(), "integrate", &question)
    }

    fn revs(&self) -> Vec<String> {
        self.sources.iter().map(|source| source.rev.clone()).collect()
    }
}

impl Host {
    /// Looks for what an earlier life of the run has made of an integration, and removes what is of no use.
    pub(super) async fn integrated_before(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        place: &Place,
        wanted: &Integration,
    ) -> Result<Before> {
        let from = self.commits_of(repo, &wanted.revs()).await?;
        let Some(Known { done, value }) = self.known_step(place).await? else {
            return Ok(Before::Nothing(from.into_iter().collect::<Result<_>>()?));
        };
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let (branch, commit) = (text("branch"), text("commit"));
        if self.is_same(repo, &value, &from).await? {
            let there = self.is_on(repo, &branch, &commit).await?;
            // A branch that was landed may have gone since.
            if done && there != Some(false) {
                return Ok(Before::Done(integrated(&value)));
            }
            if there == Some(true) && value["failed"] == false {
                return Ok(Before::Made { branch, commit, value });
            }
        }
        let claim = Claim {
            id: format!("integrate-{}", &place.key[..8]),
            run: self.fleet.run_id().to_owned(),
            branch: Some(branch),
            branch_created: true,
            worktree_path: None,
            base_commit: value["base"].as_str().map(str::to_owned),
            head_commit: Some(commit),
        };
        self.clear(repo, claim).await?;
        Ok(Before::Nothing(from.into_iter().collect::<Result<_>>()?))
    }

    /// Moves the target to what was integrated, by one step of its queue, unless that was done before.
    pub(super) async fn land_integrated(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        wanted: &Integration,
        gate: &Gate<'_>,
        branch: &str,
        commit: &str,
    ) -> Result<()> {
        let Some(into) = &wanted.into else { return Ok(()) };
        let path = format!("{}/merge", wanted.call_path);
        let place = Place::at(path, "merge", &json!({ "branch": branch, "into": into }));
        let merging = match self.merged_before(repo, place, &[branch.to_owned()]).await? {
            steps::Before::Landed(_) => return Ok(()),
            steps::Before::Open(merging) => merging,
        };
        let merge = Merge {
            branch: branch.to_owned(),
            name: branch.to_owned(),
            into: Some(into.clone()),
            strategy: Strategy::Merge,
            message: None,
        };
        // Where the target has not moved meanwhile, what lands is what was verified.
        let verified = Some(commit.to_owned());
        let gate = Gate { verified, merging: Some(merging), ..gate.clone() };
        self.merge(repo, merge, &gate).await.map(drop)
    }

    /// Lands what an earlier life of the run has integrated, and keeps the outcome.
    pub(super) async fn end_integration(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        wanted: &Integration,
        gate: &Gate<'_>,
        (branch, commit, value): (&str, &str, &Value),
    ) -> Result<Integrated> {
        for source in &wanted.sources {
            self.fleet.note_merge(&source.rev);
        }
        self.land_integrated(repo, wanted, gate, branch, commit).await?;
        self.keep_happened(&wanted.place(repo), value).await;
        Ok(integrated(value))
    }
}

impl Work<'_> {
    /// Makes the branch, which is written down before: with what was merged so far, if the rest `failed`.
    pub(super) async fn make_branch(&self, failed: bool) -> Result<()> {
        let outcome = self.outcome(None, true).await?;
        self.host.begin_step(&self.place, &self.record(&outcome, failed)).await?;
        crash::point("step.integrate_begun");
        let (repo, name, commit) =
            (Arc::clone(self.repo), self.branch.clone(), self.tip.commit.clone());
        self.host.beside(async move { repo.make_branch(&name, &commit).await }).await??;
        crash::point("step.integrate_made");
        Ok(())
    }

    /// Keeps the outcome.
    pub(super) async fn keep(&self, outcome: &Value) {
        self.host.keep_happened(&self.place, &self.record(outcome, false)).await;
        crash::point("step.integrate_kept");
    }

    fn record(&self, outcome: &Value, failed: bool) -> Value {
        json!({
            "from": self.from,
            "branch": self.branch,
            "base": self.base,
            "commit": self.tip.commit,
            "failed": failed,
            "outcome": outcome,
            "merges": self.merges(),
        })
    }
}

fn integrated(value: &Value) -> Integrated {
    let merges = value["merges"].as_array().cloned().unwrap_or_default();
    Integrated { outcome: value["outcome"].clone(), merges }
}
