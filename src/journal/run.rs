//! Runs: how each was started, so that it can be started again, and how it ended.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::agent::now;

/// How a run was started: enough to start it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Command {
    /// The script's file, absolute; absent for standard input and for a session.
    pub script: Option<String>,
    /// The script, as it was.
    pub source: String,
    /// Its arguments; bytes that are no UTF-8 are replaced.
    pub args: Vec<String>,
    /// Where agentlua was started.
    pub cwd: String,
    /// The flags that were typed, as JSON; the command line's to read.
    pub flags: serde_json::Value,
    /// Whether it is a run in the background, whose output is kept.
    pub detached: bool,
    /// The process that works on it, or did so last.
    pub process: Option<u32>,
    /// The folders of the other stores that it has begun in, for its agents in other repositories.
    pub elsewhere: Vec<PathBuf>,
}

/// A run, to be begun or gone on with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRun {
    /// Its id.
    pub id: String,
    /// The script's name, as it was typed.
    pub script: String,
    /// How it was started.
    pub command: Command,
}

impl NewRun {
    /// Makes one that cannot be started again: a session, a test.
    pub fn new(id: &str, script: &str) -> Self {
        Self { id: id.to_owned(), script: script.to_owned(), ..Self::default() }
    }
}

/// A run as the journal knows it. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// The script's name, as it was typed.
    pub script: String,
    /// How it was started; absent for one of an earlier version.
    pub command: Option<Command>,
    /// How it ended: `completed`, `degraded`, `failed` or `interrupted`, as in the last line of
    /// `--output-format json`. Absent for one that goes on or was cut off.
    pub status: Option<String>,
    /// Its exit code, when it has ended.
    pub exit_code: Option<i32>,
    /// When it began first.
    pub started_at: i64,
    /// When it ended last; it may have been gone on with since.
    pub ended_at: Option<i64>,
    /// In how many processes it was worked on.
    pub lives: u32,
    /// Whether a process works on it. Never stored: read from its lock.
    pub alive: bool,
}

/// Writes down that a run begins, or goes on.
pub(super) fn begin(connection: &Connection, run: &NewRun) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO run (id, script, started_at, command) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (id) DO UPDATE
                   SET script = ?2, command = ?4, status = NULL, exit_code = NULL, lives = lives + 1";
    let command = serde_json::to_string(&run.command).unwrap_or_default();
    Ok(connection.prepare(sql)?.execute(params![run.id, run.script, now(), command])? == 1)
}

/// Notes that a run has begun in another store, too; `false` if that is known, or there is no such run.
pub(super) fn note_elsewhere(
    connection: &Connection,
    run: &str,
    dir: &Path,
) -> rusqlite::Result<bool> {
    let sql = "SELECT command FROM run WHERE id = ?1";
    let found =
        connection.query_row(sql, [run], |row| row.get::<_, Option<String>>(0)).optional()?;
    let command = found.flatten().and_then(|text| serde_json::from_str::<Command>(&text).ok());
    let Some(mut command) = command.filter(|command| command.elsewhere.iter().all(|at| at != dir))
    else {
        return Ok(false);
    };
    command.elsewhere.push(dir.to_owned());
    // A path that is no text cannot be kept so; then it is as if nobody had been there.
    let Ok(text) = serde_json::to_string(&command) else { return Ok(false) };
    let sql = "UPDATE run SET command = ?2 WHERE id = ?1";
    Ok(connection.execute(sql, params![run, text])? == 1)
}

/// Writes down how a run ended.
pub(super) fn end(
    connection: &Connection,
    run: &str,
    status: &str,
    exit_code: i32,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE run SET status = ?2, exit_code = ?3, ended_at = ?4 WHERE id = ?1";
    Ok(connection.prepare(sql)?.execute(params![run, status, exit_code, now()])? == 1)
}

/// Lists the runs, the newest last; who is alive is not known here.
pub(super) fn select(connection: &Connection) -> rusqlite::Result<Vec<RunRow>> {
    let run = |row: &Row<'_>| {
        // A file that nobody has written to since an earlier version lacks these.
        let text = |name: &str| -> rusqlite::Result<Option<String>> {
            row.as_ref().column_index(name).map_or(Ok(None), |at| row.get(at))
        };
        let number = |name: &str| -> rusqlite::Result<Option<i64>> {
            row.as_ref().column_index(name).map_or(Ok(None), |at| row.get(at))
        };
        let exit_code = number("exit_code")?.and_then(|code| i32::try_from(code).ok());
        Ok(RunRow {
            id: row.get("id")?,
            script: row.get("script")?,
            command: text("command")?.and_then(|text| serde_json::from_str(&text).ok()),
            status: text("status")?,
            exit_code,
            started_at: row.get("started_at")?,
            ended_at: number("ended_at")?,
            lives: number("lives")?.and_then(|lives| u32::try_from(lives).ok()).unwrap_or(1),
            alive: false,
        })
    };
    connection.prepare("SELECT * FROM run ORDER BY rowid")?.query_map([], run)?.collect()
}
