//! Tasks: Lua functions that run side by side and form a tree.
//!
//! A parent waits for its children; cancelling flows down; a failure goes to whoever awaits the
//! task and fails the parent only if nobody has when the parent ends. Everything here lives on the
//! Lua thread, save for [`Stopper`], which deadlines and signals use from another.
//!
//! Cancellation is told once, as an error raised at the task's waiting point. What then still runs
//! are its `<close>` handlers (the prelude keeps `pcall` from swallowing the error); they may wait
//! for [`GRACE`], after which the task's future is dropped. Agents and groups that unwind by
//! themselves hold that off ([`Task::joining`]).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mlua::prelude::*;
use tokio_util::sync::CancellationToken;

use super::error;
use super::slice::Sliced;
use super::stopper::Stopper;
use super::trail::{Item, Trail};
use crate::agent::Role;
use crate::agent::budget::Purse;
use crate::agent::fleet::Live;
use crate::agent::place::Places;
use crate::error::{Error, Kind, Result};
use crate::event::log::Log;

/// How long a cancelled task may take to unwind.
pub const GRACE: Duration = Duration::from_secs(2);

tokio::task_local! {
    static CURRENT: Rc<Task>;
}

/// What a task's function returned or raised.
pub type Ending = Result<LuaMultiValue, LuaValue>;

/// Is told of a child and of what it failed with.
type Lost = Box<dyn Fn(&Rc<Task>, &LuaValue)>;

/// One running Lua function.
pub struct Task {
    id: u64,
    path: String,
    parent: Option<Weak<Task>>,
    /// Adopts what this task spawns: in the REPL tasks belong to the session, not to one line.
    session: Option<Rc<Task>>,
    stopper: Stopper,
    told: Cell<Option<Instant>>,
    told_with: RefCell<LuaValue>,
    joining: Cell<u32>,
    /// The agent whose callback it runs in.
    employer: Option<Employer>,
    /// What the callbacks of its own agents get.
    employed: RefCell<Employer>,
    children: RefCell<BTreeMap<u64, Rc<Task>>>,
    ordinals: RefCell<BTreeMap<&'static str, u32>>,
    done: CancellationToken,
    ending: RefCell<Option<Ending>>,
    awaited: Cell<bool>,
    /// Whether it ended because its agent was stopped from outside, which is nobody's failure.
    stopped: Cell<bool>,
    trail: RefCell<Option<Trail>>,
    on_done: RefCell<Option<Box<dyn FnOnce()>>>,
    /// Hears of children that failed while nobody awaited them.
    on_lost: RefCell<Option<Lost>>,
    agent: RefCell<Option<Arc<Live>>>,
    /// Keeps the events of agents that it and what it starts ask, where it has a handle.
    log: RefCell<Option<Arc<Log>>>,
}

/// What an agent gives to those that its callbacks ask.
#[derive(Clone)]
pub struct Employer {
    /// Its place, to one at a time: it is one agent's.
    pub place: Arc<Places>,
    /// Its money.
    pub purse: Option<Arc<Purse>>,
    /// Where it was asked, and how far it is: paths of its callbacks are beneath its turns.
    at: Option<(String, Arc<Live>)>,
}

impl Employer {
    /// Makes what there is before an agent is asked.
    fn nobody() -> Self {
        Self { place: Places::new(1), purse: None, at: None }
    }
}

thread_local! {
    static NEXT_ID: Cell<u64> = const { Cell::new(1) };
}

impl Task {
    /// Makes a task without a parent: a script, a session.
    pub fn root(token: CancellationToken) -> Rc<Self> {
        Rc::new(Self::fresh(String::new(), None, token))
    }

    /// Makes a task whose parent is `self`.
    pub fn child(self: &Rc<Self>, path: String) -> Rc<Self> {
        let mut child =
            Self::fresh(path, Some(Rc::downgrade(self)), self.stopper.token().child_token());
        child.employer.clone_from(&self.employer);
        Rc::new(child)
    }

    /// Makes the child that runs a callback of an agent: it works in that agent's place.
    pub fn callback_child(self: &Rc<Self>, role: Role) -> Rc<Self> {
        let employer = self.employed.borrow().clone();
        let path = match &employer.at {
            // The same in every life of the run, however many turns are gone on without being asked again.
            Some((call_path, live)) => {
                let (turn, number) = live.next_call(role);
                format!("{call_path}@{turn}/{}#{number}", role.word())
            }
            None => self.next_path(role.word()),
        };
        let mut child =
            Self::fresh(path, Some(Rc::downgrade(self)), self.stopper.token().child_token());
        child.employer = Some(employer);
        Rc::new(child)
    }

