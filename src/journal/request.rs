//! What other processes ask of a run that goes on: to tell an agent something, to stop it. Whoever asks
//! writes it down and waits for the answer; the run looks for it while it has agents.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::agent::now;

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
    let sql = "SELECT number, run, agent, kind, text FROM request
               WHERE run = ?1 AND answer IS NULL ORDER BY number";
    let request = |row: &Row<'_>| {
        Ok(Request {
            number: row.get("number")?,
            run: row.get("run")?,
            agent: row.get("agent")?,
            kind: row.get("kind")?,
            text: row.get("text")?,
        })
    };
    connection.prepare_cached(sql)?.query_map([run], request)?.collect()
}

/// Answers a request, once; `false` if it has its answer.
pub(super) fn answer(connection: &Connection, number: i64, text: &str) -> rusqlite::Result<bool> {
    let sql =
        "UPDATE request SET answer = ?2, answered_at = ?3 WHERE number = ?1 AND answer IS NULL";
    Ok(connection.prepare(sql)?.execute(params![number, text, now()])? == 1)
}

/// Returns the answer to a request, once there is one.
pub(super) fn answered(connection: &Connection, number: i64) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT answer FROM request WHERE number = ?1";
    let found = connection.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?;
    Ok(found.flatten())
}
