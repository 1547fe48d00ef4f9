//! Intents: what is about to be done to a repository, written down and synced before it is begun, and
//! its outcome after. One without an outcome whose host is gone is for the next start to finish or to
//! take back.

use std::fs::File;

use rusqlite::{Connection, Row, named_params};
use serde_json::Value;

use super::agent::now;
use super::lock::RunLock;

/// A step, or several, that a host is about to take.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// Its number, growing with time.
    pub id: i64,
    /// Whose it is: the name of the host's lock.
    pub host: String,
    /// What kind of step; git's to define.
    pub kind: String,
    /// What it is about: an agent, a branch.
    pub subject: String,
    /// Everything that is needed to finish it or to take it back.
    pub detail: Value,
    /// Whether its host, or a git child of that host, still runs.
    pub alive: bool,
}

/// Says that a host is alive, as long as it is held or a child that was given its file runs.
#[derive(Debug)]
#[must_use = "the host counts as dead as soon as this is dropped"]
pub struct HostLock {
    /// The name of the host.
    pub name: String,
    pub(super) lock: RunLock,
}

impl HostLock {
    /// Returns the locked file for a child to hold open: as long as one of its descriptors is, the lock
    /// stays.
    ///
    /// # Errors
    /// When no descriptor is free.
    pub fn lifeline(&self) -> std::io::Result<File> {
        self.lock.file().try_clone()
    }
}

pub(super) fn insert(
    connection: &Connection,
    host: &str,
    kind: &str,
    subject: &str,
    detail: &Value,
) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare(
        "INSERT INTO intent (host, kind, subject, detail, created_at)
         VALUES (:host, :kind, :subject, :detail, :now)",
    )?;
    statement.insert(named_params! {
        ":host": host,
        ":kind": kind,
        ":subject": subject,
        ":detail": detail.to_string(),
        ":now": now(),
    })
}

pub(super) fn amend(connection: &Connection, id: i64, detail: &Value) -> rusqlite::Result<bool> {
    let sql = "UPDATE intent SET detail = ?2 WHERE id = ?1 AND outcome IS NULL";
    Ok(connection.prepare(sql)?.execute((id, detail.to_string()))? == 1)
}

pub(super) fn settle(connection: &Connection, id: i64, outcome: &str) -> rusqlite::Result<bool> {
    let sql = "UPDATE intent SET outcome = ?2, settled_at = ?3 WHERE id = ?1 AND outcome IS NULL";
    Ok(connection.prepare(sql)?.execute((id, outcome, now()))? == 1)
}

/// Forgets the intents that had their outcome before `time`.
pub(super) fn forget(connection: &Connection, time: i64) -> rusqlite::Result<bool> {
    Ok(connection.prepare("DELETE FROM intent WHERE settled_at < ?1")?.execute([time])? > 0)
}

/// Lists the intents without an outcome, oldest first; who is alive is not known here.
pub(super) fn unsettled(connection: &Connection) -> rusqlite::Result<Vec<Intent>> {
    let mut statement = connection.prepare(
        "SELECT id, host, kind, subject, detail FROM intent WHERE outcome IS NULL ORDER BY id",
    )?;
    let intent = |row: &Row<'_>| {
        let detail: String = row.get("detail")?;
        Ok(Intent {
            id: row.get("id")?,
            host: row.get("host")?,
            kind: row.get("kind")?,
            subject: row.get("subject")?,
            detail: serde_json::from_str(&detail).unwrap_or_default(),
            alive: true,
        })
    };
    statement.query_map([], intent)?.collect()
}
