//! Merging commits in memory: `git merge-tree`, and how what it writes is read.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::git::command::{LONG, complaint, fields, text};
use crate::git::repo::Repo;

/// A path that could not be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictedPath {
    /// The path.
    pub path: String,
    /// What kind of conflict, in git's words: `contents`, `modify/delete`, `binary` …
    pub kind: String,
    /// Git's sentence about it.
    pub message: String,
}

/// What a merge in memory came to.
pub(super) enum Attempt {
    /// The merged tree.
    Clean(String),
    Conflicts(HalfMerged),
}

/// A merge that stopped at conflicts.
#[derive(Clone, Debug)]
pub(super) struct HalfMerged {
    /// The tree with what could be merged, and conflict markers in the rest.
    pub tree: String,
    /// The sides of each path in conflict, as `update-index --index-info` takes them.
    pub stages: Vec<u8>,
    /// The paths with sides, as git has them.
    pub unmerged: BTreeSet<Vec<u8>>,
    /// What git says.
    pub conflicts: Vec<ConflictedPath>,
}

impl HalfMerged {
    /// Returns the paths in conflict, sorted, each once.
    pub fn paths(&self) -> Vec<String> {
        let paths: BTreeSet<&String> = self.conflicts.iter().map(|c| &c.path).collect();
        paths.into_iter().cloned().collect()
    }

    /// Returns the conflicts as scripts read them.
    pub fn as_json(&self) -> Vec<Value> {
        let one =
            |c: &ConflictedPath| json!({ "path": c.path, "kind": c.kind, "message": c.message });
        self.conflicts.iter().map(one).collect()
    }
}

/// Merges two commits; `base` instead of their own common base, if given.
pub(super) async fn attempt(
    repo: &Repo,
    ours: &str,
    theirs: &str,
    base: Option<&str>,
) -> anyhow::Result<Attempt> {
    let mut git = repo.git("merge-tree").args(["--write-tree", "-z", "--messages"]);
    if let Some(base) = base {
        git = git.arg(format!("--merge-base={base}"));
    }
    let output = git.args([ours, theirs]).limit(LONG).run().await?;
    match output.code {
        Some(0) => {
            let tree = fields(&output.stdout).next().unwrap_or_default();
            Ok(Attempt::Clean(text(tree)))
        }
        Some(1) => half_merged(&output.stdout)
            .map(Attempt::Conflicts)
            .context("git merge-tree wrote something new"),
        _ => bail!("git merge-tree: {}", complaint(&output)),
    }
}

/// Merges two commits that conflict once more, so that markers and messages have the names of the two
/// and not their ids. A name that means another commit (by now, or on top of others) is not used.
pub(super) async fn with_names(
    repo: &Repo,
    half: HalfMerged,
    (ours, theirs): (&str, &str),
    names: (&str, &str),
) -> HalfMerged {
    let means =
        async |name: &str, id: &str| repo.resolve(name).await.is_ok_and(|found| found == id);
    let one = if means(names.0, ours).await { names.0 } else { ours };
    let other = if means(names.1, theirs).await { names.1 } else { theirs };
    match attempt(repo, one, other, None).await {
        // Somebody may have moved a branch meanwhile.
        Ok(Attempt::Conflicts(again)) if means(one, ours).await && means(other, theirs).await => {
            again
        }
        _ => half,
    }
}

/// Reads the tree, the sides of the unmerged paths, and the messages.
fn half_merged(bytes: &[u8]) -> anyhow::Result<HalfMerged> {
    let mut fields = fields(bytes);
    let tree = text(fields.next().unwrap_or_default());
    let (mut stages, mut unmerged) = (Vec::new(), BTreeSet::new());
    for side in fields.by_ref().take_while(|field| !field.is_empty()) {
        let name = side.splitn(2, |byte| *byte == b'\t').nth(1).context("a side without a path")?;
        if unmerged.insert(name.to_vec()) {
            // Takes the half-merged entry out before the sides come in.
            stages.extend_from_slice(format!("0 {}\t", "0".repeat(tree.len())).as_bytes());
            stages.extend_from_slice(name);
            stages.push(0);
        }
        stages.extend_from_slice(side);
        stages.push(0);
    }
    let mut conflicts = messages(&mut fields)?;
    if conflicts.is_empty() {
        conflicts = unmerged.iter().map(|name| unexplained(name)).collect();
    }
    Ok(HalfMerged { tree, stages, unmerged, conflicts })
}

/// Makes the conflict of which no more than the path is known.
fn unexplained(name: &[u8]) -> ConflictedPath {
    ConflictedPath { path: text(name), kind: "contents".to_owned(), message: String::new() }
}

/// Reads each message: a count of paths, the paths, a stable short name, and a sentence.
fn messages<'f>(
    fields: &mut impl Iterator<Item = &'f [u8]>,
) -> anyhow::Result<Vec<ConflictedPath>> {
    let mut conflicts = Vec::new();
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
            conflicts.push(ConflictedPath { path, kind, message });
        }
    }
    Ok(conflicts)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn sides_and_messages_are_told_apart() {
        let said = b"abcd\x00100644 11 1\tf\x00100644 22 2\tf\0\
            \x001\0f\0Auto-merging\0Auto-merging f\n\0\
            1\0f\0CONFLICT (contents)\0CONFLICT (content): Merge conflict in f\n\0";
        let half = half_merged(said).unwrap();
        assert_eq!(half.tree, "abcd");
        assert_eq!(half.stages, b"0 0000\tf\x00100644 11 1\tf\x00100644 22 2\tf\0");
        assert_eq!(half.paths(), ["f"]);
        assert_eq!(half.conflicts[0].kind, "contents");
        // Without a message the paths are all that is known.
        let half = half_merged(b"abcd\x00100644 11 1\tg\0\0").unwrap();
        assert_eq!(half.paths(), ["g"]);
    }
}
