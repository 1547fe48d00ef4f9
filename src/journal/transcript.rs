//! What was said in agents' conversations: numbered entries, added at the end and never changed. What is
//! in them is the agents' business.

use rusqlite::{Connection, Row, named_params, params};

use super::event::EventFilter;

/// An entry, for whoever looks on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidRow {
    /// Its number among all entries, growing with time.
    pub number: i64,
    /// The agent in whose conversation it was said.
    pub agent: String,
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

/// Lists what was said by an agent, or by those of a run, in the order in which it was written.
pub(super) fn select_after(
    connection: &Connection,
    filter: &EventFilter,
) -> rusqlite::Result<Vec<SaidRow>> {
    let which = match filter {
        EventFilter { agent: Some(_), .. } => "agent = :agent",
        _ => "agent IN (SELECT id FROM agent WHERE run = :run)",
    };
    let sql = format!(
        "SELECT rowid AS place, * FROM transcript
         WHERE {which} AND rowid > :after AND coalesce(:run, :agent) IS NOT NULL ORDER BY rowid"
    );
    let said = |row: &Row<'_>| {
        // A file that nobody has written to since an earlier version lacks it.
        let at = row.as_ref().column_index("at").map_or(Ok(None), |at| row.get(at))?;
        Ok(SaidRow {
            number: row.get("place")?,
            agent: row.get("agent")?,
            at,
            entry: row.get("entry")?,
        })
    };
    let values =
        named_params! { ":run": filter.run, ":agent": filter.agent, ":after": filter.after };
    connection.prepare(&sql)?.query_map(values, said)?.collect()
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
