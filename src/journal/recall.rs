//! The store, for runs that are gone on with and for whoever looks on from another process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;

use super::agent::AgentChange;
use super::call::{self, Call};
use super::event::{self, EventFilter, EventRow};
use super::request::{self, Ear};
use super::run::{self, RunRow};
use super::step::{self, Step};
use super::store::{Store, blocking};
use super::transcript;
use super::writer::Write;
use super::{lock, schema};
use crate::error::Result;

/// The first version with the tables that are read here.
const SINCE: u32 = 4;

impl Store {
    /// Writes down how an agent ended, with its outcome as JSON; returns once that is on the disk.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn finish_agent(&self, id: &str, change: AgentChange, outcome: String) -> Result<()> {
        let id = id.to_owned();
        let write = move |connection: &Connection| call::finish(connection, &id, &change, &outcome);
        self.synced(write).await.map(drop)
    }

    /// Lets an agent go on that was cut off or has failed: under its id it is queued again.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn reopen_agent(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.written(move |connection| call::reopen(connection, &id)).await.map(drop)
    }

    /// Notes with the outcome of an agent that another one has won the race which it was in.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn note_lost(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.written(move |connection| call::lose(connection, &id)).await.map(drop)
    }

    /// Notes that another call has taken the place of an agent of a run that was resumed.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn supersede_agent(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.written(move |connection| call::supersede(connection, &id)).await.map(drop)
    }

    /// Lists the agents of a run with their outcomes, in the order in which they were asked, without
    /// those that were superseded.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn calls(&self, run: &str) -> Result<Vec<Call>> {
        let run = run.to_owned();
        self.look(move |connection| call::select(connection, &run)).await
    }

    /// Writes down a step of the script's own, in the place of one at the same path; returns once that is
    /// on the disk.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn put_step(&self, run: &str, step: Step) -> Result<()> {
        let run = run.to_owned();
        self.synced(move |connection| step::put(connection, &run, &step)).await.map(drop)
    }

    /// Writes down a step as [`Store::put_step`] does, without waiting for the disk: it survives this
    /// process, and a power cut if anything does that is synced later.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn note_step(&self, run: &str, step: Step) -> Result<()> {
        let run = run.to_owned();
        self.written(move |connection| step::put(connection, &run, &step)).await.map(drop)
    }

    /// Lists the steps of a run, in the order in which they were taken first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn steps(&self, run: &str) -> Result<Vec<Step>> {
        self.steps_as(run, |step| step).await
    }

    /// Lists what `each` makes of the steps of a run, in the order in which they were taken first: there is
    /// one of them in memory at a time.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn steps_as<T: Send + 'static>(
        &self,
        run: &str,
        each: impl FnMut(Step) -> T + Send + 'static,
    ) -> Result<Vec<T>> {
        let run = run.to_owned();
        self.look(move |connection| step::select(connection, &run, each)).await
    }

    /// Returns the step of a run at a path.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn step(&self, run: &str, path: &str) -> Result<Option<Step>> {
        let (run, path) = (run.to_owned(), path.to_owned());
        self.look(move |connection| step::at(connection, &run, &path)).await
    }

    /// Notes that a step stands at another path now, in the place of whatever stood there.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn move_step(&self, run: &str, from: &str, to: &str) -> Result<()> {
        let (run, from, to) = (run.to_owned(), from.to_owned(), to.to_owned());
        let put = move |connection: &Connection| step::put_elsewhere(connection, &run, &from, &to);
        self.written(put).await.map(drop)
    }

    /// Notes that a run of this store has begun in the one in `dir`, too.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn note_elsewhere(&self, run: &str, dir: &Path) -> Result<()> {
        let (run, dir) = (run.to_owned(), dir.to_owned());
        let write = move |connection: &Connection| run::note_elsewhere(connection, &run, &dir);
        self.written(write).await.map(drop)
    }

    /// Moves calls to other paths, all or none of them: each of them by its agent's id.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn move_calls(&self, moves: Vec<(String, String)>) -> Result<()> {
        let write = move |connection: &Connection| call::move_all(connection, &moves);
        self.written(write).await.map(drop)
    }

    /// Writes down how a run ended.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn end_run(&self, run: &str, status: &str, exit_code: i32) -> Result<()> {
        let (run, status) = (run.to_owned(), status.to_owned());
        let write = move |connection: &Connection| run::end(connection, &run, &status, exit_code);
        self.written(write).await.map(drop)
    }

    /// Lists the runs, the newest last.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn runs(&self) -> Result<Vec<RunRow>> {
        let (file, dir) = (self.file(), self.dir().to_owned());
        blocking(move || {
            let Some(connection) = schema::reader(&file)? else { return Ok(Vec::new()) };
            let runs = run::select(&connection);
            let mut runs = runs.map_err(|error| schema::refusal(&file, error))?;
            for run in &mut runs {
                run.alive = run.status.is_none() && lock::is_alive(&dir, &run.id);
            }
            Ok(runs)
        })
        .await
    }

    /// Adds something that happened at `at` (see [`super::now`]), without waiting for the disk; waits while
    /// too much is to be written.
    ///
    /// # Errors
    /// When an earlier change could not be written.
    pub async fn add_event(
        &self,
        run: &str,
        agent: Option<String>,
        at: i64,
        object: String,
    ) -> Result<()> {
        let run = run.to_owned();
        let act = Box::new(move |connection: &Connection| {
            event::insert(connection, &run, agent.as_deref(), at, &object)
        });
        self.writer().await?.send(Write { act, synced: false, done: None }).await
    }

    /// Lists what happened, in order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn events(&self, filter: EventFilter) -> Result<Vec<EventRow>> {
        self.look(move |connection| event::select(connection, &filter)).await
    }

    /// Forgets what happened longer ago than `age`.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn forget_events(&self, age: std::time::Duration) -> Result<()> {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let time = super::agent::now().saturating_sub(age);
        self.written(move |connection| event::forget(connection, time)).await.map(drop)
    }

    /// Forgets of runs that ended longer ago than `age`, or were cut off then, what only going on with
    /// them needs: how they were started, their steps, what their agents came to, what was asked of them.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn forget_runs(&self, age: std::time::Duration) -> Result<()> {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let time = super::agent::now().saturating_sub(age);
        let dir = self.dir().to_owned();
        let is_alive = move |run: &str| lock::is_alive(&dir, run);
        self.written(move |connection| run::forget(connection, time, &is_alive)).await.map(drop)
    }

    /// Tells whether a process works on a run.
    pub fn is_alive(&self, run: &str) -> bool {
        lock::is_alive(self.dir(), run)
    }

    /// Asks something of a run that another process works on, and returns the request's number.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn request(
        &self,
        run: &str,
        agent: Option<&str>,
        kind: &'static str,
        text: &str,
    ) -> Result<i64> {
        let (run, agent, text) = (run.to_owned(), agent.map(str::to_owned), text.to_owned());
        let number = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&number);
        self.written(move |connection| {
            let number = request::insert(connection, &run, agent.as_deref(), kind, &text)?;
            told.store(number, Ordering::SeqCst);
            Ok(true)
        })
        .await?;
        Ok(number.load(Ordering::SeqCst))
    }

    /// Returns what hears of whatever is asked of a run that has begun in it.
    pub fn ear(&self, run: &str) -> Ear {
        Ear::new(self.file(), run.to_owned())
    }

    /// Takes a request that is to be answered; `false` if it was taken already.
    ///
    /// # Errors
    /// When the journal cannot be written; what is asked must not be done then.
    pub async fn take_request(&self, number: i64) -> Result<bool> {
        self.written(move |connection| request::take(connection, number)).await
    }

    /// Answers a request; `false` if it has its answer.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn answer(&self, number: i64, text: &str) -> Result<bool> {
        let text = text.to_owned();
        self.written(move |connection| request::answer(connection, number, &text)).await
    }

    /// Adds an entry to what was said in an agent's conversation, of texts that it hears: such as were sent
    /// to it are not sent again.
    ///
    /// # Errors
    /// When it, or an earlier change, could not be written.
    pub async fn add_heard(
        &self,
        id: &str,
        number: u32,
        entry: String,
        texts: Vec<String>,
    ) -> Result<()> {
        let (id, at) = (id.to_owned(), super::agent::now());
        let act = move |connection: &Connection| {
            for text in &texts {
                request::hear(connection, &id, text)?;
            }
            transcript::insert(connection, &id, number, at, &entry)
        };
        self.written(act).await.map(drop)
    }

    /// Returns the texts that were taken for an agent and that it has not heard, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn unheard(&self, id: &str) -> Result<Vec<String>> {
        self.flush().await?;
        let id = id.to_owned();
        self.look(move |connection| request::unheard(connection, &id)).await
    }

    /// Returns the answer to a request, once there is one.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn answered(&self, number: i64) -> Result<Option<String>> {
        self.look(move |connection| request::answered(connection, number)).await
    }

    /// Reads what files of this version have; of an older one, nothing.
    async fn look<T: Default + Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let file = self.file();
        blocking(move || {
            let Some(connection) = schema::reader(&file)? else { return Ok(T::default()) };
            let found = schema::knows(&connection, SINCE)
                .and_then(|knows| if knows { read(&connection) } else { Ok(T::default()) });
            found.map_err(|error| schema::refusal(&file, error))
        })
        .await
    }
}
