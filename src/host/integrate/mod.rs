//! Integration: many branches merged onto a new one, by agents where they conflict, verified, and landed.
//!
//! The merges are made in memory one on another, in the order with the fewest conflicts; the branch is
//! made when that is over. It then holds every merge that was made whole, also when a later one failed:
//! so nothing that an agent was paid for is lost, and nothing is half merged. The branches that are merged
//! and the target are not touched before all of it is good.

mod again;
mod owner;
mod repair;
mod report;

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::Host;
use super::merge::{Gate, Made, Owner, Team};
use super::steps::Place;
use crate::agent::id;
use crate::error::{Error, Kind, Result};
use crate::git::{self, Merge, Proposal, Repo, Strategy};
use again::Before;
use report::Fate;

/// A branch to integrate.
#[derive(Clone, Debug)]
pub struct Source {
    /// The branch, or another revision.
    pub rev: String,
    /// The agent whose work it is, where that is known.
    pub agent: Option<String>,
}

/// Branches to merge onto a new one.
#[derive(Clone, Debug)]
pub struct Integration {
    /// They, in the order in which they were named.
    pub sources: Vec<Source>,
    /// The new branch; one is named if absent.
    pub branch: Option<String>,
    /// Where it starts; at `into`, else at HEAD, if absent.
    pub base: Option<String>,
    /// The branch that gets all of it in the end.
    pub into: Option<String>,
    /// How each is merged: by a merge commit or squashed.
    pub strategy: Strategy,
    /// The message of each merge.
    pub message: Option<String>,
    /// The name that people see.
    pub label: Option<String>,
    /// How often the whole is verified at most.
    pub verify_attempts: u32,
    /// The place of the call in the script.
    pub call_path: String,
}

/// What came of an integration.
#[derive(Clone, Debug)]
pub struct Integrated {
    /// The fields of its outcome.
    pub outcome: Value,
    /// What became of each branch, in the order in which they were named.
    pub merges: Vec<Value>,
}

/// A merge that is part of the result.
struct Step {
    which: usize,
    proposal: Proposal,
}

/// An integration under way.
struct Work<'w> {
    host: &'w Arc<Host>,
    repo: &'w Arc<Repo>,
    wanted: &'w Integration,
    /// Its place among the script's steps.
    place: Place,
    /// The commits that are merged.
    from: Vec<String>,
    gate: &'w Gate<'w>,
    team: Option<&'w Team>,
    branch: String,
    base: String,
    owners: Vec<Option<Owner>>,
    steps: Vec<Step>,
    fates: Vec<Fate>,
    /// Everything so far, as one move of the new branch.
    tip: Proposal,
    began: Instant,
}

impl Host {
    /// Merges branches onto a new one.
    ///
    /// # Errors
    /// Git, when a branch cannot be merged or `into` cannot take the result; verify, when the result never
    /// passes; budget; cancelled. The detail `merge` has what became of each branch, `outcome` what the
    /// new branch holds: the merges that were made before. `into` is as it was.
    pub async fn integrate(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        wanted: &Integration,
        gate: &Gate<'_>,
        team: Option<&Team>,
    ) -> Result<Integrated> {
        let place = wanted.place(repo);
        let from = match self.integrated_before(repo, &place, wanted).await? {
            Before::Done(integrated) => {
                for source in &wanted.sources {
                    self.fleet.note_merge(&source.rev);
                }
                return Ok(integrated);
            }
            Before::Made { branch, commit, value } => {
                let made = (&*branch, &*commit, &value);
                return self.end_integration(repo, wanted, gate, made).await;
            }
            Before::Nothing(from) => from,
        };
        let mut work = self.begin(repo, wanted, gate, team, from).await?;
        let done = work.run().await;
        work.end(done).await
    }

    async fn begin<'w>(
        self: &'w Arc<Self>,
        repo: &'w Arc<Repo>,
        wanted: &'w Integration,
        gate: &'w Gate<'w>,
        team: Option<&'w Team>,
        from: Vec<String>,
    ) -> Result<Work<'w>> {
        let (branch, base) = self.begin_integration(repo, wanted).await?;
        let tip = Proposal {
            status: "up_to_date",
            old: base.clone(),
            commit: base.clone(),
            name: String::new(),
        };
        Ok(Work {
            host: self,
            repo,
            wanted,
            place: wanted.place(repo),
            from,
            gate,
            team,
            branch,
            base,
            owners: self.owners(repo, &wanted.sources).await?,
            steps: Vec::new(),
            fates: wanted.sources.iter().map(|_| Fate::Waiting).collect(),
            tip,
            began: Instant::now(),
        })
    }

    /// Returns the new branch, which can be made, and the commit that it starts at.
    pub(super) async fn begin_integration(
        &self,
        repo: &Arc<Repo>,
        wanted: &Integration,
    ) -> Result<(String, String)> {
        let (own, asked) = (Arc::clone(repo), wanted.clone());
        let run = self.fleet.run_id().to_owned();
        let found = self.beside(async move {
            let branch = match asked.branch {
                Some(branch) => {
                    own.require_new_branch(&branch).await?;
                    branch
                }
                None => free_name(&own, &run, &asked.call_path).await?,
            };
            let into = asked.into.as_ref().map(|into| format!("refs/heads/{into}"));
            let base = asked.base.or(into).unwrap_or_else(|| "HEAD".to_owned());
            Ok::<_, Error>((branch, own.resolve_base(&base).await?))
        });
        found.await?
    }
}

