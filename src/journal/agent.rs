//! The registry of agents: one row each, from the moment its id is taken.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, named_params};

use crate::event::Usage;

/// What an agent is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It waits for a place.
    #[default]
    Queued,
    /// It works.
    Running,
    /// It waits for somebody.
    Waiting,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// It was called off.
    Cancelled,
    /// Its process is gone and it had not ended. Never stored: read from the lock of its run.
    Interrupted,
}

impl Status {
    const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// Returns the word that people and scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Tells whether an agent in this state has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Tells whether an agent in this state still does or will do something.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Waiting)
    }
}

impl AgentRow {
    /// Returns the id of its conversation, which agents that go on in it share.
    pub fn session_id(&self) -> String {
        self.session.clone().unwrap_or_else(|| format!("{}/{}", self.run, self.id))
    }
}

impl ToSql for Status {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Status {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// An agent as the registry knows it. Times are milliseconds since 1970, set by the registry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentRow {
    /// Its id, unique in the repository.
    pub id: String,
    /// The run it belongs to.
    pub run: String,
    /// Where in the run it was called, as a path of calls.
    pub call_path: String,
    /// The name that people see.
    pub label: String,
    /// The conversation that it is in; that of its own when absent.
    pub session: Option<String>,
    /// The agent whose conversation it took up.
    pub past: Option<String>,
    /// The hash of everything that was asked of it, by which a resumed run knows the call again.
    pub key: Option<String>,
    /// A short hash of each thing that was asked, by name, as JSON: what has changed can be told.
    pub inputs: Option<String>,
    /// The tree that it started from.
    pub base_tree: Option<String>,
    /// Its place in the order in which the agents of its run ended, from 1.
    pub place: Option<i64>,
    /// Whether another call has taken its place when the run was resumed.
    pub superseded: bool,
    /// How many processes it has worked in.
    pub lives: u32,
    /// What it is doing.
    pub status: Status,
    /// How it ended, as in the outcome.
    pub subtype: Option<String>,
    /// Its branch.
    pub branch: Option<String>,
    /// Whether that branch was made for it: only then may it ever be deleted with it.
    pub branch_created: bool,
    /// Its worktree, as long as there is one.
    pub worktree_path: Option<PathBuf>,
    /// The commit it started from.
    pub base_commit: Option<String>,
    /// The commit its branch ended at.
    pub head_commit: Option<String>,
    /// Model round trips so far.
    pub turns: u32,
    /// Tokens so far.
    pub usage: Usage,
    /// Money so far, in USD; absent when a price is unknown.
    pub cost_usd: Option<f64>,
    /// When its id was taken.
    pub created_at: i64,
    /// When the row last changed.
    pub updated_at: i64,
    /// When the status last changed.
    pub status_at: i64,
}

/// What changes about an agent; what is absent stays.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of `AgentRow`")]
pub struct AgentChange {
    pub status: Option<Status>,
    pub subtype: Option<String>,
    pub label: Option<String>,
    pub branch: Option<String>,
    pub branch_created: Option<bool>,
    pub worktree_path: Option<PathBuf>,
    /// Forgets the worktree: it was removed.
    pub worktree_removed: bool,
    pub base_commit: Option<String>,
    pub head_commit: Option<String>,
    pub turns: Option<u32>,
    pub usage: Option<Usage>,
    pub cost_usd: Option<f64>,
    pub base_tree: Option<String>,
}

/// Which agents to list.
#[derive(Clone, Debug, Default)]
pub struct AgentFilter {
    /// Only those of this run.
    pub run: Option<String>,
    /// Only those whose id starts like this.
    pub id_prefix: Option<String>,
    /// Only those on this branch.
    pub branch: Option<String>,
}

/// Returns the time of the rows: milliseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Inserts a row; `false` if its id is taken.
pub(super) fn insert(connection: &Connection, row: &AgentRow) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare(
        "INSERT INTO agent (id, run, call_path, label, session, past, key, inputs, base_tree, status, subtype,
             branch, branch_created, worktree_path, base_commit, head_commit, turns, input_tokens, output_tokens,
             cache_read_input_tokens, cache_creation_input_tokens, cost_usd, created_at, updated_at,
             status_at)
         VALUES (:id, :run, :call_path, :label, :session, :past, :key, :inputs, :base_tree, :status, :subtype,
             :branch, :branch_created, :worktree_path, :base_commit, :head_commit, :turns, :input, :output, :cache_read,
             :cache_creation, :cost_usd, :now, :now, :now)
         ON CONFLICT (id) DO NOTHING",
    )?;
    let inserted = statement.execute(named_params! {
        ":id": row.id,
        ":run": row.run,
        ":call_path": row.call_path,
        ":label": row.label,
        ":session": row.session,
        ":past": row.past,
        ":key": row.key,
        ":inputs": row.inputs,
        ":base_tree": row.base_tree,
        ":status": row.status,
        ":subtype": row.subtype,
        ":branch": row.branch,
        ":branch_created": row.branch_created,
        ":worktree_path": row.worktree_path.as_ref().map(|path| path.as_os_str().as_bytes()),
        ":base_commit": row.base_commit,
        ":head_commit": row.head_commit,
        ":turns": row.turns,
        ":input": count(row.usage.input_tokens),
        ":output": count(row.usage.output_tokens),
        ":cache_read": count(row.usage.cache_read_input_tokens),
        ":cache_creation": count(row.usage.cache_creation_input_tokens),
        ":cost_usd": row.cost_usd,
        ":now": now(),
    })?;
    Ok(inserted == 1)
}

