//! A merge train: many branches merged one on another in memory, verified at the tip, landed by one
//! compare-and-swap.
//!
//! A tip that fails is bisected to the first branch with which it fails; that one is taken out, and
//! those after it are merged again without it, as are those that had conflicted while it was there.

use std::sync::Arc;

use serde_json::{Value, json};

use super::gate::{Failure, Gate};
use super::{Account, Host, Made, fields_of};
use crate::error::{Error, Kind, Result};
use crate::git::{self, Lane, Merge, Merged, Proposal, Repo, TRIES};
use crate::host::steps::Landing;

/// Branches to merge into one target.
#[derive(Clone, Debug)]
pub struct Train {
    /// The merges, in the order in which they were named; all into the same branch.
    pub merges: Vec<Merge>,
    /// The branch that gets them; the one that is checked out if absent.
    pub into: Option<String>,
    /// Whether nothing lands unless all of it does.
    pub all: bool,
}

/// A train that arrived, every branch of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// What became of the target.
    pub merged: Merged,
    /// What became of each branch, as scripts read it, in the order in which they were named.
    pub merges: Vec<Value>,
}

impl Trained {
    /// Returns it as scripts read it.
    pub fn to_json(&self) -> Value {
        let mut fields = fields_of(&self.merged);
        fields["merges"] = json!(self.merges);
        fields
    }
}

/// A merge that is coupled to those before it.
struct Car {
    which: usize,
    proposal: Proposal,
    account: Account,
}

/// A train that is being put together.
struct Assembly<'t> {
    base: String,
    lane: &'t Arc<Lane>,
    train: &'t Train,
    gate: &'t Gate<'t>,
    cars: Vec<Car>,
    /// Why a branch is not coupled, by its place; absent where it is, or has nothing new.
    failed: Vec<Option<Error>>,
}

impl Host {
    /// Merges many branches into one, in the order with the fewest conflicts.
    ///
    /// # Errors
    /// Git or verify when any branch did not land; the others have, unless `all` is set. The detail
    /// `merge` says what became of the target (`status`, `commit`, `into`) and of each branch
    /// (`merges`). As [`Host::merge`] for what concerns all of them; nothing has landed then.
    pub async fn merge_train(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        train: &Train,
        gate: &Gate<'_>,
    ) -> Result<Trained> {
        let lane = self.enter(repo, train.into.clone(), gate).await?;
        let revs: Vec<String> = train.merges.iter().map(|merge| merge.branch.clone()).collect();
        let probed = Arc::clone(repo);
        let order = self.beside(async move { git::order(&probed, &revs).await }).await??;
        for _ in 0..TRIES {
            let base = self.tip(&lane).await?;
            let failed = train.merges.iter().map(|_| None).collect();
            let mut assembly =
                Assembly { base, lane: &lane, train, gate, cars: Vec::new(), failed };
            self.assemble(&mut assembly, order.clone()).await?;
            let held_back = train.all && assembly.failed.iter().any(Option::is_some);
            let tip = assembly.tip(assembly.cars.len());
            let trained = assembly.trained(&tip, held_back);
            let landing = Landing {
                into: lane.branch(),
                proposal: &tip,
                result: trained.to_json(),
                whole: assembly.failed.iter().all(Option::is_none),
            };
            if held_back || self.land(&lane, &landing, gate).await? {
                return self.arrived(&assembly, trained, held_back);
            }
        }
        Err(lane.restless())
    }

    /// Couples what can be merged and verifies it, until what is coupled is good.
    async fn assemble(
        self: &Arc<Self>,
        assembly: &mut Assembly<'_>,
        order: Vec<usize>,
    ) -> Result<()> {
        let (mut good, mut base_is_good, mut next) = (0, false, order.clone());
        loop {
            for which in std::mem::take(&mut next) {
                self.couple(assembly, which).await?;
            }
            let count = assembly.cars.len();
            let tip = assembly.tip(count);
            self.require_room(assembly.lane, &tip).await?;
            if count == good {
                return Ok(());
            }
            let Some(mut failure) =
                self.verified(assembly.lane.repo(), &tip, assembly.gate).await?
            else {
                return Ok(());
            };
            let mut bad = count;
            while bad - good > 1 {
                let middle = good + (bad - good) / 2;
                let tip = assembly.tip(middle);
                match self.verified(assembly.lane.repo(), &tip, assembly.gate).await? {
                    None => good = middle,
                    Some(earlier) => (bad, failure) = (middle, earlier),
                }
            }
            if good == 0 && !base_is_good {
                self.require_good_base(assembly).await?;
                base_is_good = true;
            }
            next = assembly.uncouple(good, &failure, &order);
        }
    }

