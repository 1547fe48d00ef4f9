//! The fleet: all agents of a run, from the query to the outcome.
//!
//! An agent gets its id and its row in the registry first, then waits for a place, then gets its
//! ground; so queued agents are seen and have no worktree yet. Whatever happens after that, its work
//! is taken in before it is reported as ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::audience::Audience;
use super::baseline::Baselines;
use super::budget::Purse;
use super::chronicle::Chronicle;
use super::conversation::{self, Conversed};
use super::env::{self, Port, Ports};
use super::governor::Governor;
use super::ground::{Ground, Soil};
use super::hook::LAST_WORD;
use super::kept::CalledOff;
pub use super::live::{Live, Wanting};
pub use super::order::{Again, Key, Order};
use super::outcome::{Outcome, Subtype};
use super::place::Places;
use super::query::Query;
use super::reckoning::{Gone, outcome_of, unstarted};
use super::roll::Roll;
use super::steps::Early;
use super::tally::{Books, Ended, Tally, Unchanged};
use super::{discard, id, setup, tidings};
use crate::crash;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Events};
use crate::git::Worktree;
use crate::journal::{AgentChange, AgentRow, Command, NewRun, RunLock, Status, Store};
use crate::process::Processes;

/// The agents of one run.
pub struct Fleet {
    pub(super) run: String,
    pub(super) events: Events,
    /// Keeps what happens, for other processes.
    pub(super) chronicle: Chronicle,
    places: Arc<Places>,
    pub(super) processes: Processes,
    pub(super) environment: BTreeMap<String, String>,
    books: Mutex<Books>,
    roll: Arc<Roll>,
    pub(super) ports: Ports,
    pub(super) baselines: Arc<Baselines>,
    governor: Arc<Governor>,
    purse: Arc<Purse>,
    /// Agents that want a worktree and have not begun to work in it.
    wanting: Arc<AtomicUsize>,
    pub(super) plan: NewRun,
    /// The store of the run itself: of where it was started, whatever its agents work on.
    pub(super) home: OnceLock<Arc<Store>>,
    /// The stores in which the run has begun, with its lock in each, held to its end.
    pub(super) begun: tokio::sync::Mutex<BTreeMap<PathBuf, (Arc<Store>, RunLock)>>,
    /// The steps of the script before that.
    pub(super) early: Early,
    /// Tells whether somebody is stopping the whole run.
    stopping: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl Fleet {
    /// Makes the fleet of a run. `environment` is what commands of agents may see.
    pub fn new(
        plan: NewRun,
        events: Events,
        concurrency: usize,
        processes: Processes,
        environment: BTreeMap<String, String>,
    ) -> Self {
        let places = Places::new(concurrency);
        let chronicle = Chronicle::new(&plan.id, events.clone());
        Self {
            run: plan.id.clone(),
            plan,
            home: OnceLock::new(),
            events: events.with(Arc::new(chronicle.clone())),
            chronicle,
            places,
            processes,
            environment,
            books: Mutex::default(),
            roll: Arc::default(),
            ports: Ports::default(),
            baselines: Arc::default(),
            governor: Arc::default(),
            purse: Purse::of_run(),
            wanting: Arc::default(),
            begun: tokio::sync::Mutex::default(),
            early: Early::default(),
            stopping: OnceLock::new(),
        }
    }

    /// Says how to tell whether somebody is stopping the whole run; the first word counts. Agents that are
    /// called off from then on go on when the run does.
    pub fn stops_when(&self, stopping: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.stopping.set(Box::new(stopping));
    }

    /// Returns who has called an agent off that has ended so, where that was not the script.
    fn called_off(&self, order: &Order, outcome: &Outcome) -> Option<CalledOff> {
        if outcome.subtype != Subtype::ErrorCancelled {
            return None;
        }
        if order.live.stopped.load(Ordering::Relaxed) {
            return Some(CalledOff::Outside);
        }
        self.stopping.get().is_some_and(|stopping| stopping()).then_some(CalledOff::Run)
    }

    /// Returns the id of an agent's conversation.
    fn session_id(&self, order: &Order, agent: &str) -> String {
        order.session().unwrap_or_else(|| format!("{}/{agent}", self.run))
    }

    /// Returns the run's id.
    pub fn run_id(&self) -> &str {
        &self.run
    }

    /// Returns who hears what happens, the journal among them.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Waits until what happened is on its way to the disk.
    pub async fn kept(&self) {
        self.chronicle.written().await;
    }

    /// Returns how the run was started.
    pub fn command(&self) -> &Command {
        &self.plan.command
    }

    /// Changes how many agents work at once.
    pub fn set_concurrency(&self, concurrency: usize) {
        self.places.set_size(concurrency);
    }

    /// Returns what decides when models are asked.
    pub fn governor(&self) -> &Arc<Governor> {
        &self.governor
    }

    /// Returns the money of the run.
    pub fn purse(&self) -> &Arc<Purse> {
        &self.purse
    }

    /// Returns the agents that have not ended.
    pub fn roll(&self) -> &Arc<Roll> {
        &self.roll
    }

    /// Counts an agent among those that will want a worktree, until what is returned is dropped.
    pub fn expect_worktree(&self) -> Wanting {
        Wanting::new(&self.wanting)
    }

    /// Returns how many worktrees may be made before any agent ends.
    fn wanted(&self) -> usize {
        self.wanting.load(Ordering::Relaxed).min(self.places.size())
    }

    /// Returns what there is to say about the agents so far.
    pub fn tally(&self) -> Tally {
        let (cost_usd, unpriced) = (self.purse.spent(), self.purse.unpriced());
        let total_cost_usd = self.purse.cost();
        let books = self.books();
        let mut tally = Tally { cost_usd, total_cost_usd, unpriced, ..books.tally.clone() };
        // Also of what the script has not come to again: the run has had it.
        let carried = self.purse.carried();
        tally.cost_usd += carried;
        tally.total_cost_usd = tally.total_cost_usd.map(|cost| cost + carried);
        tally.usage += books.carried;
        tally
    }

    /// Counts an agent that failed before it had an id.
    pub fn count_unstarted(&self, label: &str, error: &Error) {
        self.books().tally.ended.push(Ended::unstarted(label, error));
    }

    /// Notes that the failure of an agent is none of the run's.
    pub fn excuse(&self, id: &str) {
        for ended in self.books().tally.ended.iter_mut().filter(|ended| ended.id == id) {
            ended.excused = true;
        }
    }

    /// Notes that the script cancels an agent by its id, which is then not stopped by somebody else.
    pub fn note_cancelled(&self, id: &str) {
        self.books().cancelled.insert(id.to_owned());
    }

    /// Notes that branch and worktree of an agent are gone, for those too that worked there before it.
    pub fn note_removed(&self, id: &str) {
        let mut books = self.books();
        let ended = &mut books.tally.ended;
        let Some(gone) = ended.iter().find(|ended| ended.id == id).cloned() else { return };
        let shares = |other: &Ended| {
            gone.branch.is_some() && other.branch == gone.branch && other.repo == gone.repo
        };
        for other in ended.iter_mut().filter(|other| other.id == id || shares(other)) {
            (other.branch, other.worktree_path) = (None, None);
        }
    }

    /// Notes that the script merges a branch.
    pub fn note_merge(&self, branch: &str) {
        self.books().tally.merged.insert(branch.to_owned());
    }

    pub(super) fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the run: branches to which nothing was added are deleted.
    pub async fn close(&self) {
        let unchanged = std::mem::take(&mut self.books().unchanged);
        for Unchanged { repo, branch, commit } in unchanged {
            if let Err(error) = repo.delete_branch_if(&branch, &commit).await {
                self.events
                    .warn(format!("the unchanged branch `{branch}` is still there: {error}"));
            }
        }
    }

    /// Runs an agent to its end. Failures are outcomes too.
    pub async fn run(&self, mut order: Order) -> Outcome {
        // Stopping the agent alone leaves the task that has asked it, which learns of it by the outcome.
        order.cancel = order.cancel.child_token();
        let id = match self.register(&order).await {
            Ok(id) => id,
            Err(error) => {
                order.live.inbox.close();
                self.count_unstarted(&order.query.label, &error);
                return unstarted(&order, String::new(), Subtype::ErrorDuringExecution, error);
            }
        };
        let _ = order.live.id.set(id.clone());
        let _present = self.roll.enter(&order, &id);
        self.send_unheard(&order, &id).await;
        let audience = Audience::of(&order.query, &self.events);
        let reporter = audience.clone().map(|audience| audience as _);
        order.events = self
            .events
            .clone()
            .with(self.chronicle.of_agent(&order.store, &id))
            .within(&self.session_id(&order, &id), reporter);
        order
            .events
            .emit(Event::AgentQueued { agent: id.clone(), label: order.query.label.clone() });
        let place = tokio::select! {
            biased;
            () = order.cancel.cancelled() => None,
            place = self.place(&order.query) => Some(place),
        };
        let (mut outcome, gone) = match place {
            None => {
                let error = Error::new(Kind::Cancelled, "the agent was cancelled before it began");
                (unstarted(&order, id, Subtype::ErrorCancelled, error), None)
            }
            Some(_place) => {
                order.begins();
                self.work(&order, id).await
            }
        };
        order.live.inbox.close();
        if order.live.stopped.load(Ordering::Relaxed) && outcome.subtype == Subtype::ErrorCancelled
        {
            let why = "the agent was stopped by `agentlua stop`";
            outcome.error = Some(Error::new(Kind::Cancelled, why));
        }
        self.record(&order, &outcome, gone).await;
        crash::point("agent.recorded");
        self.last_heard(&order, audience.as_deref(), &outcome).await;
        order.live.has_ground();
        outcome
    }

    /// Tells an agent that goes on what was sent to it in an earlier life, and what it had no turn to hear.
    async fn send_unheard(&self, order: &Order, id: &str) {
        if order.again.is_none() {
            return;
        }
        let told = order.store.unheard(id).await.and_then(|texts| {
            let dir = order.store.dir();
            texts.into_iter().try_for_each(|text| self.roll.send(dir, id, text).map(drop))
        });
        if let Err(error) = told {
            self.events.warn(format!("{id} does not hear all that was sent to it: {error}"));
        }
    }

    /// Waits until those who listen to an agent that has ended have heard all of it: if its time is
    /// limited, no longer than that and a last word take.
    async fn last_heard(&self, order: &Order, audience: Option<&Audience>, outcome: &Outcome) {
        let took = Duration::from_millis(outcome.duration_ms);
        let limit = match outcome.subtype {
            Subtype::ErrorTimeout | Subtype::ErrorCancelled => Some(Duration::ZERO),
            _ => order.query.limits.timeout.map(|limit| limit.saturating_sub(took)),
        };
        let heard = order.events.caught_up();
        let Some(limit) = limit else { return heard.await };
        let limit = limit.max(LAST_WORD);
        if tokio::time::timeout(limit, heard).await.is_err()
            && let Some(audience) = audience
        {
            let label = &order.query.label;
            self.events
                .warn(format!("`on_event` of `{label}` was not done in time, and is given up"));
            audience.end();
        }
    }

    async fn place(&self, query: &Query) -> super::place::Place {
        let Some(lent) = &query.lent else { return self.places.take().await };
        // The agent whose callback asks keeps its place meanwhile, and lends it to one at a time; a free
        // place will do as well. The lent one is always given back, so this cannot wait for itself.
        tokio::select! {
            biased;
            place = lent.take() => place,
            place = self.places.take() => place,
        }
    }

    async fn register(&self, order: &Order) -> Result<String> {
        self.begin(&order.store).await?;
        if let Some(Again { row }) = &order.again {
            order.store.reopen_agent(&row.id).await?;
            let label = Some(order.query.label.clone());
            order.store.update(&row.id, AgentChange { label, ..AgentChange::default() }).await?;
            return Ok(row.id.clone());
        }
        for id in id::candidates(&self.run, &order.query.call_path) {
            let row = AgentRow {
                id: id.clone(),
                run: self.run.clone(),
                call_path: order.query.call_path.clone(),
                label: order.query.label.clone(),
                session: order.session(),
                past: order.ancestor.as_ref().map(|ancestor| ancestor.id.clone()),
                key: Some(order.key.hash.clone()),
                inputs: Some(order.key.inputs.clone()),
                ..AgentRow::default()
            };
            if order.store.reserve(row).await? {
                return Ok(id);
            }
        }
        Err(Error::internal("no free agent id"))
    }

    /// Writes down what changed about an agent. The run goes on without: the work is in git.
    async fn note(&self, store: &Store, id: &str, change: AgentChange) {
        if let Err(error) = store.update(id, change).await {
            self.events.warn(format!("the registry could not be written: {error}"));
        }
    }

    async fn work(&self, order: &Order, id: String) -> (Outcome, Option<Gone>) {
        let began = Instant::now();
        order.live.working.store(true, Ordering::Relaxed);
        let query = &order.query;
        let soil = Soil {
            id: &id,
            run: &self.run,
            label: &query.label,
            repo: order.repo.as_ref(),
            root: &order.worktree_root,
            wanted: self.wanted(),
        };
        let prepared = match &order.again {
            Some(Again { row }) => Ground::found_again(&query.site, soil, row).await,
            None => Ground::prepare(&query.site, soil).await,
        };
        order.live.has_ground();
        let ground = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return (unstarted(order, id, Subtype::ErrorWorktree, error), None),
        };
        let worktree = ground.worktree();
        let mut base_tree = None;
        if let Some(worktree) = worktree {
            let _ = order.live.branch.set(worktree.branch().to_owned());
            base_tree = worktree.repo().tree_of(worktree.base_commit()).await.ok();
        }
        let change = AgentChange {
            status: Some(Status::Running),
            branch: worktree.map(|w| w.branch().to_owned()),
            branch_created: worktree.map(Worktree::branch_created),
            worktree_path: worktree.map(|w| w.path().to_owned()),
            base_commit: worktree.map(|w| w.base_commit().to_owned()),
            base_tree,
            ..AgentChange::default()
        };
        self.note(&order.store, &id, change).await;
        order.events.emit(Event::AgentStarted {
            agent: id.clone(),
            label: query.label.clone(),
            model: query.model.name().to_owned(),
            turns: order.again.as_ref().map_or(0, |again| again.row.turns),
            max_turns: query.limits.max_turns,
            branch: worktree.map(|w| w.branch().to_owned()),
            worktree_path: worktree.map(|w| w.path().to_owned()),
            base_commit: worktree.map(|w| w.base_commit().to_owned()),
        });
        tidings::of_included(&order.events, &id, &ground);
        let port = self.ports.take(&id);
        let conversed = self.converse(order, &id, &ground, port.as_ref()).await;
        crash::point("agent.conversed");
        let mut harvested = ground.harvest(&id, &self.run, &query.label).await;
        if let (Ok(harvest), true) = (&mut harvested, query.read_only) {
            let discarded = discard::discard(&self.events, &ground, &id, &self.run, harvest).await;
            harvested = discarded.and(harvested);
        }
        if let Ok(harvest) = &harvested {
            tidings::of_leftovers(&order.events, &id, harvest);
            if conversed.ending.error.is_some() {
                // Else the agent fails for this, which says it.
                tidings::of_outside(&order.events, &id, &harvest.outside);
            }
        }
        crash::point("agent.harvested");
        outcome_of(order, id, &self.run, &ground, conversed, harvested, began.elapsed())
    }

