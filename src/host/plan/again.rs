//! A run that is resumed, planned: what its journal has is given back or gone on with as in a real run, and
//! nothing of it is changed.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Plan, Planned};
use crate::agent::Outcome;
use crate::agent::fleet::{Again, Order};
use crate::agent::query::Site;
use crate::error::{Error, Result};
use crate::git::{Repo, Worktree};
use crate::host::Host;
use crate::host::recall::{Found, Held, Looking};
use crate::journal::AgentRow;

/// How long an agent that had been called off waits for that to come again.
const SOON: Duration = Duration::from_millis(20);

/// Where a planned agent works.
pub(super) struct Ground {
    pub(super) repo: Arc<Repo>,
    pub(super) branch: String,
    /// The commit that it started from.
    pub(super) base: String,
    /// The commit that it goes on from.
    pub(super) tip: String,
    pub(super) path: PathBuf,
}

impl Ground {
    pub(super) fn of(worktree: &Worktree) -> Self {
        Self {
            repo: Arc::clone(worktree.repo()),
            branch: worktree.branch().to_owned(),
            base: worktree.base_commit().to_owned(),
            tip: worktree.base_commit().to_owned(),
            path: worktree.path().to_owned(),
        }
    }

    /// Returns that of an agent that was cut off, once it had one.
    pub(super) async fn again(order: &Order) -> Option<Self> {
        let (Some(Again { row }), Some(repo), Site::Worktree(_)) =
            (&order.again, &order.repo, &order.query.site)
        else {
            return None;
        };
        let (branch, base) = (row.branch.clone()?, row.base_commit.clone()?);
        let tip = repo.resolve(&format!("refs/heads/{branch}")).await;
        Some(Self {
            repo: Arc::clone(repo),
            tip: tip.unwrap_or_else(|_| base.clone()),
            path: row.worktree_path.clone().unwrap_or_else(|| order.worktree_root.join(&row.id)),
            branch,
            base,
        })
    }
}

impl Host {
    /// Finds what the journal has of a call that is planned: its outcome, or the order with what it goes on
    /// with. The plan has a word about it.
    pub(super) async fn foresee(
        self: &Arc<Self>,
        plan: &Plan,
        place: usize,
        order: Order,
        looking: Option<Looking>,
    ) -> Result<ControlFlow<Outcome, Order>> {
        let this = Arc::clone(self);
        let looked = async move {
            let mut order = order;
            let found = this.find(&mut order).await?;
            Ok::<_, Error>((order, found))
        };
        let (order, found) = self.beside(looked).await??;
        match found {
            Found::Ended(outcome, row) => {
                plan.change(place, |agent| agent.is_given_back(&outcome));
                let _ = order.live.id.set(outcome.id.clone());
                if let Some(branch) = &outcome.branch {
                    let _ = order.live.branch.set(branch.clone());
                }
                self.in_turn(&row, looking).await;
                return Ok(ControlFlow::Break(*outcome));
            }
            Found::Held(held) => {
                let Held { outcome, .. } = *held;
                plan.change(place, |agent| agent.is_given_back(&outcome));
                // What called it off is about to happen again, and takes no time here.
                let _ = tokio::time::timeout(SOON, order.cancel.cancelled()).await;
                return Ok(ControlFlow::Break(*outcome));
            }
            Found::Again => {
                if let Some(Again { row }) = &order.again {
                    plan.change(place, |agent| agent.goes_on(row));
                }
            }
            Found::Instead(why) => {
                let word = format!("asked again: {why}");
                plan.change(place, |agent| agent.before = Some(word));
            }
            Found::Nothing => {}
        }
        Ok(ControlFlow::Continue(order))
    }
}

impl Planned {
    fn is_given_back(&mut self, outcome: &Outcome) {
        let failed = if outcome.ok() { "" } else { ", where it had failed" };
        self.before = Some(format!("from the journal{failed}"));
        self.from_journal = true;
        self.branch.clone_from(&outcome.branch);
        self.base_commit.clone_from(&outcome.base_commit);
        self.worst_case_usd = Some(0.0);
    }

    /// Only the turns and the money that are left count.
    fn goes_on(&mut self, row: &AgentRow) {
        self.before = Some(format!("goes on at turn {}", row.turns.saturating_add(1)));
        let turns = self.max_turns.saturating_sub(row.turns);
        let turns = self.cost.map(|cost| cost.turn_usd * f64::from(turns));
        let spent = row.cost_usd.unwrap_or_default();
        let budget = self.max_budget_usd.map(|budget| (budget - spent).max(0.0));
        self.worst_case_usd = match (turns, budget) {
            (Some(turns), Some(budget)) => Some(turns.min(budget)),
            (turns, budget) => turns.or(budget),
        };
    }
}
