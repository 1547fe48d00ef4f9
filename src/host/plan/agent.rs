//! An agent that is planned: checked as if it began, and answered for.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::again::Ground;
use super::{Cost, MOST_AGENTS, Plan};
use crate::agent::fleet::{Live, Order};
use crate::agent::ground::require_room;
use crate::agent::query::{Commit, Dirty, Query, Site, Start};
use crate::agent::verify::{Check, Verification, Verify};
use crate::agent::{Outcome, Subtype, ground, id};
use crate::error::{Error, Kind, Result};
use crate::event::Usage;
use crate::git::Worktree;
use crate::git::worktree::{New, There};
use crate::host::Host;
use crate::journal::{AgentFilter, AgentRow, Status};
use crate::schema::sample::Shape;
use crate::tool::registry::Registry;

/// How long nobody else may be asked for before answers are given: siblings are planned before the first
/// of a race has won.
const QUIET: Duration = Duration::from_millis(2);
/// How often a script may ask at one place before answers begin to change.
const PATIENT: u64 = 10;

/// An agent that would start.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the plan")]
pub struct Planned {
    /// The place of the call in the script.
    pub call_path: String,
    /// The name that people see.
    pub label: String,
    /// Its branch, with a worktree. One that is named after the agent has another name in a real run.
    pub branch: Option<String>,
    /// Whether that name is the script's.
    pub branch_named: bool,
    /// The commit that it starts from.
    pub base_commit: Option<String>,
    /// The revision of that which was asked for.
    pub base: Option<String>,
    /// The model.
    pub model: String,
    /// Who is asked when that cannot answer.
    pub fallbacks: Vec<String>,
    /// The built-in tools that are offered, and those of the script.
    pub tools: Vec<String>,
    /// The servers that offer more.
    pub mcp_servers: Vec<String>,
    /// Whether it may only look.
    pub read_only: bool,
    /// What it may write, if not everything.
    pub scope: Option<Vec<String>>,
    /// The command that prepares its worktree.
    pub setup: Option<String>,
    /// How its work is verified: the command, or `a function`.
    pub verify: Option<String>,
    /// Whether its answer has to fit a schema.
    pub schema: bool,
    /// What an earlier life of the run had of it, in a plan of a run that is resumed.
    pub before: Option<String>,
    /// Whether nothing is asked: the outcome that an earlier life had is given back.
    pub from_journal: bool,
    /// The agent that it goes on with.
    pub resumes: Option<String>,
    /// Model round trips.
    pub max_turns: u32,
    /// Seconds that it may take.
    pub timeout: Option<f64>,
    /// Its own budget, in USD.
    pub max_budget_usd: Option<f64>,
    /// Of its models, those whose price or whose context is not known.
    pub cost_unknown: Vec<String>,
    /// What one turn may cost, and of what.
    #[serde(flatten)]
    pub cost: Option<Cost>,
    /// The most that it may cost, in USD; absent when that is unknown.
    pub worst_case_usd: Option<f64>,
    /// What keeps it from starting.
    pub error: Option<String>,
}

/// Returns the agents with those of one outermost call together, as these calls were made, and within each
/// as their paths say: which of several is asked first is chance.
pub(super) fn sorted(agents: &[Planned]) -> Vec<Planned> {
    let outermost = |agent: &Planned| {
        let path = agent.call_path.trim_start_matches('/');
        path.split(['/', '[']).next().unwrap_or_default().to_owned()
    };
    let mut places = BTreeMap::new();
    for (place, agent) in agents.iter().enumerate() {
        places.entry(outermost(agent)).or_insert(place);
    }
    let mut sorted = agents.to_vec();
    sorted.sort_by(|a, b| {
        let by_place = places.get(&outermost(a)).cmp(&places.get(&outermost(b)));
        by_place.then_with(|| order(&a.call_path, &b.call_path))
    });
    sorted
}

