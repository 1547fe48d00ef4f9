//! Steps of the script itself whose results are kept: a run that is resumed has them again instead of
//! taking them twice.
//!
//! A step is known by its place: the path of its call, or a name that the script gives it. It is looked
//! up in what earlier lives of the run have written, and counts only if it was asked the same then (its
//! key). A fresh run looks nothing up. What must not happen twice is written down before as begun, with
//! what it will come to; whether it has happened is then read from git ([`merge`], [`commit`]).

mod commit;
mod merge;
mod worktree;

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Mutex;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

pub(in crate::host) use merge::Landing;
pub use merge::{Before, Merging};
pub(in crate::host) use worktree::Made;

use super::{Host, locked};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Event, Level};
use crate::journal::Step;

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
    by_path: Mutex<HashMap<String, Step>>,
}

impl Host {
    /// Returns what is known of a step: that it was taken by an earlier life of the run, or under the same
    /// name by this one.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn known_step(&self, place: &Place) -> Result<Option<Known>> {
        self.read_steps().await?;
        let step = locked(&self.steps.by_path).get(&place.path).cloned();
        let step = step.filter(|step| step.kind == place.kind && step.key == place.key);
        let known = |step: Step| Ok(Known { done: step.done, value: read(&step)? });
        step.map(known).transpose()
    }

    /// Returns the steps of a kind that are known, by their values.
    async fn known_steps(&self, kind: &str) -> Result<Vec<Value>> {
        self.read_steps().await?;
        let steps = locked(&self.steps.by_path);
        steps.values().filter(|step| step.kind == kind).map(read).collect()
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
        if !place.is_number() {
            locked(&self.steps.by_path).insert(place.path.clone(), step.clone());
        }
        let fleet = std::sync::Arc::clone(&self.fleet);
        if self.plan.is_some() {
            return Ok(());
        }
        let synced = !place.is_number();
        let put = async move { fleet.put_step(step, synced).await };
        if self.beside(put).await?? {
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
            let found = self.beside(async move { store.steps(&run).await }).await??;
            let mut steps = locked(&self.steps.by_path);
            for step in found {
                steps.entry(step.path.clone()).or_insert(step);
            }
            Ok::<_, Error>(())
        };
        self.steps.read.get_or_try_init(read).await.map(drop)
    }

    /// Lets the run begin in its own store, before any agent; returns that.
    async fn begin_home(&self) -> Result<std::sync::Arc<crate::journal::Store>> {
        let (store, fleet) = (self.home_store().await?, std::sync::Arc::clone(&self.fleet));
        let home = std::sync::Arc::clone(&store);
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

fn read(step: &Step) -> Result<Value> {
    let trouble = || format!("cannot read what was kept of the step `{}`", step.path);
    serde_json::from_str(&step.value).or_kind(Kind::Io, trouble)
}
