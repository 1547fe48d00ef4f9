//! Merges as steps: written down with the planned commit before they land, so that one which was cut off
//! is known to have landed if the target has that commit.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Host, Known, Place};
use crate::error::Result;
use crate::git::{Lane, Proposal, Repo};
use crate::journal::AgentFilter;

/// What an earlier life of the run has made of a merge.
#[derive(Clone, Debug)]
pub enum Before {
    /// It has landed: its result, as scripts read it.
    Landed(Value),
    /// Not all of it.
    Open(Merging),
}

/// A merge that is made, as far as it is written down.
#[derive(Clone, Debug)]
pub struct Merging {
    /// Where it is taken.
    pub place: Place,
    /// The commits that are merged, in the order in which they were named.
    pub from: Vec<String>,
    /// The result of before, where only some of the branches landed then.
    pub before: Option<Value>,
}

/// What is written down of a landing.
#[derive(Clone, Debug)]
pub(in crate::host) struct Landing<'l> {
    /// The target.
    pub into: &'l str,
    /// Its move.
    pub proposal: &'l Proposal,
    /// What the merge comes to, as scripts read it.
    pub result: Value,
    /// Whether all of it lands; else the merge fails with what does.
    pub whole: bool,
}

impl Host {
    /// Looks for a merge of `revs` that has landed before and still is in its target.
    ///
    /// # Errors
    /// Git, when a revision names no commit; when the journal cannot be read.
    pub async fn merged_before(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        place: Place,
        revs: &[String],
    ) -> Result<Before> {
        let known = self.known_step(&place).await?;
        let from = self.commits_of(repo, revs).await?;
        let mut before = None;
        if let Some(Known { done, value }) = known {
            if !self.is_same(repo, &value, &from).await? {
                if done {
                    let (name, into) = (revs.join("`, `"), text(&value, "into"));
                    self.announce_again(format!(
                        "`{name}` is merged into `{into}` again: it has other commits than before"
                    ));
                }
            } else if self.has_landed(repo, done, &value).await? {
                let result = value["result"].clone();
                if value["whole"] == true {
                    for rev in revs {
                        self.fleet.note_merge(rev);
                    }
                    return Ok(Before::Landed(result));
                }
                // A failure is not kept: those that are left may land now.
                before = Some(result);
            }
        }
        let from = from.into_iter().collect::<Result<_>>()?;
        Ok(Before::Open(Merging { place, from, before }))
    }

    /// Returns the commit of each revision, or why it names none.
    pub(in crate::host) async fn commits_of(
        &self,
        repo: &Arc<Repo>,
        revs: &[String],
    ) -> Result<Vec<Result<String>>> {
        let mut commits = Vec::with_capacity(revs.len());
        for rev in revs {
            let (repo, rev) = (Arc::clone(repo), rev.clone());
            commits.push(self.beside(async move { repo.resolve(&rev).await }).await?);
        }
        Ok(commits)
    }

