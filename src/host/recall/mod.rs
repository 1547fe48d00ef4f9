//! Calls that a run which was cut off, or has failed, had made before: found again by path and by hash, so
//! that nothing that is finished is asked, or paid for, again.
//!
//! A call at the same path that asks the same from the same files is the same call. When the script's text
//! or its arguments have changed, or beneath a callback, whose calls have no fixed places, one that asked
//! the same elsewhere is it, too; each is found once. What is found and has ended has its outcome at once.
//! What was cut off goes on. What differs is asked again, and named before that costs anything.

mod back;
mod base;
mod book;
mod claim;
mod fit;
mod held;
mod queue;
mod replace;
mod steps;
mod told;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, OnceCell};

use self::base::Moves;
use self::book::Book;
use self::fit::Fit;
pub(super) use self::held::Held;
pub(super) use self::queue::Looking;
use self::queue::Queue;
use self::told::{Given, Told, asked_again};
use super::Host;
use crate::agent::fleet::{Again, Order};
use crate::agent::{Outcome, Role, transcript};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Events, Usage};
use crate::git::Repo;
use crate::journal::{AgentFilter, AgentRow, Store};

/// What a resumed run remembers.
pub(super) struct Recall {
    earlier: OnceCell<Earlier>,
    /// By the folder of the store.
    books: Mutex<HashMap<PathBuf, Arc<Mutex<Book>>>>,
    moves: Mutex<Moves>,
    /// Whether a call goes on that had ended, so that what follows may come elsewhere.
    shifted: AtomicBool,
    /// The folders of the stores whose earlier spending is counted.
    counted: Mutex<HashSet<PathBuf>>,
    queue: Queue,
    told: Told,
}

/// What is known of the run itself.
#[derive(Clone, Copy)]
struct Earlier {
    /// Whether the script's text or its arguments are others now.
    edited: bool,
    /// When it ended last, if it ever did.
    ended_at: Option<i64>,
}

/// What earlier lives of the run have used up in a store.
struct Spent {
    usage: Usage,
    cost_usd: f64,
}

/// What was found of a call.
pub(super) enum Found {
    /// It had ended, and this is its outcome.
    Ended(Box<Outcome>, Box<AgentRow>),
    /// It had been called off, and waits to be called off again.
    Held(Box<Held>),
    /// It goes on.
    Again,
    /// It is asked again in the place of another, for this reason.
    Instead(String),
    /// It is asked as if for the first time.
    Nothing,
}

impl Recall {
    pub(super) fn new(events: Events) -> Self {
        Self {
            earlier: OnceCell::new(),
            books: Mutex::default(),
            counted: Mutex::default(),
            moves: Mutex::default(),
            shifted: AtomicBool::new(false),
            queue: Queue::default(),
            told: Told::new(events),
        }
    }
}