    /// Makes the child that runs one line of a session; what it spawns belongs to the session.
    pub fn line(self: &Rc<Self>) -> Rc<Self> {
        let path = self.next_path("line");
        let mut child =
            Self::fresh(path, Some(Rc::downgrade(self)), self.stopper.token().child_token());
        child.session = Some(Rc::clone(self));
        Rc::new(child)
    }

    fn fresh(path: String, parent: Option<Weak<Self>>, token: CancellationToken) -> Self {
        let id = NEXT_ID.get();
        NEXT_ID.set(id + 1);
        Self {
            id,
            path,
            parent,
            session: None,
            stopper: Stopper::new(token),
            told: Cell::new(None),
            told_with: RefCell::new(LuaValue::Nil),
            joining: Cell::new(0),
            employer: None,
            employed: RefCell::new(Employer::nobody()),
            children: RefCell::default(),
            ordinals: RefCell::default(),
            done: CancellationToken::new(),
            ending: RefCell::new(None),
            awaited: Cell::new(false),
            stopped: Cell::new(false),
            trail: RefCell::new(None),
            on_done: RefCell::new(None),
            on_lost: RefCell::new(None),
            agent: RefCell::new(None),
            log: RefCell::new(None),
        }
    }

    /// Returns the task that is being polled.
    ///
    /// # Errors
    /// Outside every task, which only a fault of ours can bring about.
    pub fn current() -> Result<Rc<Self>> {
        CURRENT
            .try_with(Rc::clone)
            .map_err(|_| Error::internal("a primitive was called outside every task"))
    }

    /// Returns its number, unique in this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns its structural path: its parent's, and its place among that one's children. It is
    /// the same in every run of the same script, whatever finishes first.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the path of the next child of a kind: `/all#1`, `/all#2`.
    pub fn next_path(&self, kind: &'static str) -> String {
        let mut ordinals = self.ordinals.borrow_mut();
        let ordinal = ordinals.entry(kind).or_insert(0);
        *ordinal += 1;
        format!("{}/{kind}#{ordinal}", self.path)
    }

    /// Returns what cancels it.
    pub fn stopper(&self) -> &Stopper {
        &self.stopper
    }

    /// Returns the agent whose callback it runs in, if it runs in one.
    pub fn employer(&self) -> Option<&Employer> {
        self.employer.as_ref()
    }

    /// Notes the agent that it asks, for what that agent's callbacks ask: its money, its call path and how
    /// far it is.
    pub fn employ(&self, purse: Arc<Purse>, call_path: &str, live: &Arc<Live>) {
        let mut employed = self.employed.borrow_mut();
        employed.purse = Some(purse);
        employed.at = Some((call_path.to_owned(), Arc::clone(live)));
    }

    /// Notes that the agent has ended: whoever calls back now is another.
    pub fn dismiss(&self) {
        let mut employed = self.employed.borrow_mut();
        (employed.purse, employed.at) = (None, None);
    }

    /// Returns the task that owns what this one spawns: itself, or the session for a line of it.
    pub fn owner(self: &Rc<Self>) -> Rc<Self> {
        self.session.clone().unwrap_or_else(|| Rc::clone(self))
    }

    /// Reports whether it was cancelled, told or not.
    pub fn is_cancelled(&self) -> bool {
        self.stopper.token().is_cancelled()
    }

    /// Reports whether it knows of its cancellation: what runs then is its cleanup.
    pub fn was_told(&self) -> bool {
        self.told.get().is_some()
    }

    /// Reports whether the code that runs now has to be stopped: cancelled and not told yet, or
    /// told so long ago that its cleanup is overdue.
    pub fn must_stop(&self) -> bool {
        self.is_cancelled() && self.told.get().is_none_or(|told| told.elapsed() > GRACE)
    }

    /// Returns why it was cancelled: its own reason, or that of the nearest ancestor with one.
    pub fn reason(&self) -> Error {
        if let Some(reason) = self.stopper.reason() {
            return reason.clone();
        }
        match self.parent.as_ref().and_then(Weak::upgrade) {
            Some(parent) => parent.reason(),
            None => Error::new(Kind::Cancelled, "cancelled"),
        }
    }

    /// Returns the cancellation as a Lua error and notes that the task was told.
    pub fn tell(&self, lua: &Lua) -> LuaResult<LuaValue> {
        self.tell_with(lua, &self.reason())
    }

    /// Raises `error` in place of the plain cancellation: the same end, with more in it.
    pub fn tell_with(&self, lua: &Lua, error: &Error) -> LuaResult<LuaValue> {
        if self.told.get().is_none() {
            self.told.set(Some(Instant::now()));
        }
        let value = error::to_lua(lua, error)?;
        self.told_with.replace(value.clone());
        Ok(value)
    }

