//! The host snapshot: what the files of a worktree are, as a tree, and as a commit on its branch.
//!
//! It is taken with the shared git directory and a private index, so that neither the worktree's
//! `.git` file nor its index, HEAD or configuration has a say. `git commit` is never run there.

use super::command::{LONG, Place, complaint, fields, path, text};
use super::reader::Head;
use super::worktree::Worktree;
use super::{index, scope};

/// How often to try again when the branch moves while its snapshot is committed.
const TRIES: u32 = 4;

/// The message of a snapshot's commit.
#[derive(Clone, Debug)]
pub struct CommitMessage {
    /// The first line; line breaks become spaces.
    pub subject: String,
    /// Names and values of the trailers.
    pub trailers: Vec<(String, String)>,
}

impl CommitMessage {
    fn text(&self) -> String {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut lines = vec![one_line(&self.subject)];
        if !self.trailers.is_empty() {
            lines.push(String::new());
        }
        lines.extend(
            self.trailers.iter().map(|(name, value)| format!("{name}: {}", one_line(value))),
        );
        lines.push(String::new());
        lines.join("\n")
    }
}

/// What an agent left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The commit that the branch points to now.
    pub head_commit: String,
    /// The tree of the files, committed or not.
    pub tree: String,
    /// The paths between the base and the files, sorted, of a rename both sides. What is not UTF-8 is
    /// shown with replacement characters.
    pub files_changed: Vec<String>,
    /// Whether anything differs from the base: files or commits.
    pub changed: bool,
    /// Whether the files hold what the branch does not.
    pub uncommitted: bool,
    /// What git could not store, in its words: an unreadable file, a failing filter. While there is
    /// any, the worktree is not removed.
    pub skipped: Vec<String>,
    /// The ref that keeps commits which HEAD pointed to beside the branch.
    pub kept_ref: Option<String>,
    /// The paths outside the scope that differ from the base: they are in the files only.
    pub outside: Vec<String>,
}

pub(super) async fn finish(
    worktree: &Worktree,
    message: Option<CommitMessage>,
) -> anyhow::Result<Finished> {
    let repo = worktree.repo();
    let head = repo.head_of(worktree.admin()).await.unwrap_or_default();
    let snapshot = if worktree.path().is_dir() {
        Some(stage(worktree, &worktree.private()).await?)
    } else {
        None // Somebody removed the folder. That is no change to commit.
    };
    let full_name = format!("refs/heads/{}", worktree.branch());
    let skipped = match &snapshot {
        Some(snapshot) => snapshot.skipped.clone(),
        None => vec![format!("the folder `{}` is gone", worktree.path().display())],
    };
    let within = match &snapshot {
        Some(snapshot) => Some(scope::within(worktree, &snapshot.tree).await?),
        None => None,
    };
    let outside = within.as_ref().map_or_else(Vec::new, |within| within.outside.clone());
    let mut tries = 0;
    let (tip, tree, uncommitted) = loop {
        let old = repo.tip(&full_name).await?;
        let parent = old.clone().unwrap_or_else(|| worktree.base_commit().to_owned());
        let parent_tree = repo.tree(&parent).await?;
        let tree = snapshot.as_ref().map_or_else(|| parent_tree.clone(), |s| s.tree.clone());
        let committed = within.as_ref().map_or(&tree, |within| &within.tree);
        let held = if message.is_some() { committed } else { &parent_tree };
        let uncommitted = *held != tree;
        let new = match &message {
            Some(message) if *committed != parent_tree => {
                repo.commit_tree(committed, &[&parent], &message.text(), false).await?
            }
            // The branch is the agent's place even if the agent deleted it.
            _ if old.is_none() => parent.clone(),
            _ => break (parent, tree.clone(), uncommitted),
        };
        let reason = format!("agentlua: work of {}", worktree.id());
        match repo.move_ref(&full_name, &new, old.as_deref(), &reason).await {
            Ok(()) => break (new.clone(), tree.clone(), uncommitted),
            Err(error) => {
                tries += 1;
                if tries == TRIES || repo.tip(&full_name).await? == old {
                    return Err(error);
                }
            }
        }
    };
    let kept_ref = keep_foreign_head(worktree, &head, &tip).await?;
    if !uncommitted && snapshot.is_some() && head.branch.as_deref() == Some(worktree.branch()) {
        show_clean(worktree);
    }
    let kept = match &within {
        Some(within) if message.is_some() => &within.tree,
        _ => &tree,
    };
    let changes = repo.changes(worktree.base_commit(), kept).await?;
    Ok(Finished {
        changed: !changes.is_empty()
            || tip != worktree.base_commit()
            || kept_ref.is_some()
            || !outside.is_empty(),
        head_commit: tip,
        tree,
        files_changed: changes.iter().map(|change| text(&change.path)).collect(),
        uncommitted,
        skipped,
        kept_ref,
        outside: outside.iter().map(|path| text(path)).collect(),
    })
}

