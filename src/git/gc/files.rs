//! What speaks against removing a worktree: files and staged changes that no commit has, an operation
//! in progress, a repository of its own, a record that does not fit.
//!
//! Git is run with the shared git directory and with indexes that are ours or copies.

use std::path::Path;

use super::{AtStake, Claim, Survey};
use crate::git::command::path as as_path;
use crate::git::diff::Scratch;
use crate::git::snapshot;
use crate::git::worktree::{self, Contents, Worktree};
use crate::process::alive;

/// Where an operation in progress keeps commits that HEAD has left behind.
const OPERATIONS: [&str; 7] = [
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "rebase-merge/orig-head",
    "rebase-merge/onto",
    "rebase-apply/orig-head",
    "rebase-apply/abort-safety",
];

/// What was seen in a worktree.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The bytes of its files.
    pub bytes: u64,
    /// How many of them are ignored, and their bytes.
    pub ignored: (u64, u64),
    /// Why it cannot go whoever asks.
    forbidden: Vec<String>,
    /// What would be lost.
    lost: Vec<String>,
    files: Option<String>,
    index: Option<String>,
    commits: Vec<(String, String)>,
}

impl Seen {
    /// Adds what was seen to what is at stake, and says why.
    pub(super) fn against(self, stake: &mut AtStake, reasons: &mut Vec<String>) {
        stake.forbidden |= !self.forbidden.is_empty();
        (stake.files, stake.index) = (self.files, self.index);
        stake.commits.extend(self.commits);
        reasons.extend(self.forbidden);
        reasons.extend(self.lost);
    }
}

/// Looks at the worktree at `path`, whose branch is at `tip`.
pub(super) async fn look(
    survey: &Survey,
    claim: &Claim,
    path: &Path,
    tip: Option<&str>,
) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let contents = {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || Contents::of(&path)).await??
    };
    seen.bytes = contents.bytes;
    if let Some(inner) = contents.repository {
        let shown = inner.strip_prefix(path).unwrap_or(&inner).display();
        seen.forbidden.push(format!("holds a repository of its own: `{shown}`"));
    }
    let repo = &survey.repo;
    let base = claim.base_commit.clone().unwrap_or_default();
    let branch = claim.branch.clone().unwrap_or_default();
    let Ok(worktree) = Worktree::open(repo, &claim.id, &branch, &base, path) else {
        seen.forbidden.push("git no longer knows its worktree".to_owned());
        return Ok(seen);
    };
    if !worktree::links_are_ours(&worktree) {
        seen.forbidden.push("its `.git` file leads elsewhere".to_owned());
        return Ok(seen);
    }
    for beside in [worktree.private_dir(), path.with_added_extension("replaced")] {
        if beside.symlink_metadata().is_ok() {
            let shown = beside.display();
            seen.forbidden.push(format!("what could not be taken in is in `{shown}`"));
        }
    }
    if alive::works_in(path) {
        seen.forbidden.push("in use: a process works there".to_owned());
    }
    if worktree::has_modules(worktree.admin()) {
        seen.forbidden.push("holds a filled submodule".to_owned());
    }
    if let Some(reason) = survey.entry(path).and_then(|entry| entry.locked.as_ref()) {
        seen.forbidden.push(match reason.as_str() {
            "" => "in use: locked".to_owned(),
            reason => format!("in use: locked ({reason})"),
        });
    }
    if worktree.is_parked() {
        seen.lost.push("parked: a merge, rebase or the like is in progress".to_owned());
        seen.keep_operation(worktree.admin());
    }
    seen.compare(&worktree, tip.unwrap_or(&base)).await?;
    seen.head(survey, &worktree, tip).await?;
    Ok(seen)
}

impl Seen {
    /// Compares files and index with the commit that holds what may go.
    async fn compare(&mut self, worktree: &Worktree, commit: &str) -> anyhow::Result<()> {
        let repo = worktree.repo();
        let held = repo.tree(commit).await?;
        let snapshot = snapshot::stage(worktree, &worktree.private()).await?;
        if !snapshot.skipped.is_empty() {
            self.forbidden.push(format!("git cannot store all of it: {}", snapshot.skipped[0]));
        }
        self.ignored = worktree::ignored(worktree).await?;
        if snapshot.tree != held {
            let count = repo.changes(&held, &snapshot.tree).await?.len();
            let files = if count == 1 { "file" } else { "files" };
            self.lost.push(format!("uncommitted changes: {count} {files}"));
            self.files = Some(snapshot.tree.clone());
        }
        // What is staged may be neither in a commit nor in the files any more.
        let scratch = Scratch::new(repo)?;
        let mut place = worktree.private();
        place.index = Some(scratch.path("index"));
        if std::fs::copy(worktree.admin().join("index"), scratch.path("index")).is_err() {
            return Ok(());
        }
        let base = repo.tree(worktree.base_commit()).await;
        match repo.git_at(&place, "write-tree").line().await {
            Ok(tree) if tree == held || tree == snapshot.tree => {}
            Ok(tree) if base.is_ok_and(|base| base == tree) => {}
            Ok(tree) => {
                self.lost.push("staged changes".to_owned());
                self.index = Some(tree);
            }
            // Of a conflict, the sides are in the commits of the operation.
            Err(_) if worktree.is_parked() => {}
            Err(_) => self.lost.push("its index cannot be read".to_owned()),
        }
        Ok(())
    }

    /// Looks at what HEAD and the worktree's own refs point to.
    async fn head(
        &mut self,
        survey: &Survey,
        worktree: &Worktree,
        tip: Option<&str>,
    ) -> anyhow::Result<()> {
        let repo = worktree.repo();
        let head = repo.head_of(worktree.admin()).await?;
        if let (None, Some(commit)) = (&head.branch, &head.commit) {
            let within = match tip {
                Some(tip) => repo.is_ancestor(commit, tip).await?,
                None => false,
            };
            let kept = survey.kept.iter().any(|found| found.commit.as_ref() == Some(commit));
            if !within && !kept && survey.containing(commit).await?.is_empty() {
                self.lost.push("its HEAD is on no branch".to_owned());
                self.commits.push(("HEAD".to_owned(), commit.clone()));
            }
        }
        let own = worktree.admin().join("refs");
        if ["bisect", "worktree", "rewritten"].iter().any(|name| {
            std::fs::read_dir(own.join(name)).is_ok_and(|mut refs| refs.next().is_some())
        }) {
            self.forbidden.push("it has refs of its own".to_owned());
        }
        Ok(())
    }

    /// Notes the commits of an operation in progress.
    fn keep_operation(&mut self, admin: &Path) {
        for name in OPERATIONS {
            let bytes = std::fs::read(admin.join(name)).unwrap_or_default();
            let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
            if line.len() >= 40 && line.iter().all(u8::is_ascii_hexdigit) {
                let id = as_path(line).display().to_string();
                self.commits.push((name.replace('/', "-"), id));
            }
        }
    }
}