    /// Prepares the worktree, and holds the conversation in it.
    async fn converse(
        &self,
        order: &Order,
        id: &str,
        ground: &Ground,
        port: Option<&Port>,
    ) -> Conversed {
        let mut env = self.environment.clone();
        env.extend(env::variables(id, &self.run, ground, port));
        if order.query.read_only {
            // Else `git status` writes what it found into the index.
            env.insert("GIT_OPTIONAL_LOCKS".to_owned(), "0".to_owned());
        }
        env.extend(order.query.env.clone());
        if let (Some(worktree), Some(command)) = (ground.worktree(), order.query.setup()) {
            let (env, cancel) = (env.clone(), order.cancel.child_token());
            let prepared = setup::run(&self.processes, worktree, command, env, &cancel);
            if let Err(error) = order.in_time(&cancel, prepared).await {
                let subtype = match error.kind {
                    Kind::Cancelled => Subtype::ErrorCancelled,
                    Kind::Timeout => Subtype::ErrorTimeout,
                    _ => Subtype::ErrorWorktree,
                };
                return Conversed::failed(subtype, error);
            }
        }
        conversation::hold(self, order, id, ground, env).await
    }

    async fn record(&self, order: &Order, outcome: &Outcome, gone: Option<Gone>) {
        let unchanged = gone.is_some();
        let change = AgentChange {
            status: Some(outcome.subtype.status()),
            subtype: Some(outcome.subtype.as_str().to_owned()),
            head_commit: outcome.head_commit.clone(),
            turns: Some(outcome.num_turns),
            usage: Some(outcome.usage),
            cost_usd: outcome.total_cost_usd,
            worktree_removed: unchanged,
            ..AgentChange::default()
        };
        // Before anybody hears of it: an agent that has ended has ended in every life of the run.
        crash::point("agent.ended");
        let kept = outcome.kept(self.called_off(order, outcome));
        if let Err(error) = order.store.finish_agent(&outcome.id, change, kept).await {
            self.events.warn(format!("the registry could not be written: {error}"));
        }
        crash::point("agent.recorded");
        // Long output was kept for the agent alone.
        let _ = std::fs::remove_dir_all(order.store.dir().join("output").join(&outcome.id));
        let mut ended = Ended::new(outcome, order.repo.as_deref(), unchanged);
        ended.stopped = order.live.stopped.load(Ordering::Relaxed)
            && outcome.subtype == Subtype::ErrorCancelled
            && !self.books().cancelled.contains(&outcome.id);
        order.events.emit(ended.event(outcome, false));
        if let Some(gone) = &gone {
            let (agent, path) = (outcome.id.clone(), gone.path.clone());
            let (ignored_files, ignored_bytes) = gone.ignored;
            self.events.emit(Event::WorktreeRemoved { agent, path, ignored_files, ignored_bytes });
        }
        let goes = gone.is_some_and(|gone| gone.branch_too);
        self.enter(order, outcome, ended, goes);
    }

    /// Enters an agent that has ended in the books. `goes` tells whether its branch goes at the end of the
    /// run, if nothing is added to it.
    pub(super) fn enter(&self, order: &Order, outcome: &Outcome, ended: Ended, goes: bool) {
        let mut books = self.books();
        if goes {
            books.unchanged.extend(Unchanged::of(outcome, order.repo.as_ref()));
        }
        if outcome.ok() && order.ancestor.as_ref().is_some_and(|ancestor| ancestor.is_in_place) {
            books.make_good(&outcome.session_id);
        }
        books.sessions.insert(outcome.id.clone(), outcome.session_id.clone());
        books.tally.usage += outcome.usage;
        books.tally.ended.push(ended);
    }
}
