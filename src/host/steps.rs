//! Steps of the script itself whose results are kept: a run that is resumed has them again instead of
//! taking them twice.
//!
//! A step is known by its place: the path of its call, or a name that the script gives it. It is looked
//! up in what earlier lives of the run have written, and counts only if it was asked the same then (its
//! key). In an edited script a merge, a commit or a command may stand elsewhere; it is found there, once.
//! A fresh run looks nothing up. What must not happen twice is written down before as begun, with
//! what it will come to; whether it has happened is then read from git ([`merge`], [`commit`]).

mod commit;
mod held;
mod merge;
mod worktree;

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

pub(in crate::host) use merge::Landing;
pub use merge::{Before, Merging};
pub(in crate::host) use worktree::Made;

use self::held::{Held, Shelf};
use super::{Host, locked};
use crate::agent::Role;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Event, Level};
use crate::journal::{Step, Store};

/// The most bytes that one step may keep.
pub const LARGEST: usize = 16 << 20;

/// How many hex digits of a hash tell questions apart.
const DIGITS: usize = 32;

/// Where a step is taken, and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path of the call, or a name that cannot be one.
    pub path: String,
    /// What kind of step.
    pub kind: &'static str,
    /// The hash of what is asked.
    pub key: String,
}

impl Place {
    /// Returns the place of the step at a call path, which is asked `question`.
    pub fn at(path: String, kind: &'static str, question: &Value) -> Self {
        Self { path, kind, key: hash(question.to_string().as_bytes()) }
    }

    /// Returns the place of the step that a script named, wherever it is called.
    pub fn named(name: &str, kind: &'static str, question: &Value) -> Self {
        // No call path: those begin with a slash.
        Self::at(format!("{kind}:{name}"), kind, question)
    }

    /// Tells whether it is known by a call path, and not by a name.
    fn is_path(&self) -> bool {
        self.path.starts_with('/')
    }

    /// Tells whether so many of its kind are taken that none is worth a place in memory.
    fn is_number(&self) -> bool {
        matches!(self.kind, "now" | "random")
    }
}

/// What is known of a step that was taken before.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Whether it is done; else it was about to be.
    pub done: bool,
    /// Its result; what it was about to do, if it is not done.
    pub value: Value,
}

/// The steps that are known by now.
#[derive(Default)]
pub(super) struct Steps {
    /// Whether those of earlier lives were read.
    read: OnceCell<()>,
    shelf: Mutex<Shelf>,
    /// Held while steps change their places, here and in the journal.
    moving: tokio::sync::Mutex<()>,
}