    /// Reports whether `value` is the error by which it was told.
    pub fn was_told_with(&self, value: &LuaValue) -> bool {
        self.was_told() && *self.told_with.borrow() == *value
    }

    /// Waits until the task has to stop. Once it was told it may wait for its cleanup.
    pub async fn stopped(&self) {
        self.stopper.token().cancelled().await;
        if let Some(told) = self.told.get() {
            tokio::time::sleep(GRACE.saturating_sub(told.elapsed())).await;
        }
    }

    /// Holds off the dropping of its future while something below unwinds by itself.
    pub fn joining(self: &Rc<Self>) -> Joining {
        self.joining.set(self.joining.get() + 1);
        Joining(Rc::clone(self))
    }

    /// Waits for the end and returns what came out; any number of times.
    pub async fn join(&self) -> Ending {
        self.awaited.set(true);
        self.done.cancelled().await;
        self.ending.borrow().clone().unwrap_or(Err(LuaValue::Nil))
    }

    /// Waits for everything that it started; for a session, which has no function of its own.
    pub async fn join_children(&self) {
        self.wait_for_children(&mut Ok(LuaMultiValue::new())).await;
    }

    /// Reports whether `self` is `other` or contains it.
    pub fn contains(self: &Rc<Self>, other: &Rc<Self>) -> bool {
        other.is_within(self.id)
    }

    /// Reports whether it is the task `id` or descends from it.
    pub fn is_within(self: &Rc<Self>, id: u64) -> bool {
        self.lineage().any(|task| task.id == id)
    }

    /// Reports whether it, or one that it descends from, asks the agent `id`.
    pub fn works_for(self: &Rc<Self>, id: &str) -> bool {
        let is_asked = |live: &Live| live.id.get().is_some_and(|own| own == id);
        self.lineage().any(|task| task.agent().is_some_and(|live| is_asked(&live)))
    }

    /// Returns the task, its parent, and so on up to the root.
    fn lineage(self: &Rc<Self>) -> impl Iterator<Item = Rc<Self>> {
        std::iter::successors(Some(Rc::clone(self)), |task| {
            task.parent.as_ref().and_then(Weak::upgrade)
        })
    }