/// Compares two call paths as the calls stand in the script: numbers by value.
fn order(a: &str, b: &str) -> Ordering {
    let parts = |path: &str| -> Vec<(String, u64)> {
        let mut parts = Vec::new();
        for part in path.split(['/', '[', ']', '#']).filter(|part| !part.is_empty()) {
            parts.push((
                part.trim_matches(|c: char| c.is_ascii_digit()).to_owned(),
                part.parse().unwrap_or(0),
            ));
        }
        parts
    };
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

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
            Err(error) => return Ok(failed(&order, id, error)),
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

    /// Makes up what an agent changed: one file that there is, so that what a script does with changes is
    /// planned too. The commit is one that every repository handle takes for the base.
    async fn work(
        &self,
        plan: &Plan,
        order: &Order,
        id: &str,
        ground: Option<&Ground>,
    ) -> Result<Work> {
        let (Some(ground), Site::Worktree(site)) = (ground, &order.query.site) else {
            return Ok(Work::default());
        };
        let base = ground.tip.clone();
        if order.query.read_only {
            return Ok(Work { head: Some(base), files: Vec::new() });
        }
        let scope = site.scope.clone();
        let written = scope.as_ref().map(|scope| scope.written().to_vec());
        if written.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Work { head: Some(base), files: Vec::new() });
        }
        let key = (base.clone(), written.clone());
        let known = plan.state().paths.get(&key).cloned();
        let path = if let Some(path) = known {
            path
        } else {
            let (repo, commit) = (Arc::clone(&ground.repo), base.clone());
            let looked = async move { repo.first_path(&commit, scope.as_deref()).await };
            let found = self.beside(looked).await??;
            let path = found.or_else(|| written?.into_iter().next());
            let path = path.unwrap_or_else(|| "planned".to_owned());
            plan.state().paths.insert(key, path.clone());
            path
        };
        let files = vec![path];
        if site.commit == Commit::No {
            return Ok(Work { head: Some(base), files });
        }
        let head = made_up(id, base.len());
        ground.repo.pretend(&head, &base);
        plan.state().changed.insert(ground.branch.clone());
        Ok(Work { head: Some(head), files })
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

    /// Answers for an agent: it was done.
    fn answer(
        &self,
        order: &Order,
        id: String,
        ground: Option<&Ground>,
        work: Work,
    ) -> Result<Outcome> {
        let query = &order.query;
        let structured_output = match &query.schema {
            None => None,
            Some(schema) => Some(schema.sample(shape(&query.call_path)).ok_or_else(|| {
                let why =
                    format!("no data that fits the schema of `{}` could be made up", query.label);
                Error::new(Kind::Model, why).hint(
                    "the dry run needs some: simplify the schema, or try it with --model FILE.lua",
                )
            })?),
        };
        Ok(Outcome {
            result: structured_output
                .as_ref()
                .map_or_else(|| format!("(planned) {}", query.label), ToString::to_string),
            session_id: order
                .ancestor
                .as_ref()
                .and_then(|ancestor| ancestor.session.clone())
                .unwrap_or_else(|| format!("{}/{id}", self.fleet.run_id())),
            label: query.label.clone(),
            branch: ground.map(|ground| ground.branch.clone()),
            worktree_path: ground.map(|ground| ground.path.clone()),
            base_commit: ground.map(|ground| ground.base.clone()),
            head_commit: work.head,
            files_changed: work.files,
            stop_reason: Some("end_turn".to_owned()),
            structured_output,
            verify: query.verify.as_ref().map(|verify| Verification {
                ok: Some(true),
                attempts: 1,
                baseline: matches!(verify.by, Check::Command(_)).then_some("passed"),
                output: None,
            }),
            ..blank(id, Subtype::Success)
        })
    }
}

/// What an agent is taken to have changed.
#[derive(Default)]
struct Work {
    head: Option<String>,
    files: Vec<String>,
}

/// Returns a commit id that no commit has, of so many digits.
fn made_up(id: &str, digits: usize) -> String {
    let hash = Sha256::digest(id.as_bytes());
    hash.iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
        .chars()
        .take(digits)
        .collect()
}

/// Returns the shape of an answer: it changes where a script asks in a loop, so that loops end.
fn shape(call_path: &str) -> Shape {
    let number = call_path.rsplit('#').next().and_then(|number| number.parse::<u64>().ok());
    match number {
        Some(number) if number > PATIENT && number % 2 == 1 => Shape::Bare,
        _ => Shape::Full,
    }
}

fn failed(order: &Order, id: String, error: Error) -> Outcome {
    Outcome {
        error: Some(error),
        label: order.query.label.clone(),
        ..blank(id, Subtype::ErrorWorktree)
    }
}

