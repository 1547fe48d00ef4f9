//! Conflicts on their way to a merge: what needs nobody first, then a function of the script or agents,
//! then a look at what came of it.

use std::sync::Arc;

use serde_json::json;

use super::account::{Account, How};
use super::explain::Explained;
use super::gate::{Gate, OnConflict, Resolved, Resolver, called_off};
use super::prompt::{self, Names};
use super::team::{Job, Team};
use super::{Host, Owner};
use crate::agent::Outcome;
use crate::agent::past::Past;
use crate::error::{Error, Kind, Result};
use crate::git::{self, Conflict, Examined, Footing, Merge, Proposal, Repo, Trial};

/// How often an agent is asked about one thing: once more when what it made does not pass.
pub(in crate::host) const ROUNDS: u32 = 2;

/// A merge that was made, and what there is to tell of it.
#[derive(Clone, Debug)]
pub(in crate::host) struct Made {
    /// The commit.
    pub proposal: Proposal,
    /// How conflicts were resolved.
    pub account: Account,
}

impl Host {
    /// Makes the commit of a merge whose conflicts somebody is there to resolve.
    pub(super) async fn resolved(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        merge: &Merge,
        conflict: Conflict,
        gate: &Gate<'_>,
        owner: Option<&Owner>,
    ) -> Result<Made> {
        let Some(who) = gate.on_conflict else { return Err(conflict.error()) };
        let own = Arc::clone(repo);
        let simplified = self.beside(async move { conflict.simplified(&own).await }).await?;
        let (conflict, added) = simplified?;
        let mut account = Account::default();
        account.note(added, How::Additions, None);
        let tree = if let Some(tree) = conflict.settled() {
            tree.to_owned()
        } else {
            match who {
                OnConflict::Call(resolver) => {
                    self.by_function(repo, &conflict, resolver, gate, &mut account).await?
                }
                OnConflict::Ask(team) => {
                    self.by_agents(repo, &conflict, team, owner, gate, &mut account).await?
                }
            }
        };
        gate.require_going()?;
        let (repo, merge) = (Arc::clone(repo), merge.clone());
        let proposal = self
            .beside(async move { git::propose_resolved(&repo, &merge, &conflict, &tree).await })
            .await??;
        Ok(Made { proposal, account })
    }

    /// Lets a function of the script resolve a conflict.
    async fn by_function(
        &self,
        repo: &Arc<Repo>,
        conflict: &Conflict,
        resolver: &dyn Resolver,
        gate: &Gate<'_>,
        account: &mut Account,
    ) -> Result<String> {
        let trial = self.trial_of(repo, conflict, Footing::Commit).await?;
        let answer = resolver.resolve(conflict, trial.worktree().clone()).await;
        let examined = match answer {
            Ok(Resolved::Not(why)) => Err(unresolved(conflict, why)),
            Ok(answer) => {
                let (trial, conflict) = (Arc::clone(&trial), conflict.clone());
                let all_changed = answer == Resolved::Unsaid;
                let look = async move { trial.resolution(&conflict, all_changed).await };
                let examined = self.beside(look).await.and_then(|examined| examined);
                examined.map(|examined| (examined, answer))
            }
            Err(error) => Err(error),
        };
        self.close_trial(trial).await;
        let (Examined { tree, dropped, .. }, answer) = examined?;
        if let Resolved::Done(Some(reason)) = answer {
            account.reasons =
                dropped.paths.iter().map(|path| (path.clone(), reason.clone())).collect();
        }
        account.note(conflict.paths(), How::Function, None);
        account.dropped = dropped;
        if gate.keeps_all && prompt::dropped(account).is_some() {
            let why = prompt::objection(&[], account);
            return Err(refused(conflict, why, account, None));
        }
        Ok(tree)
    }

