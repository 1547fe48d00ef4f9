//! What a resumed run knows its calls by: the agents that were asked, and how they ended.
//!
//! The outcome, the commit that it names and the word that it has ended are one write, synced: an agent
//! has ended for good or it has not.

use rusqlite::{Connection, params};

use super::agent::{self, AgentChange, AgentFilter, AgentRow, now};

/// An agent of a run, and its outcome if it has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// It.
    pub row: AgentRow,
    /// Its outcome, as JSON; absent if it was cut off.
    pub outcome: Option<String>,
}

/// Writes down the end of an agent; `false` if there is no such agent.
pub(super) fn finish(
    connection: &Connection,
    id: &str,
    change: &AgentChange,
    outcome: &str,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE agent SET outcome = ?2,
                   place = (SELECT coalesce(max(place), 0) + 1 FROM agent AS other WHERE other.run = agent.run)
               WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![id, outcome])?;
    agent::update(connection, id, change)
}

/// Lets an agent go on that was cut off or has failed: it has no end any more; `false` if there is none.
pub(super) fn reopen(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    let sql = "UPDATE agent SET status = 'queued', status_at = ?2, updated_at = ?2, subtype = NULL,
                   outcome = NULL, place = NULL, lives = lives + 1
               WHERE id = ?1";
    Ok(connection.prepare(sql)?.execute(params![id, now()])? == 1)
}

/// Notes that an agent that has ended had lost a race; `false` if there is none.
pub(super) fn lose(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    let sql = "UPDATE agent SET outcome = json_set(outcome, '$.lost', json('true'))
               WHERE id = ?1 AND outcome IS NOT NULL";
    Ok(connection.prepare(sql)?.execute([id])? == 1)
}

/// Notes that another call has taken an agent's place; `false` if there is none.
pub(super) fn supersede(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    let sql = "UPDATE agent SET superseded = 1, updated_at = ?2 WHERE id = ?1";
    Ok(connection.prepare(sql)?.execute(params![id, now()])? == 1)
}

/// Moves calls to other paths, by their agents' ids.
pub(super) fn move_all(
    connection: &Connection,
    moves: &[(String, String)],
) -> rusqlite::Result<bool> {
    for (id, path) in moves {
        let change = AgentChange { call_path: Some(path.clone()), ..AgentChange::default() };
        agent::update(connection, id, &change)?;
    }
    Ok(!moves.is_empty())
}

/// Lists the agents of a run that no other call has taken the place of, in the order in which they were asked.
pub(super) fn select(connection: &Connection, run: &str) -> rusqlite::Result<Vec<Call>> {
    let filter = AgentFilter { run: Some(run.to_owned()), ..AgentFilter::default() };
    let rows = agent::select(connection, &filter)?;
    let sql = "SELECT outcome FROM agent WHERE id = ?1";
    let mut statement = connection.prepare(sql)?;
    rows.into_iter()
        .filter(|row| !row.superseded)
        .map(|row| {
            let outcome = statement.query_row([&row.id], |found| found.get(0))?;
            Ok(Call { row, outcome })
        })
        .collect()
}