fn blank(id: String, subtype: Subtype) -> Outcome {
    Outcome {
        subtype,
        error: None,
        result: String::new(),
        id,
        session_id: String::new(),
        label: String::new(),
        branch: None,
        worktree_path: None,
        base_commit: None,
        head_commit: None,
        files_changed: Vec::new(),
        num_turns: 0,
        duration_ms: 0,
        duration_api_ms: 0,
        usage: Usage::default(),
        total_cost_usd: Some(0.0),
        stop_reason: None,
        permission_denials: Vec::new(),
        structured_output: None,
        verify: None,
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

impl Planned {
    /// Reports whether a model would be asked.
    pub fn is_asked(&self) -> bool {
        self.error.is_none() && !self.from_journal
    }

    fn of(query: &Query) -> Self {
        let plan = match &query.site {
            Site::Worktree(plan) => Some(plan),
            Site::Directory(_) => None,
        };
        let (named, base) = match plan.map(|plan| &plan.start) {
            Some(Start::Fresh { branch, base, dirty, .. }) => {
                let copied =
                    (*dirty == Dirty::Copy).then(|| "HEAD and uncommitted changes".to_owned());
                (branch.is_some(), copied.or_else(|| base.clone()))
            }
            Some(Start::There { .. }) => (true, None),
            Some(Start::Past { branch, .. }) => (branch.is_some(), None),
            None => (false, None),
        };
        let cost = Cost::of(query);
        Self {
            call_path: query.call_path.clone(),
            label: query.label.clone(),
            branch_named: named,
            base,
            model: query.model.name().to_owned(),
            fallbacks: query.fallbacks.iter().map(|f| f.model.name().to_owned()).collect(),
            tools: tools(query),
            mcp_servers: query.servers.iter().map(|server| server.name.clone()).collect(),
            read_only: query.read_only
                || plan.is_some_and(|p| p.commit == Commit::No && query.read_only),
            scope: plan.and_then(|plan| plan.scope.as_ref()).map(|scope| scope.written().to_vec()),
            setup: query.setup().map(str::to_owned),
            verify: query.verify.as_ref().map(verified),
            schema: query.schema.is_some(),
            resumes: query.past.name().map(str::to_owned),
            max_turns: query.limits.max_turns,
            timeout: query.limits.timeout.map(|limit| limit.as_secs_f64()),
            max_budget_usd: query.purse.total(),
            worst_case_usd: Cost::worst_case(query, cost),
            cost,
            cost_unknown: Cost::unknown(query),
            ..Self::default()
        }
    }
}

fn verified(verify: &Verify) -> String {
    match &verify.by {
        Check::Command(command) => format!("`{command}`"),
        Check::Function(_) => "a function".to_owned(),
    }
}

/// Returns the tools that an agent is offered.
fn tools(query: &Query) -> Vec<String> {
    let offered = Registry::builtin_names().filter(|name| query.rules.offers(name));
    let own = query.tools.iter().map(|tool| tool.name().to_owned());
    offered.chain(own.filter(|name| query.rules.offers_custom(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_sorted_as_they_were_asked() {
        let planned = |path: &&str| Planned { call_path: (*path).to_owned(), ..Planned::default() };
        let asked = ["/race#1[b]/query#1", "/race#1[a]/query#1", "/query#1"];
        let asked: Vec<Planned> = asked.iter().map(planned).collect();
        let paths: Vec<String> = sorted(&asked).into_iter().map(|one| one.call_path).collect();
        assert_eq!(paths, ["/race#1[a]/query#1", "/race#1[b]/query#1", "/query#1"]);
    }

    #[test]
    fn numbers_in_paths_are_compared_as_such() {
        let mut paths = [
            "/query#10",
            "/all#2[b]/query#1",
            "/query#2",
            "/all#2[10]/query#1",
            "/all#2[9]/query#1",
        ];
        paths.sort_by(|a, b| order(a, b));
        assert_eq!(
            paths,
            [
                "/all#2[9]/query#1",
                "/all#2[10]/query#1",
                "/all#2[b]/query#1",
                "/query#2",
                "/query#10"
            ]
        );
    }

    #[test]
    fn answers_change_where_a_script_goes_in_circles() {
        let bare = |path: &str| shape(path) == Shape::Bare;
        assert!(!bare("/query#1") && !bare("/query#9") && !bare("/all#1[40]/query#1"));
        assert!(bare("/query#11") && !bare("/query#12") && bare("/query#13"));
    }
}
