//! The journal of one repository, as the rest of the program sees it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use tokio::sync::{OnceCell, oneshot};

use super::agent::{self, AgentChange, AgentFilter, AgentRow, Status};
use super::event::EventFilter;
use super::intent::{self, HostLock, Intent};
use super::lock::{self, RunLock};
use super::run::{self, NewRun, RunRow};
use super::schema;
use super::transcript::{self, SaidRow};
use super::writer::{Write, Writer};
use crate::error::{Error, Result};

/// The first version with transcripts.
const TRANSCRIPTS: u32 = 3;

/// The journal of a repository. Opening and reading make nothing on disk; the first write does.
pub struct Store {
    dir: PathBuf,
    writer: OnceCell<Writer>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the journal in `dir`, which need not exist.
    ///
    /// # Errors
    /// [`crate::error::Kind::Io`] when there is a file that is newer, damaged or not a journal; it is
    /// left as it is.
    pub async fn open(dir: &Path) -> Result<Self> {
        let store = Self { dir: dir.to_owned(), writer: OnceCell::new() };
        let file = store.file();
        blocking(move || schema::reader(&file)).await?;
        Ok(store)
    }

    /// Returns the folder of the journal and of the locks of its runs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Begins a run, or goes on with it: says that it is alive for as long as the lock is held.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] when the run is alive already.
    pub async fn begin_run(&self, run: &NewRun) -> Result<RunLock> {
        let (dir, id) = (self.dir.clone(), run.id.clone());
        let lock = blocking(move || RunLock::take(&dir, &id)).await?;
        let run = run.clone();
        self.written(move |connection| run::begin(connection, &run)).await?;
        Ok(lock)
    }

    /// Goes on with a run that was settled on as `earlier`, as [`Store::begin_run`] does.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] when the run is alive, or another process has worked on it since.
    pub async fn take_up_run(&self, run: &NewRun, earlier: &RunRow) -> Result<RunLock> {
        let (dir, id) = (self.dir.clone(), run.id.clone());
        let lock = blocking(move || RunLock::take(&dir, &id)).await?;
        // Under the lock: whoever held it before has written down that it did.
        let now = self.runs().await?.into_iter().find(|now| now.id == run.id);
        if now.is_none_or(|now| (now.lives, now.ended_at) != (earlier.lives, earlier.ended_at)) {
            let why = format!("another process has gone on with the run `{}` meanwhile", run.id);
            return Err(Error::usage(why).hint(format!("agentlua resume {}", run.id)));
        }
        let run = run.clone();
        self.written(move |connection| run::begin(connection, &run)).await?;
        Ok(lock)
    }

