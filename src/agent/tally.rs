//! What is written down about agents that ended: for the summary, the exit code, and for the
//! branches that go at the end of the run because nothing was added to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::outcome::{Outcome, Subtype};
use crate::error::Error;
use crate::event::{Event, Usage};
use crate::git::Repo;

/// The id of one that has none.
const UNSTARTED: &str = "-";

/// What a run is asked about its agents at the end.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Agents that ended, in that order.
    pub ended: Vec<Ended>,
    /// Tokens of all.
    pub usage: Usage,
    /// What is known to be spent, in USD.
    pub cost_usd: f64,
    /// What all cost, when that is known of each that asked anything.
    pub total_cost_usd: Option<f64>,
    /// Models of unknown price that counted tokens.
    pub unpriced: Vec<String>,
    /// Branches that the script has merged, or tried to.
    pub merged: BTreeSet<String>,
}

/// One agent that ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its id.
    pub id: String,
    /// Its label.
    pub label: String,
    /// How it ended.
    pub subtype: Subtype,
    /// Why, unless it succeeded.
    pub message: Option<String>,
    /// The branch that holds its work, if it changed anything.
    pub branch: Option<String>,
    /// The checkout of the repository it worked on.
    pub repo: Option<PathBuf>,
    /// The worktree that was kept.
    pub worktree_path: Option<PathBuf>,
    /// How many paths it changed.
    pub files_changed: usize,
    /// How many calls were denied.
    pub denials: usize,
    /// The outcome as scripts see it.
    pub outcome: Arc<Value>,
    /// Whether its failure is none of the run's: it lost a race.
    pub excused: bool,
    /// Whether somebody outside of the script has stopped it.
    pub stopped: bool,
}

impl Ended {
    /// Sums up an outcome. `removed` tells whether its worktree went, because nothing had changed.
    pub(super) fn new(outcome: &Outcome, repo: Option<&Repo>, removed: bool) -> Self {
        Self {
            id: outcome.id.clone(),
            label: outcome.label.clone(),
            subtype: outcome.subtype,
            message: outcome.error.as_ref().map(ToString::to_string),
            branch: outcome.branch.clone().filter(|_| !removed),
            repo: repo.map(|repo| repo.top().to_owned()),
            worktree_path: outcome.worktree_path.clone(),
            files_changed: outcome.files_changed.len(),
            denials: outcome.permission_denials.len(),
            outcome: Arc::new(outcome.to_json()),
            excused: false,
            stopped: false,
        }
    }

    /// Reports whether it did not do what it was asked, and nobody wanted it so: the script may cancel.
    pub fn has_failed(&self) -> bool {
        match self.subtype {
            _ if self.excused => false,
            Subtype::Success => false,
            Subtype::ErrorCancelled => self.stopped,
            _ => true,
        }
    }

    /// Reports whether it got as far as its work: not where it was refused its place or its worktree.
    pub fn has_begun(&self) -> bool {
        let is_refused = self.id == UNSTARTED || self.subtype == Subtype::ErrorWorktree;
        !is_refused || self.outcome["num_turns"].as_u64() > Some(0)
    }

    /// Returns the event that tells of it.
    pub(super) fn event(&self, outcome: &Outcome, recalled: bool) -> Event {
        Event::AgentFinished {
            agent: self.id.clone(),
            label: self.label.clone(),
            subtype: outcome.subtype.as_str().to_owned(),
            message: self.message.clone(),
            branch: self.branch.clone(),
            worktree_path: self.worktree_path.clone(),
            head_commit: outcome.head_commit.clone(),
            files_changed: self.files_changed,
            num_turns: outcome.num_turns,
            duration_ms: outcome.duration_ms,
            usage: outcome.usage,
            cost_usd: outcome.total_cost_usd,
            denials: self.denials,
            outcome: Arc::clone(&self.outcome),
            recalled,
        }
    }

    /// Sums up an agent that could not even be registered.
    pub(super) fn unstarted(label: &str, error: &Error) -> Self {
        Self {
            id: UNSTARTED.to_owned(),
            label: label.to_owned(),
            subtype: Subtype::ErrorDuringExecution,
            message: Some(error.to_string()),
            branch: None,
            repo: None,
            worktree_path: None,
            files_changed: 0,
            denials: 0,
            outcome: Arc::new(json!({
                "ok": false,
                "subtype": Subtype::ErrorDuringExecution.as_str(),
                "label": label,
                "num_turns": 0,
            })),
            excused: false,
            stopped: false,
        }
    }
}

/// A branch that is deleted at the end of the run if nothing was added to it.
pub(super) struct Unchanged {
    pub(super) repo: Arc<Repo>,
    pub(super) branch: String,
    pub(super) commit: String,
}

impl Unchanged {
    /// Returns the branch of an agent that changed nothing.
    pub(super) fn of(outcome: &Outcome, repo: Option<&Arc<Repo>>) -> Option<Self> {
        Some(Self {
            repo: Arc::clone(repo?),
            branch: outcome.branch.clone()?,
            commit: outcome.base_commit.clone()?,
        })
    }
}

/// The books of a fleet.
#[derive(Default)]
pub(super) struct Books {
    pub(super) tally: Tally,
    /// Tokens of earlier lives of the run, of what this one has not come to.
    pub(super) carried: Usage,
    pub(super) unchanged: Vec<Unchanged>,
    /// Agents that the script has cancelled by their ids.
    pub(super) cancelled: BTreeSet<String>,
    /// Which conversation each agent that ended was in.
    pub(super) sessions: BTreeMap<String, String>,
}

impl Books {
    /// Notes that who failed in a conversation is made good by who went on in it.
    pub(super) fn make_good(&mut self, session: &str) {
        for ended in &mut self.tally.ended {
            ended.excused |= self.sessions.get(&ended.id).is_some_and(|own| own == session);
        }
    }
}
