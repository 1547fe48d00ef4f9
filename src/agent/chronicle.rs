//! What happens in a run, written into the journal for whoever looks on from another process: the objects
//! of `stream-json`, but for what is said in conversations, which the transcript has.
//!
//! What belongs to an agent goes to its store, the rest to the run's own. Until the run has begun there,
//! which is with its first agent, that is held: a script that asks nobody leaves nothing behind. Nothing
//! is dropped: agents wait between two turns while much is to be written, and Lua where it logs in a loop.
//! A journal that cannot be written is one warning.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;

use crate::event::{Event, Events, Posted, Reporter};
use crate::journal::{self, Store};

/// Agents wait when more bytes than these are to be written.
const HIGH: usize = 1 << 20;
/// Lua waits when it are these.
const FULL: usize = 16 << 20;
/// The most bytes that are held before the run begins; the oldest events make room then.
const HELD: usize = 4 << 20;
/// About what an event takes beside its text.
const OVERHEAD: usize = 100;
/// How long anybody waits for the journal. It gives up by itself before that.
const PATIENCE: Duration = Duration::from_secs(30);

/// The events of a run on their way to the journal; cheap to clone.
#[derive(Clone)]
pub(super) struct Chronicle(Arc<Desk>);

struct Desk {
    run: String,
    /// Who hears that the journal cannot be written.
    events: Events,
    state: Mutex<State>,
    /// There is more room, for agents.
    room: Notify,
    /// As `room`, for Lua.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Note>,
    bytes: usize,
    /// Where the run's own events go, and what writes them; absent until the run has begun.
    begun: Option<(Arc<Store>, Handle)>,
    /// How many events made room for others before that.
    missed: u64,
    /// Whether somebody is writing.
    busy: bool,
    /// The folders of journals that could not be written.
    broken: BTreeSet<PathBuf>,
}

/// An event that is to be written.
struct Note {
    /// Where; in the run's own store if absent.
    store: Option<Arc<Store>>,
    agent: Option<String>,
    at: i64,
    object: String,
}

impl Chronicle {
    /// Makes that of a run. `events` hears of trouble.
    pub(super) fn new(run: &str, events: Events) -> Self {
        Self(Arc::new(Desk {
            run: run.to_owned(),
            events,
            state: Mutex::default(),
            room: Notify::new(),
            changed: Condvar::new(),
        }))
    }

    /// Writes what was held, and everything from now on: the run has begun in its own store. Must be
    /// called inside the agents' runtime; the first word counts.
    pub(super) fn begin(&self, home: &Arc<Store>) {
        let mut state = self.0.state();
        if state.begun.is_some() {
            return;
        }
        state.begun = Some((Arc::clone(home), Handle::current()));
        if state.missed > 0 {
            let gap = json!({ "type": "system", "subtype": "gap", "missed": state.missed });
            let at = state.waiting.front().map_or_else(journal::now, |first| first.at);
            let gap = Note { store: None, agent: None, at, object: gap.to_string() };
            state.bytes += gap.size();
            state.waiting.push_front(gap);
        }
        self.write(&mut state);
    }

    /// Returns who writes down what happens to an agent, in the agent's store.
    pub(super) fn of_agent(&self, store: &Arc<Store>, agent: &str) -> Arc<dyn Reporter> {
        let (chronicle, store) = (self.clone(), Arc::clone(store));
        Arc::new(OfAgent { chronicle, store, agent: agent.to_owned() })
    }

    /// Waits until everything is on its way to the disk.
    pub(super) async fn written(&self) {
        self.wait(|state| !state.busy).await;
    }

