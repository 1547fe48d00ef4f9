//! The one thread that writes: it takes what has queued up and commits it together.
//!
//! The queue is bounded, so that a stuck disk slows the agents down and does not fill the memory.
//! A write that nobody waits for reports its failure to the next one that asks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::schema;
use crate::error::{Error, Result};

/// How many writes may wait.
const QUEUE: usize = 1024;

/// How many writes go into one transaction.
const BATCH: usize = 256;

/// What a write does to the tables; it may be done again when its transaction failed. Tells whether it
/// changed a row.
pub(super) type Act = Box<dyn Fn(&Connection) -> rusqlite::Result<bool> + Send>;

/// A write: what it does to the tables, whether it must be on the disk before anything else happens,
/// and who wants to know whether it changed a row.
pub(super) struct Write {
    pub act: Act,
    pub synced: bool,
    pub done: Option<oneshot::Sender<Result<bool>>>,
}

/// The way to the writing thread, which ends when this is dropped and all is written.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Write>>,
    thread: Option<std::thread::JoinHandle<()>>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Writer {
    /// Opens the file, made if need be, and starts the thread. Blocks.
    pub(super) fn start(file: PathBuf) -> Result<Self> {
        let connection = schema::writer(&file)?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let failure = Arc::<Mutex<Option<Error>>>::default();
        let failures = Arc::clone(&failure);
        let mut bench = Bench { file, connection, syncs: false, waiting, failure: failures };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || bench.run());
        let thread =
            thread.map_err(|error| Error::internal("cannot start a thread").because(error))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), failure })
    }

    /// Tells once what became of writes that nobody waited for.
    pub(super) fn failure(&self) -> Result<()> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), Err)
    }

    /// Queues a write, waiting while the queue is full.
    ///
    /// # Errors
    /// What became of an earlier write that nobody waited for.
    pub(super) async fn send(&self, write: Write) -> Result<()> {
        self.failure()?;
        let ended = || Error::internal("the journal's thread has ended");
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        queue.send(write).await.map_err(|_| ended())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Bench {
    file: PathBuf,
    connection: Connection,
    /// Whether the connection waits for the disk at the end of a transaction.
    syncs: bool,
    waiting: mpsc::Receiver<Write>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Bench {
    fn run(&mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(first) = self.waiting.blocking_recv() {
            batch.push(first);
            while batch.len() < BATCH {
                let Ok(next) = self.waiting.try_recv() else { break };
                batch.push(next);
            }
            let outcome = self.commit(&batch);
            if outcome.is_err() && batch.len() > 1 {
                // One bad write must not cost the others.
                for write in batch.drain(..) {
                    let outcome = self.commit(std::slice::from_ref(&write));
                    self.tell([write].into_iter(), outcome);
                }
            } else {
                self.tell(batch.drain(..), outcome);
            }
        }
    }

    fn commit(&mut self, batch: &[Write]) -> rusqlite::Result<Vec<bool>> {
        // Intents must survive a power cut, and share their sync with whatever else has queued up.
        let synced = batch.iter().any(|write| write.synced);
        if synced != self.syncs {
            let level = if synced { "full" } else { "normal" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.syncs = synced;
        }
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate)?;
        let changed: rusqlite::Result<Vec<bool>> =
            batch.iter().map(|write| (write.act)(&transaction)).collect();
        let changed = changed?;
        transaction.commit()?;
        Ok(changed)
    }

    fn tell(&self, batch: impl Iterator<Item = Write>, outcome: rusqlite::Result<Vec<bool>>) {
        let outcome = outcome.map_err(|error| schema::refusal(&self.file, error));
        let mut failed = None;
        for (at, write) in batch.enumerate() {
            let result = match &outcome {
                Ok(changed) => Ok(changed[at]),
                Err(error) => Err(error.clone()),
            };
            match write.done {
                // Whoever asked may have gone; what was written stays.
                Some(done) => drop(done.send(result)),
                None => failed = failed.or(result.err()),
            }
        }
        if failed.is_some() {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        }
    }
}