    /// Lets agents resolve a conflict: first the one whose work is merged, then another.
    async fn by_agents(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        conflict: &Conflict,
        team: &Team,
        owner: Option<&Owner>,
        gate: &Gate<'_>,
        account: &mut Account,
    ) -> Result<String> {
        let mut gave_up = Vec::new();
        let mut failed = None;
        let first =
            owner.filter(|owner| owner.resumable).map(|owner| Past::Resumed(owner.id.clone()));
        for past in first.into_iter().chain([Past::New]) {
            let trial = self.trial_of(repo, conflict, Footing::Branch).await?;
            let attempt = Attempt { host: self, conflict, team, owner, gate, trial: &trial };
            let answer = attempt.run(past, &mut gave_up).await;
            self.close_trial(trial).await;
            match answer {
                Ok((tree, own)) => {
                    // Who could not do it is no failure of a merge that somebody did.
                    for id in &gave_up {
                        self.fleet.excuse(id);
                    }
                    account.resolved.extend(own.resolved);
                    (account.dropped, account.reasons) = (own.dropped, own.reasons);
                    return Ok(tree);
                }
                Err(error) if matches!(error.kind, Kind::Cancelled | Kind::Internal) => {
                    return Err(error);
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| unresolved(conflict, None)))
    }

    async fn trial_of(
        &self,
        repo: &Arc<Repo>,
        conflict: &Conflict,
        footing: Footing,
    ) -> Result<Arc<Trial>> {
        let root = self.worktree_root()?;
        let (repo, shown) = (Arc::clone(repo), conflict.clone());
        let make = async move { Trial::of_conflict(&repo, &shown, &root, footing).await };
        self.beside(make).await?.map(Arc::new)
    }

    /// Notes that an agent's worktree was a merge's, and is gone with it.
    pub(in crate::host) async fn let_go(&self, trial: &Arc<Trial>, outcome: &Outcome) {
        self.fleet.note_removed(&outcome.id);
        let (trial, id) = (Arc::clone(trial), outcome.id.clone());
        // What cannot be removed here, `gc` removes.
        let _ = self.beside(async move { trial.forget(&id) }).await;
    }
}

/// One agent's try at a conflict.
struct Attempt<'a> {
    host: &'a Arc<Host>,
    conflict: &'a Conflict,
    team: &'a Team,
    owner: Option<&'a Owner>,
    gate: &'a Gate<'a>,
    trial: &'a Arc<Trial>,
}

impl Attempt<'_> {
    /// Asks until what is there passes; returns the files and what to tell of them. Agents that have
    /// failed are added to `gave_up`.
    async fn run(&self, mut past: Past, gave_up: &mut Vec<String>) -> Result<(String, Account)> {
        let Self { host, conflict, team, gate, trial, .. } = self;
        let asked = self.prompt(&past).await?;
        let explained = Explained::default();
        let (mut prompt, mut round) = (asked.clone(), 0);
        loop {
            gate.require_going()?;
            let job = Job {
                prompt,
                label: format!("resolve {}", conflict.branch),
                trial,
                past,
                explained: &explained,
            };
            let outcome = team.ask(host, job, &gate.cancel).await?;
            host.let_go(trial, &outcome).await;
            if gate.cancel.is_cancelled() {
                return Err(called_off());
            }
            if !outcome.ok() {
                gave_up.push(outcome.id.clone());
                return Err(failure(conflict, &outcome));
            }
            let (looked, shown) = (Arc::clone(trial), (*conflict).clone());
            let examined = host.beside(async move { looked.examined(&shown).await }).await??;
            let mut account = Account {
                dropped: examined.dropped,
                reasons: explained.reasons(),
                ..Account::default()
            };
            account.note(conflict.paths(), How::Agent, Some(&outcome.id));
            let Some(why) = prompt::complaint(&examined.marked, &account) else {
                return Ok((examined.tree, account));
            };
            round += 1;
            if round == ROUNDS {
                let why = prompt::objection(&examined.marked, &account);
                return Err(refused(conflict, why, &account, Some(&outcome)));
            }
            past = Past::Resumed(outcome.id.clone());
            prompt = format!(
                "You have resolved the conflict below, but not all is well.\n\n{why}\n\n{asked}"
            );
        }
    }

    async fn prompt(&self, past: &Past) -> Result<String> {
        let (conflict, repo) = (self.conflict.clone(), Arc::clone(self.trial.worktree().repo()));
        let brief = self.host.beside(async move { conflict.brief(&repo).await }).await??;
        let names = Names {
            into: &self.conflict.into,
            branch: &self.conflict.branch,
            label: self.owner.map(|owner| &*owner.label),
            owner: *past != Past::New,
        };
        Ok(prompt::conflict(&names, &brief, self.team.instructions.as_deref()))
    }
}

/// Returns the error of a merge whose conflicts were not resolved, with the reason.
fn unresolved(conflict: &Conflict, why: Option<String>) -> Error {
    let error = conflict.error();
    let why = why.unwrap_or_else(|| "`on_conflict` did not resolve it".to_owned());
    let merge = error.detail("merge").cloned().unwrap_or_else(|| json!({}));
    Error::new(Kind::Git, format!("{}: {why}", error.message)).with("merge", merge)
}

/// Returns the error of a merge whose conflicts an agent did not resolve.
fn failure(conflict: &Conflict, outcome: &Outcome) -> Error {
    let error = outcome.to_error();
    let why = format!("{} did not resolve it: {}", outcome.id, error.message);
    let failure = unresolved(conflict, Some(why)).with("outcome", outcome.to_json());
    match error.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Returns the error of a merge that was resolved, and not well.
fn refused(conflict: &Conflict, why: String, account: &Account, by: Option<&Outcome>) -> Error {
    let error = unresolved(conflict, Some(why));
    let mut merge = error.detail("merge").cloned().unwrap_or_else(|| json!({}));
    account.tell(&mut merge);
    let error = error.with("merge", merge);
    match by {
        Some(outcome) => error.with("outcome", outcome.to_json()),
        None => error,
    }
}