    /// Merges one branch on top of those that are coupled.
    async fn couple(self: &Arc<Self>, assembly: &mut Assembly<'_>, which: usize) -> Result<()> {
        let ours = assembly.tip(assembly.cars.len()).commit;
        let Assembly { lane, train, gate, .. } = &*assembly;
        let merge = &train.merges[which];
        match self.proposed(lane.repo(), lane.branch(), merge, ours, gate, None).await {
            Ok(Made { proposal, account }) => {
                assembly.failed[which] = None;
                if !proposal.is_up_to_date() {
                    assembly.cars.push(Car { which, proposal, account });
                }
                Ok(())
            }
            // A matter of this branch, and not of the target or of us.
            Err(error) if error.detail("merge").is_some() => {
                assembly.failed[which] = Some(error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn require_good_base(&self, assembly: &Assembly<'_>) -> Result<()> {
        match self.verified(assembly.lane.repo(), &assembly.tip(0), assembly.gate).await? {
            None => Ok(()),
            Some(failure) => Err(failure.error_of_base(assembly.lane.branch())),
        }
    }

    fn arrived(
        &self,
        assembly: &Assembly<'_>,
        trained: Trained,
        held_back: bool,
    ) -> Result<Trained> {
        let lane = assembly.lane;
        if !held_back {
            for car in &assembly.cars {
                let name = &assembly.train.merges[car.which].name;
                self.note_landed(name, &car.proposal.merged(lane));
            }
        }
        match assembly.error(&trained.merged, &trained.merges) {
            Some(error) => Err(error),
            None => Ok(trained),
        }
    }
}

impl Assembly<'_> {
    /// Returns what becomes of the target and of each branch.
    fn trained(&self, tip: &Proposal, held_back: bool) -> Trained {
        let mut merged = tip.merged(self.lane);
        if held_back {
            (merged.status, merged.commit) = ("up_to_date", self.base.clone());
        }
        let mut fates = self.report(held_back);
        let before = self.gate.merging.as_ref().and_then(|merging| merging.before.as_ref());
        if let Some(before) = before {
            // An earlier life of the run has landed some of them: that is how they came there.
            let were = before["merges"].as_array().into_iter().flatten();
            for (fate, before) in fates.iter_mut().zip(were) {
                if fate["status"] == "up_to_date" {
                    fate.clone_from(before);
                }
            }
            if let ("up_to_date", Some(commit)) = (merged.status, before["commit"].as_str()) {
                (merged.status, merged.commit) = ("merged", commit.to_owned());
            }
        }
        Trained { merged, merges: fates }
    }

    /// Returns the first `count` cars as one move of the target.
    fn tip(&self, count: usize) -> Proposal {
        let names: Vec<&str> = self.cars[..count].iter().map(|car| &*car.proposal.name).collect();
        let last = self.cars[..count].last().map(|car| &car.proposal);
        Proposal {
            status: if count == 0 { "up_to_date" } else { "merged" },
            old: self.base.clone(),
            commit: last.map_or_else(|| self.base.clone(), |last| last.commit.clone()),
            name: names.join("`, `"),
        }
    }

    /// Takes out the first car after the `good` ones; returns which branches are to be merged again.
    fn uncouple(&mut self, good: usize, failure: &Failure, order: &[usize]) -> Vec<usize> {
        let again: Vec<usize> = self.cars.drain(good..).map(|car| car.which).collect();
        let Some((&bad, rest)) = again.split_first() else { return Vec::new() };
        let conflicted = |which: &usize| {
            let error = self.failed[*which].as_ref();
            error.is_some_and(|error| {
                error.detail("merge").is_some_and(|m| m["status"] == "conflicted")
            })
        };
        let next = order
            .iter()
            .copied()
            .filter(|which| rest.contains(which) || conflicted(which))
            .collect();
        let name = &self.train.merges[bad].name;
        self.failed[bad] = Some(failure.error(name, self.lane.branch()));
        next
    }

    /// Says what became of each branch.
    fn report(&self, held_back: bool) -> Vec<Value> {
        let merges = self.train.merges.iter().enumerate().map(|(which, merge)| {
            if let Some(error) = &self.failed[which] {
                let mut fate = error.detail("merge").cloned().unwrap_or_else(|| json!({}));
                fate["branch"] = json!(merge.name);
                fate["message"] = json!(error.message);
                if let Some(outcome) = error.detail("outcome") {
                    fate["outcome"] = outcome.clone();
                }
                return fate;
            }
            let car = self.cars.iter().find(|car| car.which == which);
            match car {
                Some(_) if held_back => json!({ "branch": merge.name, "status": "held_back" }),
                Some(Car { proposal: Proposal { status, commit, .. }, account, .. }) => {
                    let mut fate =
                        json!({ "branch": merge.name, "status": status, "commit": commit });
                    account.tell(&mut fate);
                    fate
                }
                None => json!({ "branch": merge.name, "status": "up_to_date" }),
            }
        });
        merges.collect()
    }

    /// Returns the error of a train of which a branch did not arrive.
    fn error(&self, merged: &Merged, fates: &[Value]) -> Option<Error> {
        let failed: Vec<&Error> = self.failed.iter().flatten().collect();
        let first = failed.first()?;
        let only_verify = failed.iter().all(|error| error.kind == Kind::Verify);
        let kind = if only_verify { Kind::Verify } else { Kind::Git };
        let status = match merged.status {
            "up_to_date" => first.detail("merge").map_or(json!("refused"), |m| m["status"].clone()),
            _ => json!("partial"),
        };
        let (count, of, into) = (failed.len(), self.train.merges.len(), &merged.into);
        let why: Vec<&str> = failed.iter().map(|error| &*error.message).collect();
        let why = why.join("; ");
        let message = if merged.status == "up_to_date" && self.train.all && count < of {
            format!("nothing landed on `{into}`, for {count} of {of} branches cannot: {why}")
        } else {
            format!("{count} of {of} branches did not land on `{into}`: {why}")
        };
        let merge = json!({
            "status": status, "commit": merged.commit, "into": into, "merges": fates,
        });
        Some(Error::new(kind, message).with("merge", merge))
    }
}
