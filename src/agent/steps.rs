//! Steps of the script itself, on their way to the journal: held in memory until the run has begun there,
//! so that a script which starts no agent writes nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Fleet;
use crate::error::Result;
use crate::journal::{Step, Store};

/// So many steps wait in memory; with one more the run begins without an agent.
const MOST: usize = 1_000;

/// And so many bytes of their values.
const MOST_BYTES: usize = 8 << 20;

/// The steps that were taken before the run began, each path once.
#[derive(Default)]
pub(super) struct Early(Mutex<Vec<Step>>);

impl Early {
    fn lock(&self) -> MutexGuard<'_, Vec<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the step at a path.
    fn find(&self, path: &str) -> Option<Step> {
        self.lock().iter().rfind(|step| step.path == path).cloned()
    }

    /// Holds a step in the place of one at the same path; tells whether they are too many, or too large,
    /// now.
    fn hold(&self, step: Step) -> bool {
        let mut early = self.lock();
        // Only the last few are ever replaced: a step is begun, then done.
        match early.iter().rposition(|held| held.path == step.path) {
            Some(at) if !early[at].done => early[at] = step,
            _ => early.push(step),
        }
        early.len() > MOST || early.iter().map(|step| step.value.len()).sum::<usize>() > MOST_BYTES
    }

    /// Writes them down, in order.
    pub(super) async fn write(&self, run: &str, home: &Store) -> Result<()> {
        let early = self.lock().clone();
        if early.is_empty() {
            return Ok(());
        }
        let count = early.len();
        for (number, step) in early.into_iter().enumerate() {
            // One sync is enough for all: what is written before is on the disk before.
            if number + 1 == count {
                home.put_step(run, step).await?;
            } else {
                home.note_step(run, step).await?;
            }
        }
        self.lock().drain(..count);
        Ok(())
    }
}

impl Fleet {
    /// Begins the run in its own store, if it has not.
    ///
    /// # Errors
    /// Usage, when the run is alive already; when the journal cannot be written.
    pub async fn begin_home(&self, home: Arc<Store>) -> Result<()> {
        self.settle_home(Arc::clone(&home));
        self.begin(&home).await
    }

    /// Returns the step of the run at a path, as it was written down.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn step(&self, path: &str) -> Result<Option<Step>> {
        // In this order: what leaves the memory is in the journal by then.
        if let Some(step) = self.early.find(path) {
            return Ok(Some(step));
        }
        match self.home.get() {
            Some(home) => home.step(&self.run, path).await,
            None => Ok(None),
        }
    }

    /// Writes down a step of the script. With `synced` it is on the disk when this returns, once the run
    /// has begun; else it survives this process, and a power cut if anything does that was written later.
    /// Tells whether so many are held in memory that the run should begin.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn put_step(&self, step: Step, synced: bool) -> Result<bool> {
        let home = {
            // Held, so that the run does not begin between the look and the memory.
            let begun = self.begun.lock().await;
            match self.home.get().filter(|home| begun.contains_key(home.dir())) {
                Some(home) => Arc::clone(home),
                None => return Ok(self.early.hold(step)),
            }
        };
        if synced {
            home.put_step(&self.run, step).await?;
        } else {
            home.note_step(&self.run, step).await?;
        }
        Ok(false)
    }
}