impl Host {
    /// Returns what is known of a step: that it was taken by an earlier life of the run, or under the same
    /// name by this one. A merge, a commit or a command that an edited script takes elsewhere is found
    /// there, once, and stands here from now on.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn known_step(self: &Arc<Self>, place: &Place) -> Result<Option<Known>> {
        self.read_steps().await?;
        let found = locked(&self.steps.shelf).come_to(place);
        let found = match found {
            Some(found) => Some(found),
            None => self.found_elsewhere(place).await?,
        };
        let Some(Held { done, value, .. }) = found else { return Ok(None) };
        let value = self.value_of(&place.path, value).await?;
        Ok(Some(Known { done, value }))
    }

    /// Comes to the step that asked the same elsewhere, if the script's text or arguments have changed.
    async fn found_elsewhere(self: &Arc<Self>, place: &Place) -> Result<Option<Held>> {
        let is_resumed = self.is_resumed() && self.plan.is_none();
        if !is_resumed || locked(&self.steps.shelf).elsewhere(place).is_none() {
            return Ok(None);
        }
        // Beneath a callback nothing has a fixed place. Where steps were put aside, it was edited before.
        let is_edited = Role::has_asked(&place.path)
            || locked(&self.steps.shelf).has_set_aside()
            || self.is_edited().await?;
        if !is_edited {
            return Ok(None);
        }
        let _turn = self.steps.moving.lock().await;
        let Some(from) = locked(&self.steps.shelf).elsewhere(place) else { return Ok(None) };
        self.make_way(place).await?;
        self.move_step(&from, &place.path).await?;
        Ok(locked(&self.steps.shelf).come_to(place))
    }

    /// Puts aside the step that another one takes the place of: it may be taken elsewhere yet. Only one may
    /// do so at a time.
    async fn make_way(&self, place: &Place) -> Result<()> {
        let aside = {
            let known = locked(&self.steps.shelf);
            known.is_in_the_way(place).then(|| known.aside(&place.path))
        };
        match aside {
            Some(aside) => self.move_step(&place.path, &aside).await,
            None => Ok(()),
        }
    }

    async fn move_step(&self, from: &str, to: &str) -> Result<()> {
        let store = self.begin_home().await?;
        let (run, old, new) = (self.fleet.run_id().to_owned(), from.to_owned(), to.to_owned());
        self.beside(async move { store.move_step(&run, &old, &new).await }).await??;
        locked(&self.steps.shelf).rename(from, to);
        Ok(())
    }

    /// Returns the steps of a kind that are known, by their values.
    async fn known_steps(&self, kind: &str) -> Result<Vec<Value>> {
        self.values(kind, |_| true).await
    }

    /// Returns those of a kind that this life has not come to.
    async fn steps_ahead(&self, kind: &str) -> Result<Vec<Value>> {
        self.values(kind, |held| held.is_ahead).await
    }

    async fn values(&self, kind: &str, which: impl Fn(&Held) -> bool) -> Result<Vec<Value>> {
        self.read_steps().await?;
        let found = locked(&self.steps.shelf).of_kind(kind);
        let mut values = Vec::with_capacity(found.len());
        for (path, held) in found.into_iter().filter(|(_, held)| which(held)) {
            values.push(self.value_of(&path, held.value).await?);
        }
        Ok(values)
    }

    /// Returns the value of a step; one that is not in memory is read.
    async fn value_of(&self, path: &str, held: Option<String>) -> Result<Value> {
        let text = if let Some(text) = held {
            text
        } else {
            let (fleet, own) = (Arc::clone(&self.fleet), path.to_owned());
            let step = self.beside(async move { fleet.step(&own).await }).await??;
            let gone = || Error::new(Kind::Io, format!("the journal has lost the step `{path}`"));
            step.ok_or_else(gone)?.value
        };
        let trouble = || format!("cannot read what was kept of the step `{path}`");
        serde_json::from_str(&text).or_kind(Kind::Io, trouble)
    }

    /// Writes down what a step is about to do, and returns once that is on the disk.
    ///
    /// # Errors
    /// When it cannot be written; the step must not be taken then.
    pub async fn begin_step(&self, place: &Place, value: &Value) -> Result<()> {
        self.put_step(place, false, value).await
    }

    /// Keeps the result of a step.
    ///
    /// # Errors
    /// Usage, for one that is too large; when it cannot be written.
    pub async fn keep_step(&self, place: &Place, value: &Value) -> Result<()> {
        self.put_step(place, true, value).await
    }

    /// Keeps the result of a step that has happened. Where that fails it is said: the step has happened all
    /// the same, and was written down as begun.
    pub(in crate::host) async fn keep_happened(&self, place: &Place, value: &Value) {
        if let Err(error) = self.keep_step(place, value).await {
            let kind = place.kind;
            self.events
                .warn(format!("the step `{kind}` could not be written down as done: {error}"));
        }
    }

    async fn put_step(&self, place: &Place, done: bool, value: &Value) -> Result<()> {
        let Place { path, kind, key } = place.clone();
        let step = Step { path, kind: kind.to_owned(), key, done, value: value.to_string() };
        let size = step.value.len();
        if size > LARGEST {
            let (size, largest) = (size >> 20, LARGEST >> 20);
            let why = format!("a result of {size} MiB cannot be kept for a resumed run");
            return Err(Error::usage(why).hint(format!("{largest} MiB can: write it to a file")));
        }
        if self.plan.is_some() {
            return Ok(());
        }
        let is_number = place.is_number();
        let held = (!is_number).then(|| Held::of(step.clone(), false));
        let fleet = Arc::clone(&self.fleet);
        let put = async move { fleet.put_step(step, !is_number).await };
        if locked(&self.steps.shelf).is_in_the_way(place) {
            let _turn = self.steps.moving.lock().await;
            self.make_way(place).await?;
        }
        let has_too_many = self.beside(put).await??;
        if let Some((path, held)) = held {
            locked(&self.steps.shelf).put(path, held);
        }
        if has_too_many {
            self.begin_home().await?;
        }
        Ok(())
    }

    /// Reads the steps of earlier lives, the first time that one is looked for.
    async fn read_steps(&self) -> Result<()> {
        if !self.is_resumed() {
            return Ok(());
        }
        let read = || async {
            let store = match self.plan {
                Some(_) => self.home_store().await?,
                None => self.begin_home().await?,
            };
            let run = self.fleet.run_id().to_owned();
            let found = async move { store.steps_as(&run, |step| Held::of(step, true)).await };
            let found = self.beside(found).await??;
            let mut known = locked(&self.steps.shelf);
            for (path, held) in found {
                known.put_earlier(path, held);
            }
            Ok::<_, Error>(())
        };
        self.steps.read.get_or_try_init(read).await.map(drop)
    }

    /// Lets the run begin in its own store, before any agent; returns that.
    pub(in crate::host) async fn begin_home(&self) -> Result<Arc<Store>> {
        let (store, fleet) = (self.home_store().await?, Arc::clone(&self.fleet));
        let home = Arc::clone(&store);
        self.beside(async move { fleet.begin_home(home).await }).await??;
        Ok(store)
    }

    /// Says that a step is taken although an earlier life of the run has taken it.
    fn announce_again(&self, text: String) {
        self.events.emit(Event::Message { level: Level::Info, text });
    }
}

/// Returns the hash of a question.
pub fn hash(question: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * DIGITS);
    for byte in Sha256::digest(question) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex.truncate(DIGITS);
    hex
}