/// Returns a free name for the branch of the integration at `call_path`.
async fn free_name(repo: &Repo, run: &str, call_path: &str) -> Result<String> {
    let branches = repo.branches().await?;
    let mut names = id::candidates(run, call_path)
        .map(|id| format!("agentlua/integrate-{}", id.trim_start_matches("agent-")));
    let free = names.find(|name| !branches.iter().any(|branch| branch.name == *name));
    free.ok_or_else(|| Error::internal("no free name for a branch"))
}

impl Work<'_> {
    async fn run(&mut self) -> Result<()> {
        let (repo, sources) = (Arc::clone(self.repo), &self.wanted.sources);
        let revs: Vec<String> = sources.iter().map(|source| source.rev.clone()).collect();
        let order = self.host.beside(async move { git::order(&repo, &revs).await }).await??;
        for which in order {
            if let Err(error) = self.merge(which).await {
                self.fates[which] = Fate::Failed(error.clone());
                return Err(error);
            }
        }
        self.make_good().await?;
        self.gate.require_going()?;
        self.make_branch(false).await?;
        for step in &self.steps {
            self.host.fleet.note_merge(&self.wanted.sources[step.which].rev);
        }
        let Self { host, repo, wanted, gate, branch, tip, .. } = &*self;
        host.land_integrated(repo, wanted, gate, branch, &tip.commit).await
    }

    /// Merges one branch on top of those before it.
    async fn merge(&mut self, which: usize) -> Result<()> {
        let source = &self.wanted.sources[which];
        let merge = Merge {
            branch: source.rev.clone(),
            name: source.rev.clone(),
            into: None,
            strategy: self.wanted.strategy,
            message: self.wanted.message.clone(),
        };
        let ours = self.tip.commit.clone();
        let owner = self.owners[which].as_ref();
        let into = &self.branch;
        let Made { proposal, account } =
            self.host.proposed(self.repo, into, &merge, ours, self.gate, owner).await?;
        if !proposal.is_up_to_date() {
            self.advance(&proposal);
            self.steps.push(Step { which, proposal: proposal.clone() });
        }
        self.fates[which] = Fate::Merged { proposal, account };
        Ok(())
    }

    /// Puts what a commit on top of the tip is made of among the rest.
    fn advance(&mut self, proposal: &Proposal) {
        let name = match &*self.tip.name {
            "" => proposal.name.clone(),
            before if proposal.name == before => before.to_owned(),
            before => format!("{before}`, `{}", proposal.name),
        };
        let (old, commit) = (self.base.clone(), proposal.commit.clone());
        self.tip = Proposal { status: "merged", old, commit, name };
    }

    /// Reports the end, a bad one too: what was merged before it is on the branch then.
    async fn end(self, done: Result<()>) -> Result<Integrated> {
        let Err(error) = done else {
            let outcome = self.outcome(None, true).await?;
            self.keep(&outcome).await;
            return Ok(Integrated { outcome, merges: self.merges() });
        };
        let mut made = self.is_made().await;
        if !made && !self.steps.is_empty() && error.kind != Kind::Internal {
            match self.make_branch(true).await {
                Ok(()) => made = true,
                Err(trouble) => self.host.events.warn(trouble.to_string()),
            }
        }
        let outcome = self.outcome(Some(&error), made).await?;
        let mut merge = error.detail("merge").cloned().unwrap_or_else(|| json!({}));
        if merge.get("status").is_none() {
            merge["status"] = json!("failed");
        }
        merge["into"] = json!(self.branch);
        merge["commit"] = json!(made.then_some(&self.tip.commit));
        merge["merges"] = Value::Array(self.merges());
        let error = error.with("merge", merge).with("outcome", outcome);
        Err(if made && error.hint.is_none() {
            error.hint(format!("what was integrated so far is on `{}`", self.branch))
        } else {
            error
        })
    }

    /// Tells whether the branch is there, at the tip.
    async fn is_made(&self) -> bool {
        let (repo, name) = (Arc::clone(self.repo), format!("refs/heads/{}", self.branch));
        let tip = self.host.beside(async move { repo.resolve(&name).await }).await;
        tip.is_ok_and(|tip| tip.is_ok_and(|tip| tip == self.tip.commit))
    }
}
