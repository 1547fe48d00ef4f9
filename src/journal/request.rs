//! What other processes ask of a run that goes on: to tell an agent something, to stop it. Whoever asks
//! writes it down and waits for the answer; the run looks for it while it has agents.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::agent::now;
use super::{schema, store};
use crate::error::Result;

/// The answer to what was done.
pub const DONE: &str = "ok";
/// The answer to a text that was taken, once the agent has heard it.
pub const HEARD: &str = "heard";
/// The kind of requests that tell an agent something.
pub const SEND: &str = "send";

/// Something that is asked of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number, growing with time.
    pub number: i64,
    /// The run.
    pub run: String,
    /// The agent, if it is about one.
    pub agent: Option<String>,
    /// What is asked.
    pub kind: String,
    /// What is said with it.
    pub text: String,
    /// When it was asked, in milliseconds since 1970.
    pub at: i64,
}

/// Looks for what is asked of a run, again and again and through one connection, so that a look costs
/// next to nothing.
pub struct Ear {
    file: PathBuf,
    run: String,
    connection: Option<Connection>,
}

impl Ear {
    pub(super) fn new(file: PathBuf, run: String) -> Self {
        Self { file, run, connection: None }
    }

    /// Returns what is asked and was not answered, oldest first, with the ear for the next look.
    ///
    /// # Errors
    /// Internal, when the look panicked. What it finds may be an error of the journal's.
    pub async fn look(mut self) -> Result<(Self, Result<Vec<Request>>)> {
        store::blocking(move || {
            let found = self.find();
            if found.is_err() {
                self.connection = None;
            }
            Ok((self, found))
        })
        .await
    }

    fn find(&mut self) -> Result<Vec<Request>> {
        if self.connection.is_none() {
            self.connection = schema::reader(&self.file)?;
        }
        let Some(connection) = &self.connection else { return Ok(Vec::new()) };
        open(connection, &self.run).map_err(|error| schema::refusal(&self.file, error))
    }
}

/// Writes down a request and returns its number.
pub(super) fn insert(
    connection: &Connection,
    run: &str,
    agent: Option<&str>,
    kind: &str,
    text: &str,
) -> rusqlite::Result<i64> {
    let sql =
        "INSERT INTO request (run, agent, kind, text, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.prepare(sql)?.insert(params![run, agent, kind, text, now()])
}

/// Lists what is asked of a run and was not answered.
pub(super) fn open(connection: &Connection, run: &str) -> rusqlite::Result<Vec<Request>> {
    let sql = "SELECT number, run, agent, kind, text, created_at FROM request
               WHERE run = ?1 AND answer IS NULL ORDER BY number";
    let request = |row: &Row<'_>| {
        Ok(Request {
            number: row.get("number")?,
            run: row.get("run")?,
            agent: row.get("agent")?,
            kind: row.get("kind")?,
            text: row.get("text")?,
            at: row.get("created_at")?,
        })
    };
    connection.prepare_cached(sql)?.query_map([run], request)?.collect()
}

/// The answer of a request that somebody works on. Nobody is told it.
const TAKEN: &str = "taken";

/// Takes a request, so that it is worked on once whatever becomes of its answer; `false` if it was taken
/// or has its answer.
pub(super) fn take(connection: &Connection, number: i64) -> rusqlite::Result<bool> {
    let sql = "UPDATE request SET answer = ?2 WHERE number = ?1 AND answer IS NULL";
    Ok(connection.prepare(sql)?.execute(params![number, TAKEN])? == 1)
}

/// Answers a request, once; `false` if it has its answer.
pub(super) fn answer(connection: &Connection, number: i64, text: &str) -> rusqlite::Result<bool> {
    let sql = "UPDATE request SET answer = ?2, answered_at = ?3
               WHERE number = ?1 AND answered_at IS NULL";
    Ok(connection.prepare(sql)?.execute(params![number, text, now()])? == 1)
}

/// Notes that an agent has heard a text, if somebody has sent it; the oldest of equal ones.
pub(super) fn hear(connection: &Connection, agent: &str, text: &str) -> rusqlite::Result<()> {
    // Also before it is answered: the run may be slower to write that than the agent to hear it.
    let sql =
        "UPDATE request SET answer = ?4, answered_at = coalesce(answered_at, ?5) WHERE number =
               (SELECT min(number) FROM request WHERE agent = ?1 AND kind = ?2 AND text = ?3
                AND coalesce(answer, ?6) = ?6)";
    connection.prepare(sql)?.execute(params![agent, SEND, text, HEARD, now(), DONE]).map(drop)
}

/// Lists the texts that were taken for an agent and that it has not heard, oldest first.
pub(super) fn unheard(connection: &Connection, agent: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT text FROM request WHERE agent = ?1 AND kind = ?2 AND answer = ?3
               ORDER BY number";
    let mut statement = connection.prepare(sql)?;
    statement.query_map(params![agent, SEND, DONE], |row| row.get(0))?.collect()
}

/// Returns the answer to a request, once there is one.
pub(super) fn answered(connection: &Connection, number: i64) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT answer FROM request WHERE number = ?1 AND answered_at IS NOT NULL";
    let found = connection.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?;
    Ok(found.flatten())
}