    /// Tells whether branches have the commits that were merged: those of before, or what the run put on top
    /// after that, in an earlier life. One that is gone now was merged before it went.
    ///
    /// What this life has come to already stands before the merge in the script: whatever it put on top
    /// belongs to what is merged.
    pub(in crate::host) async fn is_same(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        before: &Value,
        now: &[Result<String>],
    ) -> Result<bool> {
        let landed = text(before, "commit");
        let before: Vec<&str> =
            before["from"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if before.len() != now.len() {
            return Ok(false);
        }
        for (before, now) in before.into_iter().zip(now) {
            let Ok(now) = now else { continue };
            if now == before || now == landed {
                continue;
            }
            if !self.contains(repo, now, before).await?
                || !self.commits_ahead(repo).await?.contains(now)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the commits that agents and steps of earlier lives ended at which this one has not come to.
    async fn commits_ahead(self: &Arc<Self>, repo: &Arc<Repo>) -> Result<HashSet<String>> {
        let store = self.store(Some(repo)).await?;
        let ahead = self.ahead(&store, Some(repo)).await?;
        let run = self.fleet.run_id().to_owned();
        let filter = AgentFilter { run: Some(run), ..AgentFilter::default() };
        let agents = self.beside(async move { store.agents(filter).await }).await??;
        let agents = agents.into_iter().filter(|agent| ahead.contains(&agent.id));
        let mut commits: HashSet<String> = agents.filter_map(|agent| agent.head_commit).collect();
        for kind in ["merge", "commit"] {
            let steps = self.steps_ahead(kind).await?;
            commits.extend(steps.iter().map(|value| text(value, "commit").to_owned()));
        }
        Ok(commits)
    }

    /// Tells whether a merge that was written down is in its target.
    async fn has_landed(&self, repo: &Arc<Repo>, done: bool, value: &Value) -> Result<bool> {
        let (into, commit) = (text(value, "into").to_owned(), text(value, "commit"));
        if !done {
            // Whatever was cut off there is finished or taken back on entering.
            let (repo, into) = (Arc::clone(repo), into.clone());
            let entered = self.beside(async move { Lane::enter(&repo, Some(&into)).await }).await?;
            for told in entered?.recovered() {
                self.events.warn(told.clone());
            }
        }
        let landed = self.is_on(repo, &into, commit).await?;
        if done && landed == Some(false) {
            self.announce_again(format!(
                "`{into}` does not have the merge {commit:.10} of this run any more: it is made again"
            ));
        }
        // What is done is done, though its target has gone since.
        Ok(landed.unwrap_or(done))
    }

    /// Tells whether a branch has a commit of this run, or the one by which the run has amended it;
    /// nothing when there is no such branch.
    pub(in crate::host) async fn is_on(
        &self,
        repo: &Arc<Repo>,
        branch: &str,
        commit: &str,
    ) -> Result<Option<bool>> {
        let (own, full) = (Arc::clone(repo), format!("refs/heads/{branch}"));
        let Ok(tip) = self.beside(async move { own.resolve(&full).await }).await? else {
            return Ok(None);
        };
        let commits = self.known_steps("commit").await?;
        let mut commit = commit.to_owned();
        loop {
            if self.contains(repo, &tip, &commit).await? {
                return Ok(Some(true));
            }
            let amended = |value: &&Value| value["amend"] == true && text(value, "old") == commit;
            match commits.iter().find(amended) {
                Some(value) if text(value, "commit") != commit => {
                    text(value, "commit").clone_into(&mut commit);
                }
                _ => return Ok(Some(false)),
            }
        }
    }

    async fn contains(&self, repo: &Arc<Repo>, tip: &str, commit: &str) -> Result<bool> {
        let (repo, tip, commit) = (Arc::clone(repo), tip.to_owned(), commit.to_owned());
        self.beside(async move { repo.contains(&tip, &commit).await }).await?
    }

    /// Writes down that a merge is about to land.
    pub(in crate::host) async fn begin_merge(
        &self,
        merging: &Merging,
        landing: &Landing<'_>,
    ) -> Result<()> {
        self.begin_step(&merging.place, &landing.record(merging)).await
    }

    /// Writes down that it has landed. That it was about to is enough to see it later.
    pub(in crate::host) async fn keep_merge(&self, merging: &Merging, landing: &Landing<'_>) {
        if merging.before.is_some() && landing.proposal.is_up_to_date() {
            return; // What landed before is written down already.
        }
        self.keep_happened(&merging.place, &landing.record(merging)).await;
    }
}

impl Landing<'_> {
    fn record(&self, merging: &Merging) -> Value {
        json!({
            "from": merging.from,
            "into": self.into,
            "old": self.proposal.old,
            "commit": self.proposal.commit,
            "result": self.result,
            "whole": self.whole,
        })
    }
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}