/// Changes a row; `false` if there is none.
pub(super) fn update(
    connection: &Connection,
    id: &str,
    change: &AgentChange,
) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare(
        "UPDATE agent SET
             status_at = CASE WHEN :status IS NULL OR :status = status THEN status_at ELSE :now END,
             status = coalesce(:status, status),
             subtype = coalesce(:subtype, subtype),
             label = coalesce(:label, label),
             branch = coalesce(:branch, branch),
             branch_created = coalesce(:branch_created, branch_created),
             worktree_path = CASE WHEN :removed THEN NULL
                                  ELSE coalesce(:worktree_path, worktree_path) END,
             base_commit = coalesce(:base_commit, base_commit),
             head_commit = coalesce(:head_commit, head_commit),
             turns = coalesce(:turns, turns),
             input_tokens = coalesce(:input, input_tokens),
             output_tokens = coalesce(:output, output_tokens),
             cache_read_input_tokens = coalesce(:cache_read, cache_read_input_tokens),
             cache_creation_input_tokens = coalesce(:cache_creation, cache_creation_input_tokens),
             cost_usd = coalesce(:cost_usd, cost_usd),
             base_tree = coalesce(:base_tree, base_tree),
             updated_at = :now
         WHERE id = :id",
    )?;
    let tokens = |pick: fn(&Usage) -> u64| change.usage.as_ref().map(|usage| count(pick(usage)));
    let updated = statement.execute(named_params! {
        ":id": id,
        ":status": change.status,
        ":subtype": change.subtype,
        ":label": change.label,
        ":branch": change.branch,
        ":branch_created": change.branch_created,
        ":removed": change.worktree_removed,
        ":worktree_path": change.worktree_path.as_ref().map(|path| path.as_os_str().as_bytes()),
        ":base_commit": change.base_commit,
        ":head_commit": change.head_commit,
        ":turns": change.turns,
        ":input": tokens(|usage| usage.input_tokens),
        ":output": tokens(|usage| usage.output_tokens),
        ":cache_read": tokens(|usage| usage.cache_read_input_tokens),
        ":cache_creation": tokens(|usage| usage.cache_creation_input_tokens),
        ":cost_usd": change.cost_usd,
        ":base_tree": change.base_tree,
        ":now": now(),
    })?;
    Ok(updated == 1)
}

/// Lists rows, the newest last.
pub(super) fn select(
    connection: &Connection,
    filter: &AgentFilter,
) -> rusqlite::Result<Vec<AgentRow>> {
    let mut statement = connection.prepare(
        "SELECT * FROM agent
         WHERE (:run IS NULL OR run = :run)
           AND (:branch IS NULL OR branch = :branch)
           AND (:prefix IS NULL OR substr(id, 1, length(:prefix)) = :prefix)
         ORDER BY number",
    )?;
    let rows = statement.query_map(
        named_params! {
            ":run": filter.run,
            ":branch": filter.branch,
            ":prefix": filter.id_prefix,
        },
        row,
    )?;
    rows.collect()
}

fn row(row: &Row<'_>) -> rusqlite::Result<AgentRow> {
    let tokens = |name: &str| -> rusqlite::Result<u64> {
        let count: i64 = row.get(name)?;
        Ok(u64::try_from(count).unwrap_or_default())
    };
    let path: Option<Vec<u8>> = row.get("worktree_path")?;
    // A file that nobody has written to since an earlier version lacks these.
    let later = |name: &str| -> rusqlite::Result<Option<String>> {
        row.as_ref().column_index(name).map_or(Ok(None), |at| row.get(at))
    };
    let number = |name: &str| -> rusqlite::Result<Option<i64>> {
        row.as_ref().column_index(name).map_or(Ok(None), |at| row.get(at))
    };
    Ok(AgentRow {
        id: row.get("id")?,
        run: row.get("run")?,
        call_path: row.get("call_path")?,
        label: row.get("label")?,
        session: later("session")?,
        past: later("past")?,
        key: later("key")?,
        inputs: later("inputs")?,
        base_tree: later("base_tree")?,
        place: number("place")?,
        superseded: number("superseded")?.is_some_and(|word| word != 0),
        lives: number("lives")?.and_then(|lives| u32::try_from(lives).ok()).unwrap_or(1),
        status: row.get("status")?,
        subtype: row.get("subtype")?,
        branch: row.get("branch")?,
        branch_created: row.get("branch_created")?,
        worktree_path: path.map(|bytes| OsStr::from_bytes(&bytes).into()),
        base_commit: row.get("base_commit")?,
        head_commit: row.get("head_commit")?,
        turns: row.get("turns")?,
        usage: Usage {
            input_tokens: tokens("input_tokens")?,
            output_tokens: tokens("output_tokens")?,
            cache_read_input_tokens: tokens("cache_read_input_tokens")?,
            cache_creation_input_tokens: tokens("cache_creation_input_tokens")?,
        },
        cost_usd: row.get("cost_usd")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        status_at: row.get("status_at")?,
    })
}

fn count(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
