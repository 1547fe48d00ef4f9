//! The kinds of results: their classes in the manual, and their fields, for the strictness of their tables.

use mlua::prelude::*;
use serde_json::Value;

use super::test;
use crate::agent::outcome;
use crate::github;
use crate::vm::{error, value};

/// A kind of result.
pub struct Kind {
    /// As messages name it.
    pub name: &'static str,
    /// Its class in the manual.
    pub class: &'static str,
    /// All that it may have; another field is a mistake.
    pub fields: &'static [&'static str],
}

/// Every kind.
pub static KINDS: [Kind; 27] = [
    Kind { name: "outcome", class: "agent.Outcome", fields: outcome::FIELDS },
    Kind {
        name: "settled item",
        class: "agent.Settled",
        fields: &["ok", "value", "error", "outcome"],
    },
    Kind {
        name: "merge",
        class: "git.Merge",
        fields: &[
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
    },
    Kind {
        name: "conflict",
        class: "git.Dispute",
        fields: &["branch", "into", "paths", "conflicts", "worktree"],
    },
    Kind {
        name: "merge of a branch",
        class: "git.BranchMerge",
        fields: &[
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
    },
    Kind {
        name: "diff",
        class: "git.Diff",
        fields: &["patch", "files", "additions", "deletions", "flags", "summary"],
    },
    Kind {
        name: "file diff",
        class: "git.FileDiff",
        fields: &[
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
    },
    Kind { name: "diff flag", class: "git.DiffFlag", fields: &["path", "flag"] },
    Kind { name: "clash", class: "git.Clash", fields: &["a", "b", "paths"] },
    Kind { name: "head", class: "git.Head", fields: &["branch", "commit"] },
    Kind {
        name: "branch",
        class: "git.Branch",
        fields: &["name", "commit", "current", "worktree", "upstream"],
    },
    Kind {
        name: "worktree entry",
        class: "git.WorktreeEntry",
        fields: &["path", "branch", "head", "locked", "main", "agent", "run", "in_use"],
    },
    Kind {
        name: "commit",
        class: "git.Commit",
        fields: &["id", "parents", "author_name", "author_email", "time", "subject", "body"],
    },
    Kind {
        name: "shown commit",
        class: "git.ShownCommit",
        fields: &[
            "id",
            "parents",
            "author_name",
            "author_email",
            "time",
            "subject",
            "body",
            "diff",
        ],
    },
    Kind { name: "made commit", class: "git.MadeCommit", fields: &["commit", "branch", "files"] },
    Kind {
        name: "status",
        class: "git.Status",
        fields: &["branch", "commit", "upstream", "ahead", "behind", "operation", "clean", "files"],
    },
    Kind {
        name: "file status",
        class: "git.FileStatus",
        fields: &["path", "old_path", "staged", "unstaged", "untracked", "conflicted"],
    },
    Kind { name: "transfer", class: "git.Transfer", fields: &["remote", "refs"] },
    Kind { name: "ref change", class: "git.RefChange", fields: &["ref", "old", "new", "status"] },
    Kind {
        name: "agent",
        class: "agent.Row",
        fields: &[
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
    },
    Kind { name: "pull", class: "github.Pull", fields: &github::Pull::FIELDS },
    Kind { name: "issue", class: "github.Issue", fields: &github::Issue::FIELDS },
    Kind { name: "comment", class: "github.Comment", fields: &github::COMMENT },
    Kind { name: "review", class: "github.Review", fields: &github::REVIEW },
    Kind { name: "script run", class: "test.Run", fields: test::FIELDS },
    Kind {
        name: "command result",
        class: "sh.Result",
        fields: &["ok", "code", "stdout", "stderr"],
    },
    Kind {
        name: "config",
        class: "agent.Config",
        fields: &[
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
    },
];

/// Returns the fields that a kind of result may have.
pub fn fields(kind: &str) -> &'static [&'static str] {
    named(kind).map_or(&[], |kind| kind.fields)
}

/// Returns the class in the manual that a kind of result is.
pub fn class(kind: &str) -> Option<&'static str> {
    named(kind).map(|kind| kind.class)
}

/// Returns the kind of result that a class in the manual is.
pub fn of_class(class: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.class == class)
}

fn named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
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