/// The files of a worktree as they were at one moment.
pub(super) struct Snapshot {
    /// Their tree.
    pub tree: String,
    /// What git could not store.
    pub skipped: Vec<String>,
}

/// Brings the index of `place` up to the files and writes its tree.
pub(super) async fn stage(worktree: &Worktree, place: &Place) -> anyhow::Result<Snapshot> {
    let repo = worktree.repo();
    if !place.index.as_ref().is_some_and(|index| index.exists()) {
        repo.git_at(place, "read-tree").arg(worktree.base_commit()).bytes().await?;
    }
    let sparse = worktree.admin().join("info/sparse-checkout").exists();
    if sparse {
        carry_sparse(worktree, place).await?;
    }
    let add = |more: &[&str]| {
        let git = repo.git_at(place, "add").limit(LONG).args(["--all", "--sparse"]).args(more);
        if sparse { git.setting("core.sparseCheckout=true") } else { git }
    };
    let mut skipped = Vec::new();
    let output = add(&[]).run().await?;
    if output.code != Some(0) {
        // One file that cannot be stored must not cost all the others.
        let output = add(&["--ignore-errors"]).run().await?;
        skipped.push(complaint(&output));
    }
    let tree = repo.git_at(place, "write-tree").line().await?;
    Ok(Snapshot { tree, skipped })
}

/// Takes over which files the worktree leaves out: of a sparse checkout they are absent, not deleted.
async fn carry_sparse(worktree: &Worktree, place: &Place) -> anyhow::Result<()> {
    let repo = worktree.repo();
    let mut theirs = worktree.private();
    theirs.index = Some(worktree.admin().join("index"));
    let listed = repo.git_at(&theirs, "ls-files").args(["-z", "-t", "--stage"]).bytes().await?;
    let (mut entries, mut names) = (Vec::new(), Vec::new());
    for entry in fields(&listed) {
        let Some(entry) = entry.strip_prefix(b"S ") else { continue };
        let Some(name) = entry.splitn(2, |byte| *byte == b'\t').nth(1) else { continue };
        if worktree.path().join(path(name)).symlink_metadata().is_err() {
            entries.extend_from_slice(entry);
            entries.push(0);
            names.extend_from_slice(name);
            names.push(0);
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    let update = || repo.git_at(place, "update-index").arg("-z");
    update().arg("--index-info").stdin(entries).bytes().await?;
    update().args(["--skip-worktree", "--stdin"]).stdin(names).bytes().await?;
    Ok(())
}

/// Puts a ref on commits that HEAD points to and the branch does not hold: they would go with the
/// worktree.
async fn keep_foreign_head(
    worktree: &Worktree,
    head: &Head,
    tip: &str,
) -> anyhow::Result<Option<String>> {
    let repo = worktree.repo();
    let Some(commit) = &head.commit else { return Ok(None) };
    let on_branch = head.branch.as_deref() == Some(worktree.branch());
    if on_branch || repo.is_ancestor(commit, tip).await? {
        return Ok(None);
    }
    // On another branch they are kept by that branch.
    if head.branch.is_some() {
        return Ok(None);
    }
    let name = format!("refs/agentlua/keep/{}/HEAD", worktree.id());
    let old = repo.tip(&name).await?;
    if old.as_ref() != Some(commit) {
        repo.move_ref(&name, commit, old.as_deref(), "agentlua: keep HEAD").await?;
    }
    Ok(Some(name))
}

/// Gives the worktree an index that agrees with its files and its new commit, for the people who look
/// at it. Left alone when anything else holds that index.
fn show_clean(worktree: &Worktree) {
    let lock = worktree.admin().join("index.lock");
    if worktree.is_parked() || std::fs::File::create_new(&lock).is_err() {
        return;
    }
    let _ = index::replace(&worktree.index(), &worktree.admin().join("index"));
    let _ = std::fs::remove_file(&lock);
}
