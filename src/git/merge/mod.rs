//! Merging a branch into another: in memory first, then one compare-and-swap of the ref.
//!
//! Nothing moves unless all of it can: conflicts, dirt in the way and parked operations are found
//! before. A target that is checked out somewhere is refreshed in the same step (`target`). No
//! `git merge` runs, so nothing of one can be left behind; no hook runs either.

mod target;

use std::sync::Arc;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::command::{LONG, complaint, fields, text};
use super::repo::Repo;
use super::to_the_end;
use crate::error::{Error, Kind, Result, ResultExt};
use target::Target;

/// How often to try again when the target moves while the merge is made.
const TRIES: u32 = 4;

/// How many paths a message names.
const NAMED_PATHS: usize = 5;

/// What the target gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// A fast-forward where that is possible, else a merge commit.
    #[default]
    Merge,
    /// One commit with all the changes and no second parent.
    Squash,
    /// A fast-forward or nothing.
    FastForward,
}

/// A merge to make.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The revision to merge.
    pub branch: String,
    /// What messages call it.
    pub name: String,
    /// The branch that gets it; the one that is checked out if absent.
    pub into: Option<String>,
    /// How.
    pub strategy: Strategy,
    /// The message of the commit; git's usual one if absent. A fast-forward makes no commit.
    pub message: Option<String>,
}

/// A merge that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// `merged`, `fast_forward` or `up_to_date`.
    pub status: &'static str,
    /// The commit that the target points to now.
    pub commit: String,
    /// The target.
    pub into: String,
}

/// Merges a branch into another.
///
/// # Errors
/// [`Kind::Git`]. What scripts read is in the detail `merge`: `status` is `conflicted`, with
/// `conflicts` (`path`, `kind`) and `paths`, or `refused`, with `reason` (`dirty`, `parked`,
/// `unmerged`, `no_common_base`, `diverged`) and `paths`. The target is then as it was.
pub async fn merge(repo: &Arc<Repo>, merge: Merge) -> Result<Merged> {
    let repo = Arc::clone(repo);
    to_the_end(async move { Job::new(&repo, merge).await?.run().await }, |_| async {}).await
}

/// A merge with its names resolved.
struct Job<'r> {
    repo: &'r Arc<Repo>,
    merge: Merge,
    theirs: String,
    into: String,
}

impl<'r> Job<'r> {
    async fn new(repo: &'r Arc<Repo>, merge: Merge) -> Result<Self> {
        let theirs = repo.resolve(&merge.branch).await?;
        let into = match &merge.into {
            Some(into) => into.trim_start_matches("refs/heads/").to_owned(),
            None => repo.head().await?.branch.ok_or_else(|| {
                Error::new(Kind::Git, "HEAD is on no branch that could take a merge")
                    .hint("say which: git.merge { branch = …, into = \"main\" }")
            })?,
        };
        Ok(Self { repo, merge, theirs, into })
    }

    async fn run(&self) -> Result<Merged> {
        let _lock = self.repo.lock().await?;
        let full_name = format!("refs/heads/{}", self.into);
        let mut tries = 0;
        loop {
            let ours = self.repo.tip(&full_name).await.or_kind(Kind::Git, || self.trouble())?;
            let Some(ours) = ours else {
                return Err(Error::new(Kind::Git, format!("there is no branch `{}`", self.into)));
            };
            let target = Target::find(self.repo, &self.into).await?;
            target.require_settled(self).await?;
            let (status, commit) = self.result(&ours).await?;
            let merged = Merged { status, commit, into: self.into.clone() };
            if merged.commit == ours {
                return Ok(merged);
            }
            target.require_clean(self, &ours, &merged.commit).await?;
            let reason = format!("merge {}: by agentlua", self.merge.name);
            match self.repo.move_ref(&full_name, &merged.commit, Some(&ours), &reason).await {
                Ok(()) => {
                    target.refresh(self, &ours, &merged.commit).await?;
                    return Ok(merged);
                }
                Err(error) => {
                    // Somebody else's commit came in between: merge with that.
                    tries += 1;
                    if tries == TRIES
                        || self
                            .repo
                            .tip(&full_name)
                            .await
                            .is_ok_and(|now| now.as_ref() == Some(&ours))
                    {
                        return Err(error).or_kind(Kind::Git, || self.trouble());
                    }
                }
            }
        }
    }

