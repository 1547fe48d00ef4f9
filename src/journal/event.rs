//! What happened, as programs read it: the objects of `stream-json`, numbered in the order in which they
//! were written, for other processes to read while it goes on. What was said in conversations is in
//! `transcript` and not here a second time.

use rusqlite::{Connection, Row, named_params, params};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its number, growing with time.
    pub number: i64,
    /// The run.
    pub run: String,
    /// The agent that it is about, if it is about one.
    pub agent: Option<String>,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The object, as JSON.
    pub object: String,
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Those of this run.
    pub run: Option<String>,
    /// Those of this agent.
    pub agent: Option<String>,
    /// Those after this number.
    pub after: i64,
}

/// Adds an event.
pub(super) fn insert(
    connection: &Connection,
    run: &str,
    agent: Option<&str>,
    at: i64,
    object: &str,
) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO event (run, agent, at, object) VALUES (?1, ?2, ?3, ?4)";
    Ok(connection.prepare_cached(sql)?.execute(params![run, agent, at, object])? == 1)
}

/// Lists events in their order.
pub(super) fn select(
    connection: &Connection,
    filter: &EventFilter,
) -> rusqlite::Result<Vec<EventRow>> {
    let mut statement = connection.prepare(
        "SELECT number, run, agent, at, object FROM event
         WHERE (:run IS NULL OR run = :run) AND (:agent IS NULL OR agent = :agent) AND number > :after
         ORDER BY number",
    )?;
    let event = |row: &Row<'_>| {
        Ok(EventRow {
            number: row.get("number")?,
            run: row.get("run")?,
            agent: row.get("agent")?,
            at: row.get("at")?,
            object: row.get("object")?,
        })
    };
    let values =
        named_params! { ":run": filter.run, ":agent": filter.agent, ":after": filter.after };
    statement.query_map(values, event)?.collect()
}

/// Forgets what happened before `time`.
pub(super) fn forget(connection: &Connection, time: i64) -> rusqlite::Result<bool> {
    // They are numbered in about the order of time, so that no more is looked at than goes.
    let sql = "DELETE FROM event WHERE number < coalesce(
                   (SELECT number FROM event WHERE at >= ?1 ORDER BY number LIMIT 1),
                   (SELECT max(number) + 1 FROM event))";
    Ok(connection.prepare(sql)?.execute([time])? > 0)
}
