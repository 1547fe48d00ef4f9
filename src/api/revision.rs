//! Wherever a branch or revision is taken, an outcome, a task or a worktree may stand for it.

use mlua::prelude::*;
use serde_json::json;

use super::{task, worktree};
use crate::error::{Error, Kind};
use crate::vm::args::type_of;
use crate::vm::bridge::Returned;

/// Something that git can resolve, and what it came from.
#[derive(Clone, Debug)]
pub struct Revision {
    /// What to resolve: a branch, an id, any revision.
    pub rev: String,
    /// The outcome's base, where it is one.
    pub base_commit: Option<String>,
    /// The commit that the outcome's branch ended at, where it is one.
    pub head_commit: Option<String>,
    /// The worktree, where it has one that may still be there.
    pub worktree_path: Option<std::path::PathBuf>,
    /// Whether it is an outcome whose work stands in its worktree alone (`commit = false`).
    pub uncommitted: bool,
}

impl Revision {
    fn plain(rev: String) -> Self {
        Self { rev, base_commit: None, head_commit: None, worktree_path: None, uncommitted: false }
    }
}

impl Revision {
    /// Returns what a merge takes.
    ///
    /// # Errors
    /// Git, for an outcome whose work no commit has: merging its branch would bring nothing.
    pub fn to_merge(self) -> Result<String, Error> {
        if self.uncommitted {
            let message = format!("the work on `{}` is not committed", self.rev);
            return Err(Error::new(Kind::Git, message)
                .with("merge", json!({ "status": "refused", "reason": "uncommitted" }))
                .hint(
                    "the query said `commit = false`: commit it in its worktree, or leave that out",
                ));
        }
        Ok(self.rev)
    }
}

/// Reads a revision. `place` names the argument or option in errors.
pub fn read(value: &LuaValue, place: &str) -> Returned<Revision> {
    match value {
        LuaValue::String(text) => {
            let text = text.to_string_lossy();
            if text.trim().is_empty() {
                return Err(Error::usage(format!("{place} is empty")).into());
            }
            Ok(Revision::plain(text))
        }
        LuaValue::Table(table) => match table.raw_get::<Option<String>>("branch")? {
            Some(branch) => {
                let base_commit: Option<String> = table.raw_get("base_commit")?;
                let head_commit: Option<String> = table.raw_get("head_commit")?;
                let changed: Option<LuaTable> = table.raw_get("files_changed")?;
                Ok(Revision {
                    rev: branch,
                    uncommitted: head_commit == base_commit
                        && changed.is_some_and(|paths| paths.raw_len() > 0),
                    base_commit,
                    head_commit,
                    worktree_path: table
                        .raw_get::<Option<String>>("worktree_path")?
                        .map(Into::into),
                })
            }
            None => {
                Err(Error::usage(format!("{place} has no branch: it worked without a worktree"))
                    .into())
            }
        },
        LuaValue::UserData(_) => {
            if let Some(handle) = worktree::of(value) {
                if handle.branch().is_empty() {
                    let message = format!("{place} is a merge's worktree, which is on no branch");
                    return Err(Error::usage(message).into());
                }
                return Ok(Revision {
                    rev: handle.branch().to_owned(),
                    base_commit: Some(handle.base_commit().to_owned()),
                    head_commit: None,
                    worktree_path: Some(handle.path().to_owned()),
                    uncommitted: false,
                });
            }
            if let Some(task) = task::named(value) {
                return match task.branch {
                    Some(branch) => Ok(Revision::plain(branch)),
                    None => {
                        Err(Error::usage(format!("{place} is a task that has no branch (yet)"))
                            .into())
                    }
                };
            }
            Err(Error::usage(format!("{place} is no revision")).into())
        }
        other => Err(Error::usage(format!(
            "{place} must be a branch, a revision, an outcome, a task or a worktree, not {}",
            type_of(other)
        ))
        .into()),
    }
}