    fn add(&self, note: Note) {
        // Whoever is on the Lua thread has nobody else to wait for it.
        let beside = Handle::try_current()
            .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        let limit = Instant::now() + PATIENCE;
        let mut state = self.0.state();
        while !beside && state.begun.is_some() && state.bytes > FULL && Instant::now() < limit {
            let waited = self.0.changed.wait_timeout(state, PATIENCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.bytes += note.size();
        state.waiting.push_back(note);
        while state.begun.is_none() && state.bytes > HELD {
            let Some(oldest) = state.waiting.pop_front() else { break };
            state.bytes -= oldest.size();
            state.missed += 1;
        }
        self.write(&mut state);
    }

    /// Lets somebody write, if there is anything and nobody does.
    fn write(&self, state: &mut State) {
        if let (Some((_, runtime)), false, false) =
            (&state.begun, state.busy, state.waiting.is_empty())
        {
            let desk = Arc::clone(&self.0);
            runtime.spawn(async move { desk.work().await });
            state.busy = true;
        }
    }

    async fn wait(&self, enough: impl Fn(&State) -> bool) {
        let waiting = async {
            loop {
                let room = self.0.room.notified();
                tokio::pin!(room);
                // Before looking, so that what comes in between is not missed.
                room.as_mut().enable();
                if enough(&self.0.state()) {
                    return;
                }
                room.await;
            }
        };
        // The journal has told before why it takes no more.
        let _ = tokio::time::timeout(PATIENCE, waiting).await;
    }

    async fn caught_up(&self) {
        self.wait(|state| state.begun.is_none() || state.bytes <= HIGH).await;
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes until there is nothing left, one event after the other.
    async fn work(&self) {
        while let Some((store, note)) = self.next() {
            let size = note.size();
            let written = store.add_event(&self.run, note.agent, note.at, note.object).await;
            self.state().bytes -= size;
            self.room.notify_waiters();
            self.changed.notify_all();
            if let Err(error) = written
                && self.state().broken.insert(store.dir().to_owned())
            {
                self.events.warn(format!("what happens is not kept for `agentlua logs`: {error}"));
            }
        }
        self.room.notify_waiters();
        self.changed.notify_all();
    }

    /// Returns what is to be written next, and where; what has nowhere to go is let go.
    fn next(&self) -> Option<(Arc<Store>, Note)> {
        let mut state = self.state();
        loop {
            let note = state.waiting.pop_front();
            let (Some(note), Some((home, _))) = (note, &state.begun) else {
                state.busy = false;
                return None;
            };
            let store = Arc::clone(note.store.as_ref().unwrap_or(home));
            if !state.broken.contains(store.dir()) {
                return Some((store, note));
            }
            state.bytes -= note.size();
        }
    }
}

impl Note {
    fn of(event: &Posted, store: Option<&Arc<Store>>, agent: Option<&str>) -> Option<Self> {
        // The transcript has these.
        if matches!(**event, Event::Said { .. } | Event::Answered { .. }) {
            return None;
        }
        let object = event.object()?;
        let named = || object.get("agent_id").and_then(Value::as_str);
        Some(Self {
            store: store.cloned(),
            agent: agent.or_else(named).map(str::to_owned),
            at: journal::now(),
            object: object.to_string(),
        })
    }

    fn size(&self) -> usize {
        self.object.len() + OVERHEAD
    }
}

/// Hears what belongs to no agent's conversation.
impl Reporter for Chronicle {
    fn report(&self, event: &Posted) {
        if event.session().is_none()
            && let Some(note) = Note::of(event, None, None)
        {
            self.add(note);
        }
    }

    fn caught_up(&self) -> BoxFuture<'_, ()> {
        self.caught_up().boxed()
    }
}

/// Hears one agent.
struct OfAgent {
    chronicle: Chronicle,
    store: Arc<Store>,
    agent: String,
}

impl Reporter for OfAgent {
    fn report(&self, event: &Posted) {
        if let Some(note) = Note::of(event, Some(&self.store), Some(&self.agent)) {
            self.chronicle.add(note);
        }
    }

    fn caught_up(&self) -> BoxFuture<'_, ()> {
        self.chronicle.caught_up().boxed()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::event::Level;
    use crate::journal::{EventFilter, NewRun};

    fn message(text: &str) -> Event {
        Event::Message { level: Level::Info, text: text.to_owned() }
    }

    async fn texts(store: &Store) -> Vec<(Option<String>, String)> {
        store.flush().await.unwrap();
        let rows = store.events(EventFilter::default()).await.unwrap();
        let text = |object: &str| {
            let object: Value = serde_json::from_str(object).unwrap();
            object.get("text").or(object.get("missed")).unwrap().to_string()
        };
        rows.into_iter().map(|row| (row.agent, text(&row.object))).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_happens_before_the_run_begins_is_held_and_each_event_goes_where_it_belongs() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let stores = [Store::open(home.path()), Store::open(other.path())];
        let [home_store, other_store] = futures_util::future::join_all(stores)
            .await
            .into_iter()
            .map(|store| Arc::new(store.unwrap()))
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let chronicle = Chronicle::new("run-1", Events::new(Vec::new()));
        let events = Events::new(vec![Arc::new(chronicle.clone())]);
        events.emit(message("before"));
        chronicle.written().await;
        assert!(!home.path().join("journal.db").exists(), "nobody was asked anything");
        let _locks = (
            home_store.begin_run(&NewRun::new("run-1", "")).await.unwrap(),
            other_store.begin_run(&NewRun::new("run-1", "")).await.unwrap(),
        );
        chronicle.begin(&home_store);
        let own = events.within("s", Some(chronicle.of_agent(&other_store, "agent-1")));
        own.emit(message("of the agent"));
        own.emit(Event::Said { agent: "agent-1".into(), message: Value::Null });
        events.emit(message("after"));
        own.caught_up().await;
        chronicle.written().await;
        let told =
            |agent: Option<&str>, text: &str| (agent.map(str::to_owned), format!("{text:?}"));
        assert_eq!(texts(&home_store).await, [told(None, "before"), told(None, "after")]);
        assert_eq!(texts(&other_store).await, [told(Some("agent-1"), "of the agent")]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn none_is_dropped_once_the_run_has_begun_and_a_gap_before_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).await.unwrap());
        let chronicle = Chronicle::new("run-1", Events::new(Vec::new()));
        let events = Events::new(vec![Arc::new(chronicle.clone())]);
        for _ in 0..5 {
            events.emit(message(&"x".repeat(HELD / 4)));
        }
        let _lock = store.begin_run(&NewRun::new("run-1", "")).await.unwrap();
        chronicle.begin(&store);
        for number in 0..5_000 {
            events.emit(message(&number.to_string()));
        }
        chronicle.written().await;
        let texts = texts(&store).await;
        assert_eq!(texts[0].1, "2", "so many made room");
        let later = texts[4..].iter().map(|(_, text)| text.clone());
        assert!(later.eq((0..5_000).map(|number| format!("\"{number}\""))), "{}", texts.len());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_journal_that_cannot_be_written_is_one_warning() {
        struct Heard(Mutex<Vec<String>>);
        impl Reporter for Heard {
            fn report(&self, event: &Posted) {
                if let Event::Message { text, .. } = &**event {
                    self.0.lock().unwrap().push(text.clone());
                }
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&folder.path().join("sub")).await.unwrap());
        std::fs::write(folder.path().join("sub"), "no folder").unwrap();
        let heard = Arc::new(Heard(Mutex::default()));
        let chronicle = Chronicle::new("run-1", Events::new(vec![heard.clone()]));
        let events = Events::new(vec![Arc::new(chronicle.clone())]);
        chronicle.begin(&store);
        for _ in 0..100 {
            events.emit(message(&"x".repeat(HIGH)));
            events.caught_up().await;
        }
        chronicle.written().await;
        let heard = heard.0.lock().unwrap();
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(
            heard[0].starts_with("what happens is not kept for `agentlua logs`: "),
            "{heard:?}"
        );
    }
}
