//! The tables, and the refusal of files that this version cannot read.
//!
//! `user_version` numbers the schema: a step is added to [`STEPS`] and never changed. A file that is
//! newer, damaged or somebody else's is refused and left as it is.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::private;
use crate::error::{Error, Kind, Result, ResultExt};

/// Marks the file as a journal of agentlua ("aLua").
const APPLICATION: i32 = 0x614c_7561;

/// What takes a file from each version to the next.
const STEPS: [&str; NEWEST as usize] = [
    "
    CREATE TABLE run (
        id         TEXT PRIMARY KEY,
        script     TEXT NOT NULL,
        started_at INTEGER NOT NULL
    );
    CREATE TABLE agent (
        number         INTEGER PRIMARY KEY,
        id             TEXT NOT NULL UNIQUE,
        run            TEXT NOT NULL REFERENCES run (id),
        call_path      TEXT NOT NULL,
        label          TEXT NOT NULL,
        status         TEXT NOT NULL,
        subtype        TEXT,
        branch         TEXT,
        branch_created INTEGER NOT NULL,
        worktree_path  BLOB,
        base_commit    TEXT,
        head_commit    TEXT,
        turns          INTEGER NOT NULL,
        input_tokens                INTEGER NOT NULL,
        output_tokens               INTEGER NOT NULL,
        cache_read_input_tokens     INTEGER NOT NULL,
        cache_creation_input_tokens INTEGER NOT NULL,
        cost_usd       REAL,
        created_at     INTEGER NOT NULL,
        updated_at     INTEGER NOT NULL,
        status_at      INTEGER NOT NULL
    );
    CREATE INDEX agent_of_run ON agent (run);
",
    "
    CREATE TABLE intent (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        host       TEXT NOT NULL,
        kind       TEXT NOT NULL,
        subject    TEXT NOT NULL,
        detail     TEXT NOT NULL,
        outcome    TEXT,
        created_at INTEGER NOT NULL,
        settled_at INTEGER
    );
    CREATE INDEX intent_unsettled ON intent (id) WHERE outcome IS NULL;
",
    "
    ALTER TABLE agent ADD COLUMN session TEXT;
    ALTER TABLE agent ADD COLUMN past TEXT;
    CREATE INDEX agent_of_session ON agent (session);
    CREATE INDEX agent_of_past ON agent (past);
    CREATE TABLE transcript (
        agent  TEXT NOT NULL,
        number INTEGER NOT NULL,
        entry  TEXT NOT NULL,
        PRIMARY KEY (agent, number)
    );
",
    "
    ALTER TABLE run ADD COLUMN command TEXT;
    ALTER TABLE run ADD COLUMN status TEXT;
    ALTER TABLE run ADD COLUMN exit_code INTEGER;
    ALTER TABLE run ADD COLUMN ended_at INTEGER;
    ALTER TABLE run ADD COLUMN lives INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE agent ADD COLUMN key TEXT;
    ALTER TABLE agent ADD COLUMN inputs TEXT;
    ALTER TABLE agent ADD COLUMN base_tree TEXT;
    ALTER TABLE agent ADD COLUMN outcome TEXT;
    ALTER TABLE agent ADD COLUMN place INTEGER;
    ALTER TABLE agent ADD COLUMN superseded INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE agent ADD COLUMN lives INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE transcript ADD COLUMN at INTEGER;
    CREATE TABLE step (
        run   TEXT NOT NULL,
        path  TEXT NOT NULL,
        kind  TEXT NOT NULL,
        key   TEXT NOT NULL,
        state TEXT NOT NULL,
        value TEXT NOT NULL,
        at    INTEGER NOT NULL,
        PRIMARY KEY (run, path)
    );
    CREATE TABLE event (
        number INTEGER PRIMARY KEY,
        run    TEXT NOT NULL,
        agent  TEXT,
        at     INTEGER NOT NULL,
        object TEXT NOT NULL
    );
    CREATE INDEX agent_by_place ON agent (run, place);
    CREATE INDEX event_of_agent ON event (agent);
    CREATE INDEX event_of_run ON event (run);
    CREATE TABLE request (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        run         TEXT NOT NULL,
        agent       TEXT,
        kind        TEXT NOT NULL,
        text        TEXT NOT NULL,
        created_at  INTEGER NOT NULL,
        answer      TEXT,
        answered_at INTEGER
    );
    CREATE INDEX request_open ON request (run) WHERE answer IS NULL;
",
];

