//! Steps of the script itself whose results are kept, so that a resumed run has them again instead of
//! taking them twice: merges, commits, `agent.once`, the clock.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::agent::now;

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its place in the script, as a path of calls.
    pub path: String,
    /// What kind of step.
    pub kind: String,
    /// The hash of everything that it was asked.
    pub key: String,
    /// Whether it is done; else it was about to be.
    pub done: bool,
    /// Its result as JSON; what it is about to do, if it is not done.
    pub value: String,
}

const DONE: &str = "done";
const BEGUN: &str = "begun";

/// Writes down a step, in the place of one at the same path.
pub(super) fn put(connection: &Connection, run: &str, step: &Step) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO step (run, path, kind, key, state, value, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (run, path) DO UPDATE
                   SET kind = ?3, key = ?4, state = ?5, value = ?6, at = ?7";
    let state = if step.done { DONE } else { BEGUN };
    let values = params![run, step.path, step.kind, step.key, state, step.value, now()];
    Ok(connection.prepare_cached(sql)?.execute(values)? == 1)
}

/// Notes that a step stands at another path now, in the place of whatever stood there.
pub(super) fn put_elsewhere(
    connection: &Connection,
    run: &str,
    from: &str,
    to: &str,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE OR REPLACE step SET path = ?3 WHERE run = ?1 AND path = ?2";
    Ok(connection.prepare_cached(sql)?.execute([run, from, to])? == 1)
}

/// Lists what `each` makes of the steps of a run, one after the other.
pub(super) fn select<T>(
    connection: &Connection,
    run: &str,
    mut each: impl FnMut(Step) -> T,
) -> rusqlite::Result<Vec<T>> {
    let sql = "SELECT path, kind, key, state, value FROM step WHERE run = ?1 ORDER BY rowid";
    let mut statement = connection.prepare(sql)?;
    statement.query_map([run], |row| Ok(each(read(row)?)))?.collect()
}

/// Returns the step at a path.
pub(super) fn at(connection: &Connection, run: &str, path: &str) -> rusqlite::Result<Option<Step>> {
    let sql = "SELECT path, kind, key, state, value FROM step WHERE run = ?1 AND path = ?2";
    connection.prepare(sql)?.query_row([run, path], read).optional()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Step> {
    let state: String = row.get("state")?;
    Ok(Step {
        path: row.get("path")?,
        kind: row.get("kind")?,
        key: row.get("key")?,
        done: state == DONE,
        value: row.get("value")?,
    })
}
