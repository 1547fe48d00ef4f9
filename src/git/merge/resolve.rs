//! What somebody made of the conflicts of a merge: the files of its temporary worktree as a tree.
//!
//! Taken like a snapshot, with the shared git directory and a private index: what the worktree's own
//! git directory says by now has no say.

use std::collections::{BTreeSet, HashMap};

use anyhow::Context;
use serde_json::json;

use super::loss::{Losses, losses};
use super::sides::{Sides, contents};
use super::{Conflict, Proposal, Trial, listed};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::command::{LONG, text};
use crate::git::repo::Repo;

/// What begins the lines that git puts around the sides of a conflict; a space and a name may follow.
const MARKERS: [&[u8]; 4] = [b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>"];

/// What somebody made of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The files.
    pub tree: String,
    /// The paths in conflict in which a conflict marker is left.
    pub marked: Vec<String>,
    /// The lines that a side had added and that are gone.
    pub dropped: Losses,
}

impl Trial {
    /// Takes the files as they are, and looks at what they make of a conflict.
    ///
    /// # Errors
    /// [`Kind::Git`] when the files cannot be stored.
    pub async fn examined(&self, conflict: &Conflict) -> Result<Examined> {
        let trouble = || format!("cannot store how `{}` was resolved", conflict.branch);
        let look = async {
            let (repo, tree) = (self.worktree().repo(), self.stage().await?);
            let sides = conflict.half.sides();
            let marked = marked(repo, &sides, &tree).await?;
            let dropped = losses(repo, &sides, &tree).await?;
            anyhow::Ok(Examined { tree, marked, dropped })
        };
        look.await.or_kind(Kind::Git, trouble)
    }

    /// Returns what was made of a conflict. With `all_changed`, each path in conflict must be another
    /// than it was: nobody has said that it is right as it was.
    ///
    /// # Errors
    /// [`Kind::Git`] when a conflict marker is left, naming the files; `e.merge` is that of the
    /// conflict.
    pub async fn resolution(&self, conflict: &Conflict, all_changed: bool) -> Result<Examined> {
        let examined = self.examined(conflict).await?;
        examined.require_unmarked(conflict)?;
        if all_changed {
            let trouble = || format!("cannot compare how `{}` was resolved", conflict.branch);
            let same = self.same(conflict, &examined.tree).await.or_kind(Kind::Git, trouble)?;
            if !same.is_empty() {
                let why = "is as the conflict left it, and `on_conflict` did not return true";
                return Err(unresolved(conflict, why, &same));
            }
        }
        Ok(examined)
    }

    /// Takes the files as they are, and what they lack of the merged ones that `proposal` is: lines that
    /// it had added to its base in the files that are another now.
    ///
    /// # Errors
    /// [`Kind::Git`] when the files cannot be stored.
    pub async fn repaired(&self, proposal: &Proposal) -> Result<(String, Losses)> {
        let trouble = || format!("cannot store what was changed after merging `{}`", proposal.name);
        let look = async {
            let (repo, tree) = (self.worktree().repo(), self.stage().await?);
            let changes = repo.changes(&proposal.commit, &tree).await?;
            let paths: Vec<&[u8]> = changes.iter().map(|change| &*change.path).collect();
            let before = repo.entries(&proposal.old, &paths).await?;
            let after = repo.entries(&proposal.commit, &paths).await?;
            let version = |from: &HashMap<Vec<u8>, (String, String)>, path: &[u8]| {
                let (mode, id) = from.get(path)?.clone();
                Some(super::sides::Version { mode, id })
            };
            // As a merge in which the other side changed nothing.
            let sides: Vec<Sides> = paths
                .iter()
                .map(|path| Sides {
                    path: path.to_vec(),
                    base: version(&before, path),
                    ours: version(&after, path),
                    theirs: version(&before, path),
                })
                .collect();
            anyhow::Ok((losses(repo, &sides, &tree).await?, tree))
        };
        let (losses, tree) = look.await.or_kind(Kind::Git, trouble)?;
        Ok((tree, losses))
    }

    async fn stage(&self) -> anyhow::Result<String> {
        let (repo, private) = (self.worktree().repo(), self.worktree().private());
        let add = repo.git_at(&private, "add").args(["--all", "--sparse"]);
        add.limit(LONG).bytes().await?;
        repo.git_at(&private, "write-tree").line().await
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

impl Examined {
    /// Refuses files in which a conflict marker is left.
    ///
    /// # Errors
    /// [`Kind::Git`], naming them.
    pub fn require_unmarked(&self, conflict: &Conflict) -> Result<()> {
        if self.marked.is_empty() {
            return Ok(());
        }
        Err(unresolved(conflict, "still has conflict markers", &self.marked))
    }
}

/// Returns the files in which a marker is left: more of such lines than the sides have together, because
/// a text about conflicts has some of its own.
async fn marked(repo: &Repo, sides: &[Sides], tree: &str) -> anyhow::Result<Vec<String>> {
    let paths: Vec<&[u8]> = sides.iter().map(|one| &*one.path).collect();
    let entries = repo.entries(tree, &paths).await?;
    let files = entries.values().filter(|(mode, _)| mode.starts_with("100"));
    let ids: Vec<&str> = files.map(|(_, id)| &**id).collect();
    let (results, contents) = (repo.blobs(&ids).await?, contents(repo, sides).await?);
    let is_marked = |one: &&Sides| {
        let Some((_, id)) = entries.get(&one.path) else { return false };
        let Some(result) = results.get(id) else { return false };
        let own = [&one.ours, &one.theirs].into_iter().flatten();
        let own: Vec<&Vec<u8>> = own.filter_map(|side| contents.get(&side.id)).collect();
        MARKERS.iter().any(|marker| {
            let there: usize = own.iter().map(|bytes| count(bytes, marker)).sum();
            count(result, marker) > there
        })
    };
    Ok(sides.iter().filter(is_marked).map(|one| text(&one.path)).collect())
}

/// Counts the lines that are a marker.
fn count(bytes: &[u8], marker: &[u8]) -> usize {
    let is_one = |line: &&[u8]| {
        let rest = line.strip_prefix(marker);
        rest.is_some_and(|rest| matches!(rest, [] | [b'\r'] | [b' ', ..]))
    };
    bytes.split(|byte| *byte == b'\n').filter(is_one).count()
}

fn unresolved(conflict: &Conflict, why: &str, paths: &[String]) -> Error {
    let (branch, into, listed) = (&conflict.branch, &conflict.into, listed(paths));
    Error::new(Kind::Git, format!("merging `{branch}` into `{into}`: {listed} {why}")).with(
        "merge",
        json!({ "status": "conflicted", "conflicts": conflict.as_json(), "paths": paths }),
    )
}
