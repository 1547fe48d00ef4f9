//! The agents of a run that have not ended, by their ids: who is told something, or stopped, from outside
//! of the script.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::inbox::Source;
use super::live::Live;
use super::order::Order;
use crate::error::Result;

/// An agent's store and its id: two repositories may know agents of one name.
type Name = (PathBuf, String);

/// The agents that have not ended.
#[derive(Debug, Default)]
pub struct Roll(Mutex<HashMap<Name, Entry>>);

#[derive(Debug)]
struct Entry {
    live: Arc<Live>,
    cancel: CancellationToken,
}

/// Keeps an agent on the roll.
pub(super) struct Present {
    roll: Arc<Roll>,
    name: Name,
}

impl Roll {
    /// Enters an agent, until what is returned is dropped.
    pub(super) fn enter(self: &Arc<Self>, order: &Order, id: &str) -> Present {
        let name = (order.store.dir().to_owned(), id.to_owned());
        let entry = Entry { live: Arc::clone(&order.live), cancel: order.cancel.clone() };
        self.lock().insert(name.clone(), entry);
        Present { roll: Arc::clone(self), name }
    }

    /// Tells an agent something that its script does not say. Returns `false` when it has ended.
    ///
    /// # Errors
    /// Usage, for a text that cannot be taken.
    pub fn send(&self, store: &Path, id: &str, text: String) -> Result<bool> {
        let live = self.lock().get(&name(store, id)).map(|entry| Arc::clone(&entry.live));
        live.map_or(Ok(false), |live| live.inbox.send(text, Source::Outside))
    }

    /// Stops an agent, which keeps its work. Returns `false` when it has ended.
    pub fn stop(&self, store: &Path, id: &str) -> bool {
        let roll = self.lock();
        let Some(entry) = roll.get(&name(store, id)) else { return false };
        entry.live.stopped.store(true, Ordering::Relaxed);
        entry.cancel.cancel();
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.roll.lock().remove(&self.name);
    }
}

fn name(store: &Path, id: &str) -> Name {
    (store.to_owned(), id.to_owned())
}
