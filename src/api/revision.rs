//! Wherever a branch or revision is taken, an outcome, a task, a worktree or a pull request may stand for
//! it.

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
    /// The pull request, where it is one.
    pub pull: Option<Pull>,
}

/// A pull request, as a revision.
#[derive(Clone, Debug)]
pub struct Pull {
    /// What messages call it: `owner/name#7`.
    pub name: String,
    /// The branch that it is for, as a revision.
    pub base: String,
    /// The message of its merge, as GitHub writes it.
    pub merged: String,
    /// That of a commit with all it brings.
    pub squashed: String,
}

impl Revision {
    fn plain(rev: String) -> Self {
        Self {
            rev,
            base_commit: None,
            head_commit: None,
            worktree_path: None,
            uncommitted: false,
            pull: None,
        }
    }

    fn of_pull(table: &LuaTable, number: i64, head_sha: &str, place: &str) -> Returned<Self> {
        let text = |name: &str| -> Returned<String> {
            let value = table.raw_get::<Option<String>>(name)?;
            value.ok_or_else(|| {
                Error::usage(format!("{place} is a pull request without `{name}`")).into()
            })
        };
        let (repo, base_ref, base_sha) = (text("repo")?, text("base_ref")?, text("base_sha")?);
        let owner = table.raw_get::<Option<String>>("head_repo")?.unwrap_or_else(|| repo.clone());
        let owner = owner.split('/').next().unwrap_or_default();
        let (head_ref, title) = (text("head_ref")?, text("title")?);
        let name = format!("{repo}#{number}");
        let merged = format!("Merge pull request #{number} from {owner}/{head_ref}\n\n{title}\n");
        let (base, squashed) =
            (format!("{repo}#{base_ref}@{base_sha}"), format!("{title} (#{number})"));
        let pull = Pull { name, base, merged, squashed };
        Ok(Self { pull: Some(pull), ..Self::plain(format!("{repo}#{number}@{head_sha}")) })
    }

    /// Returns what messages call it.
    pub fn name(&self) -> String {
        self.pull.as_ref().map_or_else(|| self.rev.clone(), |pull| pull.name.clone())
    }
}

/// Reports whether a table is a pull request, also one that has been JSON.
pub fn is_pull(table: &LuaTable) -> bool {
    let has = |name: &str| table.raw_get::<LuaValue>(name).is_ok_and(|value| !value.is_nil());
    has("number") && has("head_sha")
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
        LuaValue::Table(table) if is_pull(table) => {
            let (number, head) = (table.raw_get("number")?, table.raw_get::<String>("head_sha")?);
            Revision::of_pull(table, number, &head, place)
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
                    pull: None,
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
                    pull: None,
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
            "{place} must be a branch, a revision, an outcome, a task, a worktree or a pull request, not {}",
            type_of(other)
        ))
        .into()),
    }
}