    /// Returns the word for its state, for scripts.
    pub fn status(&self) -> &'static str {
        match &*self.ending.borrow() {
            Some(Ok(_)) => "completed",
            Some(Err(_)) if self.was_told() || self.stopped.get() => "cancelled",
            Some(Err(_)) => "failed",
            None if self.waits_for_place() => "queued",
            None => "running",
        }
    }

    fn waits_for_place(&self) -> bool {
        self.agent.borrow().as_ref().is_some_and(|live| !live.working.load(Ordering::Relaxed))
    }

    /// Marks it as looked at: its failure no longer fails the parent.
    pub fn excuse(&self) {
        self.awaited.set(true);
    }

    /// Calls `then` when it has ended.
    pub fn on_done(&self, then: impl FnOnce() + 'static) {
        *self.on_done.borrow_mut() = Some(Box::new(then));
    }

    /// Calls `tell` when a child has failed and nobody awaits it; it does not fail this task then.
    /// For a session, whose end is far away.
    pub fn on_lost(&self, tell: impl Fn(&Rc<Self>, &LuaValue) + 'static) {
        *self.on_lost.borrow_mut() = Some(Box::new(tell));
    }

    /// Notes where an error value was raised, unless that is known.
    pub fn note(&self, value: &LuaValue, traceback: String, text: Option<LuaString>) {
        let mut trail = self.trail.borrow_mut();
        if trail.as_ref().is_none_or(|known| known.value != *value) {
            *trail = Some(Trail { value: value.clone(), traceback, text, items: Vec::new() });
        }
    }

    /// Takes over the trail of a child whose error is raised again here.
    pub fn inherit_trail(&self, child: &Self, value: &LuaValue, item: Option<Item>) {
        if let Some(mut trail) = child.trail_of(value) {
            trail.items.extend(item);
            *self.trail.borrow_mut() = Some(trail);
        }
    }

    /// Returns the trail of `value`, if this task knows it.
    pub fn trail_of(&self, value: &LuaValue) -> Option<Trail> {
        self.trail.borrow().as_ref().filter(|trail| trail.value == *value).cloned()
    }

    /// Notes which agent it runs.
    pub fn set_agent(&self, live: Arc<Live>) {
        *self.agent.borrow_mut() = Some(live);
    }

    /// Returns the agent it runs.
    pub fn agent(&self) -> Option<Arc<Live>> {
        self.agent.borrow().clone()
    }

    /// Keeps the events of its agents from now on, until it ends.
    pub fn keep_events(&self) {
        *self.log.borrow_mut() = Some(Arc::default());
    }

    /// Returns its events, if they are kept.
    pub fn log(&self) -> Option<Arc<Log>> {
        self.log.borrow().clone()
    }

    /// Returns every log that keeps the events of an agent that it asks: its own, its parent's, ….
    pub fn logs(self: &Rc<Self>) -> Vec<Arc<Log>> {
        self.lineage().filter_map(|task| task.log()).collect()
    }

    /// Starts `body` as this task. `main` is the prelude's protected call.
    pub fn start(
        self: &Rc<Self>,
        lua: &Lua,
        main: &LuaFunction,
        body: LuaFunction,
        args: LuaMultiValue,
    ) {
        if let Some(parent) = self.parent.as_ref().and_then(Weak::upgrade) {
            parent.children.borrow_mut().insert(self.id, Rc::clone(self));
        }
        let mut args = args;
        args.push_front(LuaValue::Function(body));
        let call = main.call_async::<LuaMultiValue>(args);
        tokio::task::spawn_local(
            CURRENT.scope(Rc::clone(self), Rc::clone(self).run(lua.clone(), call)),
        );
    }

    async fn run(self: Rc<Self>, lua: Lua, call: impl Future<Output = LuaResult<LuaMultiValue>>) {
        let mut call = Some(Sliced::new(call));
        let returned = tokio::select! {
            biased;
            returned = async { match &mut call { Some(call) => call.await, None => std::future::pending().await } } => Some(returned),
            () = self.overdue() => None,
        };
        // A dropped call closes its coroutine at once; what `<close>` has left runs without waiting.
        drop(call);
        let mut ending = match returned {
            Some(Ok(mut values)) => match values.pop_front() {
                Some(LuaValue::Boolean(true)) => Ok(values),
                _ => Err(values.pop_front().unwrap_or(LuaValue::Nil)),
            },
            Some(Err(fault)) => Err(error::from_fault(&lua, &fault)),
            None => Err(self.tell(&lua).unwrap_or(LuaValue::Nil)),
        };
        if let Err(value) = &ending {
            self.note_stop(&lua, value);
            self.stopper.stop(Error::new(Kind::Cancelled, "the task that started it has failed"));
        }
        self.wait_for_children(&mut ending).await;
        self.finish(ending);
    }

    /// Looks whether it ended because its agent was stopped: that is as if its handle had cancelled it.
    fn note_stop(&self, lua: &Lua, value: &LuaValue) {
        let agent = self.agent.borrow();
        let stopped = agent.as_ref().is_some_and(|live| live.stopped.load(Ordering::Relaxed));
        if stopped && error::from_lua(lua, value, Kind::Internal).kind == Kind::Cancelled {
            self.stopped.set(true);
            self.excuse();
        }
    }

    /// Waits until a cancelled task has had its grace and nothing below it unwinds any more.
    async fn overdue(&self) {
        self.stopper.token().cancelled().await;
        loop {
            tokio::time::sleep(GRACE).await;
            if self.joining.get() == 0 {
                return;
            }
        }
    }

    async fn wait_for_children(&self, ending: &mut Ending) {
        loop {
            let next = self.children.borrow().values().next().cloned();
            let Some(child) = next else { return };
            child.done.cancelled().await;
            self.children.borrow_mut().remove(&child.id);
            if ending.is_ok()
                && !child.awaited.get()
                && let Some(Err(value)) = &*child.ending.borrow()
            {
                self.inherit_trail(&child, value, None);
                *ending = Err(value.clone());
                let why = "another task of the same parent has failed";
                self.stopper.stop(Error::new(Kind::Cancelled, why));
            }
        }
    }

    fn finish(self: &Rc<Self>, ending: Ending) {
        let failed = ending.is_err();
        *self.ending.borrow_mut() = Some(ending);
        if let Some(log) = &*self.log.borrow() {
            log.close();
        }
        if let Some(parent) = self.parent.as_ref().and_then(Weak::upgrade) {
            if let (Some(tell), Some(Err(value)), false, false) = (
                &*parent.on_lost.borrow(),
                &*self.ending.borrow(),
                self.awaited.get(),
                self.was_told(),
            ) {
                tell(self, value);
                self.excuse();
            }
            // A failure that nobody has looked at yet stays with the parent until that one ends.
            if self.awaited.get() || !failed {
                parent.children.borrow_mut().remove(&self.id);
            }
        }
        self.done.cancel();
        if let Some(then) = self.on_done.borrow_mut().take() {
            then();
        }
    }
}

/// Holds off the dropping of a task's future while it lives.
pub struct Joining(Rc<Task>);

impl Drop for Joining {
    fn drop(&mut self) {
        self.0.joining.set(self.0.joining.get() - 1);
    }
}
