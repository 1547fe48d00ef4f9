//! From when to when a run is alive, in every store that its agents are in: it begins with its lock taken
//! and its row written, and ends with how it ended written and its lock let go.

use std::sync::Arc;

use super::fleet::Fleet;
use crate::error::Result;
use crate::journal::{RunRow, Store};

impl Fleet {
    /// Lets go of the run's locks, when everything about it is written down.
    pub async fn release(&self) {
        self.begun.lock().await.clear();
    }

    /// Says which store is that of the run itself; the first word counts.
    pub fn settle_home(&self, store: Arc<Store>) {
        let _ = self.home.set(store);
    }

    /// Returns the store of the run itself, once the run has begun in it.
    pub async fn home(&self) -> Option<Arc<Store>> {
        let home = self.home.get()?;
        self.begun.lock().await.contains_key(home.dir()).then(|| Arc::clone(home))
    }

    /// Writes down how the run ended, wherever it has begun.
    pub async fn end(&self, status: &str, exit_code: i32) {
        for (store, _) in self.begun.lock().await.values() {
            if let Err(error) = store.end_run(&self.run, status, exit_code).await {
                self.events.warn(format!("the registry could not be written: {error}"));
            }
        }
        crate::crash::point("run-ended");
    }

    /// Begins a run that is gone on with, in the store where it was settled on as `earlier`, before anything
    /// is done for it.
    ///
    /// # Errors
    /// Usage, when another process works on it or has done so since; io.
    pub async fn take_up(&self, store: &Arc<Store>, earlier: &RunRow) -> Result<()> {
        {
            let mut begun = self.begun.lock().await;
            let lock = store.take_up_run(&self.plan, earlier).await?;
            begun.insert(store.dir().to_owned(), (Arc::clone(store), lock));
        }
        self.begin(store).await
    }

    /// Takes the run's lock in its own store and in this one, once: as long as it is held, the run is alive.
    ///
    /// # Errors
    /// Usage, when another process works on the run; io.
    pub async fn begin(&self, store: &Arc<Store>) -> Result<()> {
        let mut begun = self.begun.lock().await;
        for store in self.home.get().into_iter().chain([store]) {
            if !begun.contains_key(store.dir()) {
                let lock = store.begin_run(&self.plan).await?;
                begun.insert(store.dir().to_owned(), (Arc::clone(store), lock));
                if let Some(home) = self.home.get().filter(|home| home.dir() != store.dir()) {
                    home.note_elsewhere(&self.run, store.dir()).await?;
                }
            }
        }
        let Some(home) = self.home.get() else { return Ok(()) };
        self.chronicle.begin(home);
        self.early.write(&self.run, home).await
    }
}