impl Host {
    /// Looks back at the earlier lives of a resumed run: what they have spent binds from then on.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn look_back(self: &Arc<Self>) -> Result<()> {
        let Some(recall) = &self.recall else { return Ok(()) };
        recall.earlier.get_or_try_init(|| self.looked_back()).await.map(drop)
    }

    async fn looked_back(self: &Arc<Self>) -> Result<Earlier> {
        let command = self.fleet.command();
        let same = |earlier: &crate::journal::Command| {
            earlier.source == command.source && earlier.args == command.args
        };
        let run = self.before();
        let edited = !run.and_then(|run| run.command.as_ref()).is_some_and(same);
        let dir = self.default_dir();
        let repo = match super::repository_around(&dir) {
            Some(_) => Some(self.repo_to_change(&dir).await?),
            None => None,
        };
        let store = self.store(repo.as_ref()).await?;
        self.book(&store, repo.as_ref()).await?;
        self.learn_steps().await?;
        if let Some(command) = run.and_then(|run| run.command.as_ref()) {
            self.count_elsewhere(&command.elsewhere).await?;
        }
        Ok(Earlier { edited, ended_at: run.and_then(|run| run.ended_at) })
    }

    /// Waits for the turn of a call to be looked for, in a resumed run: calls are looked for one after the
    /// other, as they are asked, so that equal ones are not mixed up.
    pub(super) async fn look(&self) -> Option<Looking> {
        match &self.recall {
            Some(recall) => Some(recall.queue.look().await),
            None => None,
        }
    }

    /// Finds what the journal has of the call of an order that is being looked for: its outcome, or the
    /// order with what it goes on with.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub(super) async fn recalled(
        self: &Arc<Self>,
        order: Order,
        looking: Option<Looking>,
    ) -> Result<ControlFlow<Outcome, Order>> {
        let (Some(recall), Some(looking)) = (&self.recall, looking) else {
            return Ok(ControlFlow::Continue(order));
        };
        let this = Arc::clone(self);
        let looked = async move {
            let mut order = order;
            let found = this.find(&mut order).await?;
            Ok::<_, Error>((order, found))
        };
        // Not given up when Lua stops waiting: what takes another's place is put there whole.
        let looked = self.runtime.spawn(looked).await;
        let (order, found) =
            looked.or_kind(Kind::Internal, || "a look at the journal ended early")??;
        match found {
            Found::Ended(outcome, row) => {
                self.give(&order, &outcome, &row, looking).await;
                Ok(ControlFlow::Break(*outcome))
            }
            Found::Held(held) => {
                drop(looking);
                self.hold(order, *held).await
            }
            Found::Again | Found::Instead(_) | Found::Nothing => {
                recall.told.now();
                Ok(ControlFlow::Continue(order))
            }
        }
    }

    /// Ends what there is to tell, and what was left for calls that did not come.
    pub(super) async fn close_recall(&self) {
        let Some(recall) = &self.recall else { return };
        recall.told.now();
        if self.plan.is_some() {
            return;
        }
        let books: Vec<_> = recall
            .books
            .lock()
            .await
            .iter()
            .map(|(dir, book)| (dir.clone(), Arc::clone(book)))
            .collect();
        let stores = self.stores.lock().await.clone();
        for (dir, book) in books {
            let Some(store) = stores.get(&dir) else { continue };
            for id in book.lock().await.displaced() {
                if let Err(error) = store.supersede_agent(&id).await {
                    self.events.warn(format!("the registry could not be written: {error}"));
                }
            }
        }
    }

    /// Returns the agents of this run's earlier lives in a store that this life has not come to: to it they
    /// are not there yet.
    pub(super) async fn ahead(
        self: &Arc<Self>,
        store: &Arc<Store>,
        repo: Option<&Arc<Repo>>,
    ) -> Result<HashSet<String>> {
        if self.recall.is_none() {
            return Ok(HashSet::new());
        }
        let book = self.book(store, repo).await?;
        let book = book.lock().await;
        Ok(book.ahead().into_iter().map(str::to_owned).collect())
    }

    /// Returns the calls of a store, read when the first of them is asked for.
    async fn book(
        self: &Arc<Self>,
        store: &Arc<Store>,
        repo: Option<&Arc<Repo>>,
    ) -> Result<Arc<Mutex<Book>>> {
        let Some(recall) = &self.recall else { return Err(Error::internal("nothing to recall")) };
        let mut books = recall.books.lock().await;
        if let Some(book) = books.get(store.dir()) {
            return Ok(Arc::clone(book));
        }
        if let Some(repo) = repo {
            // Who was cut off there has its commit then.
            self.recover(repo).await;
        }
        let (book, spent, rows) = self.calls_of(store).await?;
        if recall.counted.lock().await.insert(store.dir().to_owned()) {
            self.fleet.carry(spent.usage, spent.cost_usd);
        }
        recall.moves.lock().await.learn_agents(&rows);
        recall.queue.expect(book.places());
        let book = Arc::new(Mutex::new(book));
        books.insert(store.dir().to_owned(), Arc::clone(&book));
        Ok(book)
    }

    /// Reads the calls of a store, and what they have used up.
    async fn calls_of(&self, store: &Arc<Store>) -> Result<(Book, Spent, Vec<AgentRow>)> {
        let (run, store) = (self.fleet.run_id().to_owned(), Arc::clone(store));
        let reading = async move {
            store.flush().await?;
            let filter = AgentFilter { run: Some(run.clone()), ..AgentFilter::default() };
            let mut book = Book::new(store.calls(&run).await?);
            for (at, id) in book.unsettled() {
                if !transcript::ends_with_answer(&store.said(&id).await?) {
                    book.note_unanswered(at);
                }
            }
            Ok::<_, Error>((book, store.agents(filter).await?))
        };
        let (book, rows) = self.beside(reading).await??;
        let mut spent = Spent { usage: Usage::default(), cost_usd: book.total_cost() };
        for row in &rows {
            spent.usage += row.usage;
            // Whose place another has taken was paid for all the same.
            if row.superseded && !Role::has_asked(&row.call_path) {
                spent.cost_usd += row.cost_usd.unwrap_or_default();
            }
        }
        Ok((book, spent, rows))
    }

    /// Counts what the run has used up in other repositories before this life comes to one of them.
    async fn count_elsewhere(&self, dirs: &[PathBuf]) -> Result<()> {
        let Some(recall) = &self.recall else { return Ok(()) };
        for dir in dirs {
            if !recall.counted.lock().await.insert(dir.clone()) {
                continue;
            }
            let path = dir.clone();
            let store = self.beside(async move { Store::open(&path).await }).await??;
            let (_, spent, _) = self.calls_of(&Arc::new(store)).await?;
            self.fleet.carry(spent.usage, spent.cost_usd);
        }
        Ok(())
    }

    /// Finds a call, and takes it out of the book. In a dry run nothing but the book is changed.
    pub(super) async fn find(self: &Arc<Self>, order: &mut Order) -> Result<Found> {
        self.look_back().await?;
        let Some(recall) = &self.recall else { return Ok(Found::Nothing) };
        let Some(earlier) = recall.earlier.get().copied() else { return Ok(Found::Nothing) };
        let book = self.book(&order.store, order.repo.as_ref()).await?;
        let book = &mut *book.lock().await;
        let path = order.query.call_path.clone();
        // Callbacks come in an order of their own.
        let shifted = recall.shifted.load(Ordering::Relaxed);
        let free = earlier.edited || shifted || Role::has_asked(&path);
        let mut found = None;
        if let Some(at) = book.same(&path, &order.key.hash) {
            let fit = self.fit(order, book, at, earlier).await?;
            found = Some((at, fit));
        }
        if free && found.as_ref().is_none_or(|(_, fit)| matches!(fit, Fit::Not(_))) {
            for at in book.moved(&path, &order.key.hash) {
                let fit = self.fit(order, book, at, earlier).await?;
                if !matches!(fit, Fit::Not(_)) {
                    found = Some((at, fit));
                    break;
                }
            }
        }
        if let Some((at, fit)) = found {
            return self.take(order, book, at, fit).await;
        }
        self.claim(recall, order, book, free, earlier).await
    }

    /// Takes a call out of the book, for an order that it fits or whose place it had.
    async fn take(
        self: &Arc<Self>,
        order: &mut Order,
        book: &mut Book,
        at: usize,
        fit: Fit,
    ) -> Result<Found> {
        let Some(recall) = &self.recall else { return Ok(Found::Nothing) };
        let row = book.call(at).row.clone();
        let is_held = matches!(fit, Fit::Held(_));
        let outcome = match fit {
            Fit::Not(why) => {
                recall.told.again(asked_again(&row.id, &row.label, &why));
                recall.queue.forget(row.place);
                self.replace(order, book, at).await?;
                if self.plan.is_none() {
                    self.put_back(order, &row).await;
                }
                return Ok(Found::Instead(why));
            }
            Fit::Again => {
                recall.shifted.fetch_or(row.status.is_final(), Ordering::Relaxed);
                None
            }
            Fit::Ended(outcome) | Fit::Held(outcome) => Some(outcome),
        };
        self.fleet.come_to(order, book.share(at));
        book.take(at);
        if row.call_path != order.query.call_path && self.plan.is_none() {
            order.store.move_calls(book.moves(at, &order.query.call_path)).await?;
        }
        self.take_nested(order, book, at, outcome.is_some() && !is_held);
        if let Some(outcome) = outcome {
            if is_held {
                recall.queue.forget(row.place);
                return Ok(Found::Held(Box::new(Held { outcome, row, at })));
            }
            return Ok(Found::Ended(outcome, Box::new(row)));
        }
        recall.queue.forget(row.place);
        order.again = Some(Again { row });
        Ok(Found::Again)
    }

    /// Takes what the callbacks of an agent had asked for: of one that has ended all of it, else what came
    /// before the turn that was cut off.
    fn take_nested(&self, order: &Order, book: &mut Book, at: usize, has_ended: bool) {
        let Some(recall) = &self.recall else { return };
        let turns = book.call(at).row.turns;
        for nested in book.nested(at) {
            if !has_ended && book.turn_of(at, nested).is_none_or(|turn| turn >= turns) {
                continue;
            }
            let call = book.call(nested);
            let outcome =
                call.outcome.as_deref().map(|text| Outcome::restored(text, &call.row.label));
            recall.queue.forget(call.row.place);
            if let Some(Ok(outcome)) = outcome {
                self.fleet.recall_nested(order, &outcome);
            }
            book.take(nested);
        }
    }

    /// Waits until it is the turn of an outcome to be given back.
    pub(super) async fn in_turn(&self, row: &AgentRow, looking: Option<Looking>) {
        if let (Some(recall), Some(place), Some(looking)) = (&self.recall, row.place, looking) {
            recall.queue.wait(place, looking).await;
        }
    }

    /// Gives an outcome back when it is its turn.
    async fn give(&self, order: &Order, outcome: &Outcome, row: &AgentRow, looking: Looking) {
        let Some(recall) = &self.recall else { return };
        match row.place {
            Some(place) => recall.queue.wait(place, looking).await,
            None => drop(looking),
        }
        self.hand_over(order, outcome, row);
    }

    /// Gives an outcome back now.
    fn hand_over(&self, order: &Order, outcome: &Outcome, row: &AgentRow) {
        let Some(recall) = &self.recall else { return };
        // A branch that was there before the agent is never deleted.
        let goes = outcome.left_nothing() && row.branch_created;
        self.fleet.recall(order, outcome, goes);
        let (id, label, ok) = (outcome.id.clone(), outcome.label.clone(), outcome.ok());
        let _runtime = self.runtime.enter();
        recall.told.given(Given { id, label, ok });
    }
}
