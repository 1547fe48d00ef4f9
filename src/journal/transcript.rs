//! What was said in agents' conversations: numbered entries, added at the end and never changed. What is
//! in them is the agents' business.

use rusqlite::{Connection, Row, params};

/// An entry, for whoever looks on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidRow {
    /// Its number in the conversation of its agent, from 0.
    pub number: u32,
    /// When it was said, in milliseconds since 1970; absent where an earlier version wrote it.
    pub at: Option<i64>,
    /// It, as JSON.
    pub entry: String,
}

/// Adds an entry; `false` if there is one of that number.
pub(super) fn insert(
    connection: &Connection,
    agent: &str,
    number: u32,
    at: i64,
    entry: &str,
) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO transcript (agent, number, entry, at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (agent, number) DO NOTHING";
    Ok(connection.prepare(sql)?.execute(params![agent, number, entry, at])? == 1)
}

/// Lists the entries of an agent in their order.
pub(super) fn select(connection: &Connection, agent: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT entry FROM transcript WHERE agent = ?1 ORDER BY number";
    let mut statement = connection.prepare(sql)?;
    let entries = statement.query_map([agent], |row| row.get(0))?;
    entries.collect()
}

/// Lists the entries of an agent from a number on.
pub(super) fn select_from(
    connection: &Connection,
    agent: &str,
    number: u32,
) -> rusqlite::Result<Vec<SaidRow>> {
    let sql = "SELECT * FROM transcript WHERE agent = ?1 AND number >= ?2 ORDER BY number";
    let entry = |row: &Row<'_>| {
        // A file that nobody has written to since an earlier version lacks it.
        let at = row.as_ref().column_index("at").map_or(Ok(None), |at| row.get(at))?;
        Ok(SaidRow { number: row.get("number")?, at, entry: row.get("entry")? })
    };
    connection.prepare(sql)?.query_map(params![agent, number], entry)?.collect()
}

/// Forgets what was said by agents that last did something before `time`, unless somebody goes on from
/// it who did since.
pub(super) fn forget(connection: &Connection, time: i64) -> rusqlite::Result<bool> {
    let sql = "WITH RECURSIVE needed (id) AS (
                   SELECT id FROM agent WHERE updated_at >= ?1
                   UNION
                   SELECT agent.past FROM agent JOIN needed ON agent.id = needed.id
                   WHERE agent.past IS NOT NULL)
               DELETE FROM transcript WHERE agent NOT IN (SELECT id FROM needed)";
    Ok(connection.prepare(sql)?.execute([time])? > 0)
}