    /// Takes an id for an agent of a run that was begun. Returns `false` if the id is taken.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn reserve(&self, row: AgentRow) -> Result<bool> {
        self.written(move |connection| agent::insert(connection, &row)).await
    }

    /// Changes what is known of an agent, without waiting for the disk.
    ///
    /// # Errors
    /// When an earlier change could not be written.
    pub async fn update(&self, id: &str, change: AgentChange) -> Result<()> {
        let id = id.to_owned();
        let act = Box::new(move |connection: &Connection| agent::update(connection, &id, &change));
        self.writer().await?.send(Write { act, synced: false, done: None }).await
    }

    /// Waits until everything so far is written.
    ///
    /// # Errors
    /// When any of it could not be.
    pub async fn flush(&self) -> Result<()> {
        let Some(writer) = self.writer.get() else { return Ok(()) };
        self.written(|_| Ok(true)).await?;
        writer.failure()
    }

    /// Lists agents, the newest last. One that had not ended and whose run is not alive reads as
    /// interrupted.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn agents(&self, filter: AgentFilter) -> Result<Vec<AgentRow>> {
        let (file, dir) = (self.file(), self.dir.clone());
        blocking(move || {
            let Some(connection) = schema::reader(&file)? else { return Ok(Vec::new()) };
            let rows = agent::select(&connection, &filter);
            let mut rows = rows.map_err(|error| schema::refusal(&file, error))?;
            let mut alive: HashMap<String, bool> = HashMap::new();
            for row in rows.iter_mut().filter(|row| !row.status.is_final()) {
                let alive = *alive
                    .entry(row.run.clone())
                    .or_insert_with_key(|run| lock::is_alive(&dir, run));
                if !alive {
                    row.status = Status::Interrupted;
                }
            }
            Ok(rows)
        })
        .await
    }

    /// Adds an entry to what was said in an agent's conversation. With `kept` it returns once that is
    /// written, and nothing that follows from it can come before.
    ///
    /// # Errors
    /// When it, or an earlier change, could not be written.
    pub async fn add_said(&self, id: &str, number: u32, entry: String, kept: bool) -> Result<()> {
        let (id, at) = (id.to_owned(), agent::now());
        let act =
            move |connection: &Connection| transcript::insert(connection, &id, number, at, &entry);
        if kept {
            return self.written(act).await.map(drop);
        }
        self.writer().await?.send(Write { act: Box::new(act), synced: false, done: None }).await
    }

    /// Returns what was said in an agent's conversation, in order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn said(&self, id: &str) -> Result<Vec<String>> {
        let (file, id) = (self.file(), id.to_owned());
        self.flush().await?;
        blocking(move || {
            let Some(connection) = schema::reader(&file)? else { return Ok(Vec::new()) };
            transcript::select(&connection, &id).map_err(|error| schema::refusal(&file, error))
        })
        .await
    }

    /// Lists what was said by an agent or by those of a run, in order, for whoever looks on.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn said_after(&self, filter: EventFilter) -> Result<Vec<SaidRow>> {
        let file = self.file();
        blocking(move || {
            let Some(connection) = schema::reader(&file)? else { return Ok(Vec::new()) };
            let found = schema::knows(&connection, TRANSCRIPTS).and_then(|knows| {
                if knows { transcript::select_after(&connection, &filter) } else { Ok(Vec::new()) }
            });
            found.map_err(|error| schema::refusal(&file, error))
        })
        .await
    }

    /// Forgets what was said in conversations that nobody was in for `age`.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn forget_said(&self, age: Duration) -> Result<()> {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let time = agent::now().saturating_sub(age);
        self.written(move |connection| transcript::forget(connection, time)).await.map(drop)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.dir.join("journal.db")
    }

    pub(super) async fn writer(&self) -> Result<&Writer> {
        let start = || async {
            let (file, dir) = (self.file(), self.dir.clone());
            blocking(move || {
                std::fs::create_dir_all(&dir).map_err(|error| {
                    let why = format!("cannot make the folder `{}`", dir.display());
                    Error::new(crate::error::Kind::Io, why).because(error)
                })?;
                Writer::start(file)
            })
            .await
        };
        self.writer.get_or_try_init(start).await
    }

    /// Says that a host is alive. A host is who takes steps that may have to be recovered.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] when one of that name is alive already.
    pub async fn hold(&self, host: &str) -> Result<HostLock> {
        let (dir, name) = (self.dir.clone(), host.to_owned());
        blocking(move || Ok(HostLock { lock: RunLock::take(&dir, &name)?, name })).await
    }

    /// Writes down what `host` is about to do, and returns its number once that is on the disk.
    ///
    /// # Errors
    /// When the journal cannot be written; nothing must be done then.
    pub async fn intend(
        &self,
        host: &str,
        kind: &str,
        subject: &str,
        detail: Value,
    ) -> Result<i64> {
        let (host, kind, subject) = (host.to_owned(), kind.to_owned(), subject.to_owned());
        let number = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&number);
        self.synced(move |connection| {
            let number = intent::insert(connection, &host, &kind, &subject, &detail)?;
            told.store(number, Ordering::SeqCst);
            Ok(true)
        })
        .await?;
        Ok(number.load(Ordering::SeqCst))
    }

    /// Changes what is known of an intent, and returns once that is on the disk.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn amend(&self, intent: i64, detail: Value) -> Result<()> {
        self.synced(move |connection| intent::amend(connection, intent, &detail)).await.map(drop)
    }

    /// Writes down the outcome of an intent. Not synced: what is finished can be recovered once more.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn settle(&self, intent: i64, outcome: &str) -> Result<()> {
        let outcome = outcome.to_owned();
        self.written(move |connection| intent::settle(connection, intent, &outcome)).await.map(drop)
    }

    /// Forgets the intents that had their outcome longer ago than `age`.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn forget_settled(&self, age: Duration) -> Result<()> {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let time = agent::now().saturating_sub(age);
        self.written(move |connection| intent::forget(connection, time)).await.map(drop)
    }

    /// Lists the intents that have no outcome, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn unsettled(&self) -> Result<Vec<Intent>> {
        let (file, dir) = (self.file(), self.dir.clone());
        blocking(move || {
            let Some(connection) = schema::reader(&file)? else { return Ok(Vec::new()) };
            let found = intent::unsettled(&connection);
            let mut found = found.map_err(|error| schema::refusal(&file, error))?;
            for intent in &mut found {
                intent.alive = lock::is_alive(&dir, &intent.host);
            }
            Ok(found)
        })
        .await
    }

    /// Writes and waits until it is committed.
    pub(super) async fn written(
        &self,
        act: impl Fn(&Connection) -> rusqlite::Result<bool> + Send + 'static,
    ) -> Result<bool> {
        self.wrote(act, false).await
    }

    /// Writes and waits until it is on the disk.
    pub(super) async fn synced(
        &self,
        act: impl Fn(&Connection) -> rusqlite::Result<bool> + Send + 'static,
    ) -> Result<bool> {
        self.wrote(act, true).await
    }

    async fn wrote(
        &self,
        act: impl Fn(&Connection) -> rusqlite::Result<bool> + Send + 'static,
        synced: bool,
    ) -> Result<bool> {
        let (done, wait) = oneshot::channel();
        let write = Write { act: Box::new(act), synced, done: Some(done) };
        self.writer().await?.send(write).await?;
        wait.await.map_err(|_| Error::internal("the journal's thread has ended"))?
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let joined = tokio::task::spawn_blocking(act).await;
    joined.map_err(|error| Error::internal("a reader of the journal ended early").because(error))?
}
