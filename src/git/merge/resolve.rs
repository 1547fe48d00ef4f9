//! What somebody made of the conflicts of a merge: the files of its temporary worktree as a tree.
//!
//! Taken like a snapshot, with the shared git directory and a private index: what the worktree's own
//! git directory says by now has no say.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::json;

use super::{Conflict, Trial, listed};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::command::{LONG, path, text};

/// What begins the lines that git puts around the sides of a conflict.
const MARKERS: [&[u8]; 2] = [b"<<<<<<< ", b">>>>>>> "];

impl Trial {
    /// Returns the tree of the files as they are. With `all_changed`, each path in conflict must be
    /// another than it was: nobody has said that it is right as it was.
    ///
    /// # Errors
    /// [`Kind::Git`] when a conflict marker is left, naming the files; `e.merge` is that of the
    /// conflict.
    pub async fn resolution(&self, conflict: &Conflict, all_changed: bool) -> Result<String> {
        let trouble = || format!("cannot store how `{}` was resolved", conflict.branch);
        let tree = self.stage().await.or_kind(Kind::Git, trouble)?;
        let marked = self.marked(conflict);
        if !marked.is_empty() {
            return Err(unresolved(conflict, "still has conflict markers", &marked));
        }
        if all_changed {
            let same = self.same(conflict, &tree).await.or_kind(Kind::Git, trouble)?;
            if !same.is_empty() {
                let why = "is as the conflict left it, and `on_conflict` did not return true";
                return Err(unresolved(conflict, why, &same));
            }
        }
        Ok(tree)
    }

    async fn stage(&self) -> anyhow::Result<String> {
        let (repo, private) = (self.worktree().repo(), self.worktree().private());
        let add = repo.git_at(&private, "add").args(["--all", "--sparse"]);
        add.limit(LONG).bytes().await?;
        repo.git_at(&private, "write-tree").line().await
    }

    /// Returns the files in conflict in which a marker is left.
    fn marked(&self, conflict: &Conflict) -> Vec<String> {
        let is_marked = |name: &[u8]| {
            let file = self.worktree().path().join(path(name));
            // Through no link: what that leads to is not in the tree.
            file.symlink_metadata().is_ok_and(|file| file.is_file())
                && std::fs::read(&file).is_ok_and(|bytes| {
                    let mut lines = bytes.split(|byte| *byte == b'\n');
                    lines.any(|line| MARKERS.iter().any(|marker| line.starts_with(marker)))
                })
        };
        let names = conflict.half.unmerged.iter().filter(|name| is_marked(name));
        names.map(|name| text(name)).collect()
    }

    /// Returns the paths in conflict that a tree has as the merge left them.
    async fn same(&self, conflict: &Conflict, tree: &str) -> anyhow::Result<Vec<String>> {
        let changes = self.worktree().repo().changes(&conflict.half.tree, tree).await;
        let changes = changes.context("cannot compare the files")?;
        let other: BTreeSet<&[u8]> = changes.iter().map(|change| &*change.path).collect();
        let same = conflict.half.unmerged.iter().filter(|name| !other.contains(&***name));
        Ok(same.map(|name| text(name)).collect())
    }
}

fn unresolved(conflict: &Conflict, why: &str, paths: &[String]) -> Error {
    let (branch, into, listed) = (&conflict.branch, &conflict.into, listed(paths));
    Error::new(Kind::Git, format!("merging `{branch}` into `{into}`: {listed} {why}")).with(
        "merge",
        json!({ "status": "conflicted", "conflicts": conflict.as_json(), "paths": paths }),
    )
}
