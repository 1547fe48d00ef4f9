//! The fields of every kind of result, for the strictness of its table.

use mlua::prelude::*;
use serde_json::Value;

use super::test;
use crate::agent::outcome;
use crate::github;
use crate::vm::{error, value};

/// Returns the fields that a kind of result may have.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn fields(kind: &str) -> &'static [&'static str] {
    match kind {
        "outcome" => outcome::FIELDS,
        "settled item" => &["ok", "value", "error", "outcome"],
        "merge" => &[
            "status",
            "commit",
            "into",
            "conflicts",
            "reason",
            "paths",
            "output",
            "merges",
            "resolved",
            "dropped",
            "dropped_total",
        ],
        "conflict" => &["branch", "into", "paths", "conflicts", "worktree"],
        "merge of a branch" => &[
            "branch",
            "status",
            "commit",
            "message",
            "conflicts",
            "reason",
            "paths",
            "output",
            "resolved",
            "dropped",
            "dropped_total",
            "outcome",
        ],
        "diff" => &["patch", "files", "additions", "deletions", "flags", "summary"],
        "file diff" => &[
            "path",
            "old_path",
            "status",
            "additions",
            "deletions",
            "binary",
            "old_mode",
            "new_mode",
            "target",
            "flags",
        ],
        "diff flag" => &["path", "flag"],
        "clash" => &["a", "b", "paths"],
        "head" => &["branch", "commit"],
        "branch" => &["name", "commit", "current", "worktree", "upstream"],
        "worktree entry" => &["path", "branch", "head", "locked", "main", "agent", "run", "in_use"],
        "commit" => &["id", "parents", "author_name", "author_email", "time", "subject", "body"],
        "shown commit" => {
            &["id", "parents", "author_name", "author_email", "time", "subject", "body", "diff"]
        }
        "made commit" => &["commit", "branch", "files"],
        "status" => {
            &["branch", "commit", "upstream", "ahead", "behind", "operation", "clean", "files"]
        }
        "file status" => &["path", "old_path", "staged", "unstaged", "untracked", "conflicted"],
        "transfer" => &["remote", "refs"],
        "ref change" => &["ref", "old", "new", "status"],
        "agent" => &[
            "id",
            "status",
            "branch",
            "since",
            "run",
            "label",
            "turns",
            "usage",
            "cost_usd",
            "worktree_path",
            "base_commit",
            "head_commit",
        ],
        "pull" => &github::Pull::FIELDS,
        "issue" => &github::Issue::FIELDS,
        "comment" => &github::COMMENT,
        "review" => &github::REVIEW,
        "script run" => test::FIELDS,
        "command result" => &["ok", "code", "stdout", "stderr"],
        "config" => &[
            "model",
            "concurrency",
            "max_turns",
            "max_budget_usd",
            "prices",
            "timeout",
            "idle_timeout",
            "max_output_tokens",
            "strict",
            "quiet",
            "output_format",
            "dry_run",
            "repo",
            "worktree_root",
            "record",
            "replay",
            "replay_tools",
            "worktree",
        ],
        _ => &[],
    }
}

/// Returns the class in the manual that a kind of result is.
pub fn class(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "outcome" => "agent.Outcome",
        "settled item" => "agent.Settled",
        "agent" => "agent.Row",
        "config" => "agent.Config",
        "merge" => "git.Merge",
        "conflict" => "git.Dispute",
        "merge of a branch" => "git.BranchMerge",
        "diff" => "git.Diff",
        "file diff" => "git.FileDiff",
        "diff flag" => "git.DiffFlag",
        "clash" => "git.Clash",
        "head" => "git.Head",
        "branch" => "git.Branch",
        "worktree entry" => "git.WorktreeEntry",
        "commit" => "git.Commit",
        "shown commit" => "git.ShownCommit",
        "made commit" => "git.MadeCommit",
        "status" => "git.Status",
        "file status" => "git.FileStatus",
        "transfer" => "git.Transfer",
        "ref change" => "git.RefChange",
        "command result" => "sh.Result",
        _ => return None,
    })
}

/// Turns an object into a result of a kind.
pub fn table(lua: &Lua, kind: &str, fields: &Value) -> LuaResult<LuaTable> {
    match value::to_lua(lua, fields)? {
        LuaValue::Table(table) => error::as_result(lua, kind, table),
        _ => lua.create_table(),
    }
}

/// Turns a list of objects into a list of results of a kind.
pub fn list(lua: &Lua, kind: &str, items: impl IntoIterator<Item = Value>) -> LuaResult<LuaTable> {
    let list = lua.create_table()?;
    for (index, item) in items.into_iter().enumerate() {
        list.raw_set(index + 1, table(lua, kind, &item)?)?;
    }
    list.set_metatable(Some(value::array_metatable(lua)?))?;
    Ok(list)
}