    /// Makes the commit that the target is to point to; writes objects only.
    async fn result(&self, ours: &str) -> Result<(&'static str, String)> {
        let (repo, theirs) = (self.repo, self.theirs.as_str());
        let trouble = || self.trouble();
        if repo.is_ancestor(theirs, ours).await.or_kind(Kind::Git, trouble)? {
            return Ok(("up_to_date", ours.to_owned()));
        }
        let forward = repo.is_ancestor(ours, theirs).await.or_kind(Kind::Git, trouble)?;
        if forward && self.merge.strategy != Strategy::Squash {
            return Ok(("fast_forward", theirs.to_owned()));
        }
        if self.merge.strategy == Strategy::FastForward {
            let (name, into) = (&self.merge.name, &self.into);
            let why = format!("`{into}` has commits that `{name}` lacks: no fast-forward");
            return Err(refused("diverged", why, &[]));
        }
        if repo.merge_base(ours, theirs).await.or_kind(Kind::Git, trouble)?.is_none() {
            let cut = if repo.is_shallow() { " in this shallow clone" } else { "" };
            let (name, into) = (&self.merge.name, &self.into);
            let why = format!("`{name}` and `{into}` have no common base{cut}");
            return Err(refused("no_common_base", why, &[]));
        }
        let tree = match trial(repo, ours, theirs).await.or_kind(Kind::Git, trouble)? {
            Trial::Clean(tree) => tree,
            Trial::Conflicts(conflicts) => return Err(self.conflicted(&conflicts)),
        };
        let squash = self.merge.strategy == Strategy::Squash;
        if squash && repo.tree(ours).await.or_kind(Kind::Git, trouble)? == tree {
            return Ok(("up_to_date", ours.to_owned()));
        }
        let parents: &[&str] = if squash { &[ours] } else { &[ours, theirs] };
        let sign = repo.signs().await.or_kind(Kind::Git, trouble)?;
        let commit = repo.commit_tree(&tree, parents, &self.message(), sign).await;
        Ok(("merged", commit.or_kind(Kind::Git, trouble)?))
    }

    fn message(&self) -> String {
        let name = &self.merge.name;
        let mut message = match (&self.merge.message, self.merge.strategy, self.into.as_str()) {
            (Some(message), ..) => message.clone(),
            (None, Strategy::Squash, _) => format!("Squash branch '{name}'"),
            (None, _, "main" | "master") => format!("Merge branch '{name}'"),
            (None, _, into) => format!("Merge branch '{name}' into {into}"),
        };
        if !message.ends_with('\n') {
            message.push('\n');
        }
        message
    }

    fn trouble(&self) -> String {
        format!("cannot merge `{}` into `{}`", self.merge.name, self.into)
    }

    fn conflicted(&self, conflicts: &[Conflict]) -> Error {
        let mut paths: Vec<&str> = conflicts.iter().map(|conflict| &*conflict.path).collect();
        paths.sort_unstable();
        paths.dedup();
        let listed = listed(&paths);
        let (name, into) = (&self.merge.name, &self.into);
        let conflicts: Vec<Value> = conflicts
            .iter()
            .map(|Conflict { path, kind, message }| {
                json!({ "path": path, "kind": kind, "message": message })
            })
            .collect();
        Error::new(Kind::Git, format!("merging `{name}` into `{into}` conflicts in {listed}")).with(
            "merge",
            json!({ "status": "conflicted", "conflicts": conflicts, "paths": paths }),
        )
    }
}

/// Makes the error of a merge that was not begun.
fn refused(reason: &str, why: String, paths: &[String]) -> Error {
    let merge = json!({ "status": "refused", "reason": reason, "paths": paths });
    Error::new(Kind::Git, why).with("merge", merge)
}

/// Names the first paths and counts the rest.
fn listed(paths: &[impl AsRef<str>]) -> String {
    let shown: Vec<String> =
        paths.iter().take(NAMED_PATHS).map(|path| format!("`{}`", path.as_ref())).collect();
    let more = paths.len().saturating_sub(NAMED_PATHS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

struct Conflict {
    path: String,
    kind: String,
    message: String,
}

enum Trial {
    Clean(String),
    Conflicts(Vec<Conflict>),
}

/// Merges two commits in memory.
async fn trial(repo: &Repo, ours: &str, theirs: &str) -> anyhow::Result<Trial> {
    let git = repo.git("merge-tree").args(["--write-tree", "-z", "--messages", ours, theirs]);
    let output = git.limit(LONG).run().await?;
    match output.code {
        Some(0 | 1) => {}
        _ => bail!("git merge-tree: {}", complaint(&output)),
    }
    let mut fields = fields(&output.stdout);
    let tree = text(fields.next().unwrap_or_default());
    if output.code == Some(0) {
        return Ok(Trial::Clean(tree));
    }
    let mut conflicts = messages(&mut fields).context("git merge-tree wrote something new")?;
    if conflicts.is_empty() {
        // No message: the paths with stages are all that is known.
        let staged = text(&output.stdout);
        let paths = staged.split('\0').skip(1).take_while(|field| !field.is_empty());
        conflicts.extend(paths.filter_map(|field| field.split_once('\t')).map(|(_, path)| {
            let kind = "contents".to_owned();
            Conflict { path: path.to_owned(), kind, message: String::new() }
        }));
    }
    Ok(Trial::Conflicts(conflicts))
}

/// Reads, behind the staged paths, each message: a count of paths, the paths, a stable short name,
/// and a sentence.
fn messages<'f>(fields: &mut impl Iterator<Item = &'f [u8]>) -> anyhow::Result<Vec<Conflict>> {
    let mut conflicts = Vec::new();
    let _staged = fields.by_ref().take_while(|field| !field.is_empty()).count();
    while let Some(count) = fields.next() {
        if count.is_empty() {
            break;
        }
        let count: usize = text(count).trim().parse()?;
        let paths: Vec<String> = fields.by_ref().take(count).map(text).collect();
        let name = text(fields.next().unwrap_or_default());
        let message = text(fields.next().unwrap_or_default()).trim_end().to_owned();
        let Some(kind) = name.strip_prefix("CONFLICT (") else { continue };
        let kind = kind.trim_end_matches(')').to_owned();
        if let Some(path) = paths.into_iter().next() {
            conflicts.push(Conflict { path, kind, message });
        }
    }
    Ok(conflicts)
}
