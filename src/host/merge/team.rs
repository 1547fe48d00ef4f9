//! The agents that work on merges: made after one template, each in a temporary worktree that is lent to
//! it, all out of one purse.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::explain::Explained;
use crate::agent::past::Past;
use crate::agent::query::{Commit, Plan, Site, Start};
use crate::agent::{Outcome, Query};
use crate::error::Result;
use crate::event::Usage;
use crate::git::Trial;
use crate::git::worktree::Furnish;
use crate::host::Host;

/// Who is asked to work on merges.
pub struct Team {
    template: Query,
    label: Option<String>,
    /// What the script adds to what they are told.
    pub(in crate::host) instructions: Option<String>,
    /// The command that prepares a worktree.
    setup: Option<String>,
    spent: Mutex<Spent>,
}

/// What the agents of a team have used up.
#[derive(Clone, Debug, Default)]
pub struct Spent {
    /// How many were asked.
    pub agents: u32,
    /// Model round trips.
    pub turns: u32,
    /// Tokens.
    pub usage: Usage,
    /// Time spent on model requests, in milliseconds.
    pub api_ms: u64,
    /// Money in USD, as far as prices are known.
    pub cost_usd: f64,
    /// Whether a price is not known.
    pub unpriced: bool,
}

/// What one of them is to do.
pub(in crate::host) struct Job<'j> {
    /// What it is told.
    pub prompt: String,
    /// What people see, unless the script named it.
    pub label: String,
    /// Where it works.
    pub trial: &'j Trial,
    /// The conversation that it goes on with.
    pub past: Past,
    /// Where its explanations go.
    pub explained: &'j Explained,
}

impl Team {
    /// Makes a team after a query, whose prompt and place do not count.
    pub fn new(
        template: Query,
        label: Option<String>,
        instructions: Option<String>,
        setup: Option<String>,
    ) -> Self {
        Self { template, label, instructions, setup, spent: Mutex::default() }
    }

    /// Returns what was used up so far.
    pub fn spent(&self) -> Spent {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one of them work.
    ///
    /// # Errors
    /// What keeps an agent from being asked at all.
    pub(in crate::host) async fn ask(
        &self,
        host: &Arc<Host>,
        job: Job<'_>,
        cancel: &CancellationToken,
    ) -> Result<Outcome> {
        let query = self.query(job);
        let outcome = host.ask(query, cancel.child_token(), Arc::default()).await?;
        let mut spent = self.lock();
        spent.turns += outcome.num_turns;
        spent.usage += outcome.usage;
        spent.api_ms += outcome.duration_api_ms;
        match outcome.total_cost_usd {
            Some(cost) => spent.cost_usd += cost,
            None => spent.unpriced |= outcome.num_turns > 0,
        }
        Ok(outcome)
    }

    fn query(&self, job: Job<'_>) -> Query {
        let worktree = job.trial.worktree();
        let mut spent = self.lock();
        spent.agents += 1;
        let plan = Plan {
            repo: worktree.repo().top().to_owned(),
            start: Start::There {
                branch: worktree.branch().to_owned(),
                path: Some(worktree.path().to_owned()),
                lender: Some(worktree.id().to_owned()),
            },
            furnish: Furnish::default(),
            setup: self.setup.clone(),
            scope: None,
            commit: Commit::No,
        };
        let mut query = self.template.clone();
        query.prompt = job.prompt;
        query.label = self.label.clone().unwrap_or(job.label);
        query.site = Site::Worktree(Box::new(plan));
        query.past = job.past;
        // Its limit is one for all of them.
        query.purse = self.template.purse.below(None);
        query.tools.push(Arc::new(job.explained.clone()));
        // The order of the tools is part of the prompt cache's key.
        query.tools.sort_by(|a, b| a.name().cmp(b.name()));
        query.call_path = format!("{}/{}", query.call_path, spent.agents);
        query
    }
}
