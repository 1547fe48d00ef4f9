//! An agent that is planned: checked as if it began, and answered for.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::again::Ground;
use super::{MOST_AGENTS, Plan, Planned};
use crate::agent::fleet::{Live, Order};
use crate::agent::ground::require_room;
use crate::agent::query::{Dirty, Query, Site, Start};
use crate::agent::{Outcome, Subtype, ground, id};
use crate::error::{Error, Result};
use crate::git::Worktree;
use crate::git::worktree::{New, There};
use crate::host::Host;
use crate::journal::{AgentFilter, AgentRow, Status};

/// How long nobody else may be asked for before answers are given: siblings are planned before the first
/// of a race has won.
const QUIET: Duration = Duration::from_millis(2);

impl Host {
    /// Plans an agent in the place of asking it.
    ///
    /// # Errors
    /// What would keep it from being asked.
    pub(in crate::host) async fn plan_agent(
        self: &Arc<Self>,
        plan: &Plan,
        query: Query,
        cancel: CancellationToken,
        live: Arc<Live>,
    ) -> Result<Outcome> {
        let place = plan.begin(&query)?;
        let label = query.label.clone();
        let planned = Box::pin(self.planned(plan, place, query, cancel, Arc::clone(&live))).await;
        live.inbox.close();
        let error = match &planned {
            Ok(outcome) => outcome.error.clone(),
            Err(error) => Some(error.clone()),
        };
        // What an earlier life was told keeps nobody from starting now.
        let is_told = plan.state().agents.get(place).is_some_and(|agent| agent.from_journal);
        if let Some(error) = &error
            && !is_told
        {
            self.fleet.count_unstarted(&label, error);
            plan.change(place, |agent| agent.error = Some(error.to_string()));
        }
        plan.state().under_way -= 1;
        plan.settled().await;
        planned
    }

    async fn planned(
        self: &Arc<Self>,
        plan: &Plan,
        place: usize,
        query: Query,
        cancel: CancellationToken,
        live: Arc<Live>,
    ) -> Result<Outcome> {
        let looking = self.look().await;
        let order = self.order(query, cancel, Arc::clone(&live)).await?;
        let order = match self.foresee(plan, place, order, looking).await? {
            ControlFlow::Continue(order) => order,
            ControlFlow::Break(outcome) => return Ok(outcome),
        };
        let id = match &order.again {
            Some(again) => again.row.id.clone(),
            None => self.free_id(plan, &order).await?,
        };
        let _ = live.id.set(id.clone());
        let ground = match self.ground(plan, &order, &id).await {
            Ok(ground) => ground,
            Err(error) => {
                let label = &order.query.label;
                let outcome = Outcome::without_work(id, label, Subtype::ErrorWorktree);
                return Ok(Outcome { error: Some(error), ..outcome });
            }
        };
        if let Some(Ground { repo, branch, base, tip, path }) = &ground {
            repo.pretend(branch, tip);
            repo.pretend(&id, tip);
            if !path.is_dir() {
                plan.files.make_alike(path, repo.top());
            }
            let _ = live.branch.set(branch.clone());
            plan.change(place, |agent| {
                agent.branch = Some(branch.clone());
                agent.base_commit = Some(base.clone());
            });
        }
        let work = self.work(plan, &order, &id, ground.as_ref()).await?;
        let outcome = self.answer(&order, id, ground.as_ref(), work)?;
        let (row, mut state) = (self.row(&order, &outcome), plan.state());
        state.rows.push(row);
        state.outcomes.push(outcome.clone());
        drop(state);
        Ok(outcome)
    }

    /// Returns an id that neither the registry nor the plan has.
    async fn free_id(&self, plan: &Plan, order: &Order) -> Result<String> {
        for id in id::candidates(self.fleet.run_id(), &order.query.call_path) {
            let filter = AgentFilter { id_prefix: Some(id.clone()), ..AgentFilter::default() };
            let taken = order.store.agents(filter).await?.iter().any(|row| row.id == id);
            if !taken && plan.state().ids.insert(id.clone()) {
                return Ok(id);
            }
        }
        Err(Error::internal("no free agent id"))
    }

    /// Finds out where an agent would work, if in a worktree.
    async fn ground(&self, plan: &Plan, order: &Order, id: &str) -> Result<Option<Ground>> {
        if let Some(ground) = Ground::again(order).await {
            return Ok(Some(ground));
        }
        Ok(self.survey(plan, order, id).await?.as_ref().map(Ground::of))
    }

    /// Finds out what worktree an agent would get.
    async fn survey(&self, plan: &Plan, order: &Order, id: &str) -> Result<Option<Worktree>> {
        let (Site::Worktree(site), Some(repo)) = (&order.query.site, &order.repo) else {
            return Ok(None);
        };
        let (id, run, root) =
            (id.to_owned(), self.fleet.run_id().to_owned(), order.worktree_root.clone());
        let wanted = {
            let mut state = plan.state();
            state.worktrees += 1;
            state.worktrees.min(self.config().concurrency)
        };
        let (site, repo) = (site.clone(), Arc::clone(repo));
        let surveying = async move {
            match site.start {
                Start::Past { .. } => Err(Error::internal("a past that nobody looked up")),
                Start::There { branch, path, lender } => {
                    let there = There { id, run, branch, path, root, lender };
                    Worktree::survey_there(&repo, there).await
                }
                Start::Fresh { branch, taken, base, dirty } => {
                    // Copying them writes objects: HEAD stands for it.
                    let kept = if dirty == Dirty::Copy { Dirty::Ignore } else { dirty };
                    let base_commit = ground::base_commit(&repo, base.as_deref(), kept).await?;
                    require_room(&repo, &base_commit, &site.furnish, &root, wanted).await?;
                    let branch = branch.unwrap_or_else(|| format!("agentlua/{id}"));
                    let furnish = site.furnish;
                    let new = New { id, run, branch, base_commit, root, taken, furnish };
                    Worktree::survey(&repo, new).await
                }
            }
        };
        self.beside(surveying).await?.map(Some)
    }

    /// Returns what the registry would have of an agent.
    fn row(&self, order: &Order, outcome: &Outcome) -> AgentRow {
        AgentRow {
            id: outcome.id.clone(),
            run: self.fleet.run_id().to_owned(),
            call_path: order.query.call_path.clone(),
            label: outcome.label.clone(),
            session: Some(outcome.session_id.clone()),
            status: Status::Completed,
            branch: outcome.branch.clone(),
            worktree_path: outcome.worktree_path.clone(),
            base_commit: outcome.base_commit.clone(),
            head_commit: outcome.head_commit.clone(),
            ..AgentRow::default()
        }
    }
}

impl Plan {
    /// Puts an agent into the plan; returns its place there.
    fn begin(&self, query: &Query) -> Result<usize> {
        let mut state = self.state();
        if state.agents.len() >= MOST_AGENTS {
            drop(state);
            return Err(self.overflow());
        }
        state.agents.push(Planned::of(query));
        state.under_way += 1;
        state.sleeps = 0;
        let place = state.agents.len() - 1;
        drop(state);
        self.changed.notify_waiters();
        Ok(place)
    }

    pub(super) fn change(&self, place: usize, change: impl FnOnce(&mut Planned)) {
        if let Some(agent) = self.state().agents.get_mut(place) {
            change(agent);
        }
    }

    /// Waits until nobody is being planned and nobody else has been asked for a moment.
    pub(super) async fn settled(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let under_way = self.state().under_way > 0;
            let quiet = tokio::time::timeout(QUIET, changed).await.is_err();
            if quiet && !under_way {
                return;
            }
        }
    }
}