/// The version that this program writes.
pub(super) const NEWEST: u32 = 4;

/// How long one process waits for another's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// Opens the file for writing, made or brought up to date if need be.
pub(super) fn writer(file: &Path) -> Result<Connection> {
    private::journal(file)
        .or_kind(Kind::Io, || format!("cannot open the journal `{}`", file.display()))?;
    let mut connection =
        open(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    let version = version(&connection, file)?;
    let prepare = |connection: &mut Connection| -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        if version < NEWEST {
            migrate(connection)?;
        }
        Ok(())
    };
    prepare(&mut connection).map_err(|error| refusal(file, error))?;
    Ok(connection)
}

/// Opens the file for reading; `None` when there is nothing to read yet. One that nobody has written to
/// since an earlier version lacks the later tables and columns: see [`knows`].
pub(super) fn reader(file: &Path) -> Result<Option<Connection>> {
    if !file.exists() {
        return Ok(None);
    }
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // Version 0 is a file whose maker was cut off before the first table.
    Ok((version(&connection, file)? > 0).then_some(connection))
}

/// Tells whether a file that is being read has the tables of `version`.
pub(super) fn knows(connection: &Connection, version: u32) -> rusqlite::Result<bool> {
    connection.pragma_query_value(None, "user_version", |row| Ok(row.get::<_, u32>(0)? >= version))
}

fn open(file: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .or_kind(Kind::Io, || format!("cannot open the journal `{}`", file.display()))?;
    connection.busy_timeout(BUSY).or_kind(Kind::Io, || "cannot set up the journal")?;
    Ok(connection)
}

/// Returns the version of a file that is ours, or empty; refuses every other.
fn version(connection: &Connection, file: &Path) -> Result<u32> {
    let number = |pragma: &str| {
        let found = connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
        found.map_err(|error| refusal(file, error))
    };
    // The mark last: another process may be making the tables, and writes all three at once.
    let changes = number("schema_version")?;
    let version = number("user_version")?;
    let application = number("application_id")?;
    let shown = file.display();
    if application != APPLICATION && (changes > 0 || version != 0) {
        return Err(Error::new(Kind::Io, format!("`{shown}` is not a journal of agentlua"))
            .hint(format!("mv {shown} {shown}.other")));
    }
    match u32::try_from(version) {
        Ok(version) if version <= NEWEST => Ok(version),
        _ => Err(Error::new(
            Kind::Io,
            format!(
                "the journal `{shown}` was written by a newer agentlua (version {version}, this one \
                 knows {NEWEST})"
            ),
        )
        .hint(format!("update agentlua, or mv {shown} {shown}.newer"))),
    }
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been first.
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for step in STEPS.iter().skip(version as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", NEWEST)?;
    transaction.commit()
}

/// Makes a file as an earlier version did, with the run `r1` and its agent `a1`.
#[cfg(test)]
pub(super) fn of_version(file: &Path, version: u32) -> rusqlite::Result<()> {
    let connection = Connection::open(file)?;
    for step in STEPS.iter().take(version as usize) {
        connection.execute_batch(step)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", version)?;
    connection.execute_batch(
        "INSERT INTO run (id, script, started_at) VALUES ('r1', 'x.lua', 1);
         INSERT INTO agent (id, run, call_path, label, status, branch_created, turns, input_tokens,
             output_tokens, cache_read_input_tokens, cache_creation_input_tokens, created_at, updated_at,
             status_at)
         VALUES ('a1', 'r1', '/query#1', 'a1', 'completed', 0, 1, 0, 0, 0, 0, 1, 1, 1);",
    )
}

/// Says what is wrong with the file, and what to do about it.
pub(super) fn refusal(file: &Path, error: rusqlite::Error) -> Error {
    let shown = file.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            Error::new(Kind::Io, format!("the journal `{shown}` is damaged"))
                .because(error)
                .hint(format!("mv {shown} {shown}.damaged (branches and worktrees are not in it)"))
        }
        Some(ErrorCode::DiskFull) => {
            Error::new(Kind::Io, format!("no space left for the journal `{shown}`")).because(error)
        }
        _ => Error::new(Kind::Io, format!("cannot use the journal `{shown}`")).because(error),
    }
}
