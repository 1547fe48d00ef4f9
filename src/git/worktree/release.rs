//! Ending a worktree: unlocked and kept, or removed when nothing in it could be missed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Contents, LOCK_REASON, Worktree};
use crate::crash;
use crate::error::{Kind, Result, ResultExt};
use crate::git::command::{LONG, fields, path};
use crate::git::remove::Removal;
use crate::git::snapshot::Finished;
use crate::process::alive;

/// How long a process that was killed may take to be gone.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// What became of a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// It stays, unlocked.
    Kept,
    /// It held nothing and is gone, with what git ignores.
    Removed {
        /// How many ignored files went with it.
        ignored_files: u64,
        /// Their size in bytes.
        ignored_bytes: u64,
    },
}

/// Unlocks a worktree and leaves it as it is.
pub(super) async fn keep(worktree: &Worktree) -> Result<()> {
    {
        let _lock = worktree.repo.lock().await?;
        let trouble = || format!("cannot unlock the worktree `{}`", worktree.path.display());
        unlock(worktree).or_kind(Kind::Git, trouble)?;
    }
    crash::point("release.unlocked");
    worktree.settle("kept").await;
    crash::point("release.kept");
    Ok(())
}

/// Keeps a worktree unless it holds nothing that its base does not.
pub(super) async fn release(worktree: &Worktree, finished: &Finished) -> Result<Released> {
    let base = &worktree.base_commit;
    let empty = !finished.changed && finished.head_commit == *base;
    end(worktree, finished, empty, base).await
}

/// Keeps a worktree unless its branch holds all of it.
pub(super) async fn close(worktree: &Worktree, finished: &Finished) -> Result<Released> {
    end(worktree, finished, !finished.uncommitted, &finished.head_commit).await
}

/// Unlocks the worktree, and removes it if it is `spare` and nothing else speaks against it. `held`
/// is the commit that its HEAD may point to without anything being lost.
async fn end(
    worktree: &Worktree,
    finished: &Finished,
    spare: bool,
    held: &str,
) -> Result<Released> {
    let trouble = || format!("cannot release the worktree `{}`", worktree.path.display());
    crash::point("release.begun");
    if !spare || !loses_nothing(worktree, finished, held).await || is_in_use(worktree).await {
        keep(worktree).await?;
        return Ok(Released::Kept);
    }
    let (ignored_files, ignored_bytes) = ignored(worktree).await.or_kind(Kind::Git, trouble)?;
    let repo = &worktree.repo;
    // The snapshots of its turns stay for `gc`: what an agent wrote and threw away again may have been a
    // mistake.
    let name = worktree.base_ref();
    let tip = repo.tip(&name).await.or_kind(Kind::Git, trouble)?;
    let refs = tip.map(|tip| (name, tip)).into_iter().collect();
    let removal = Removal {
        id: worktree.id.clone(),
        run: worktree.run.clone(),
        path: Some(worktree.path.clone()),
        refs,
    };
    let pledge = removal.intend(repo).await?;
    match removal.carry_out(repo, pledge).await {
        Ok(true) => {
            worktree.settle("removed").await;
            Ok(Released::Removed { ignored_files, ignored_bytes })
        }
        // Something has come since: then it is kept.
        Err(_) | Ok(false) if worktree.path.exists() => {
            keep(worktree).await?;
            Ok(Released::Kept)
        }
        Ok(false) => Ok(Released::Kept),
        Err(error) => Err(error),
    }
}

/// Tells whether nothing but the files, which the caller has judged, would go with the worktree.
async fn loses_nothing(worktree: &Worktree, finished: &Finished, held: &str) -> bool {
    finished.skipped.is_empty()
        && finished.nested.is_empty()
        && finished.left.is_none()
        && finished.aside.is_none()
        && !worktree.is_entered()
        && !worktree.is_parked()
        && links_are_ours(worktree)
        && !has_modules(&worktree.admin)
        && holds_no_repository(&worktree.path)
        && worktree
            .repo
            .head_of(&worktree.admin)
            .await
            .is_ok_and(|head| head.commit.as_deref() == Some(held))
}

/// Tells whether a process works in the folder: a person's shell, or what has slipped away from an agent's
/// command. One that was killed just now may take a moment to be gone.
async fn is_in_use(worktree: &Worktree) -> bool {
    let since = Instant::now();
    while alive::works_in(&worktree.path) {
        if since.elapsed() > LAST_MOMENT {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Tells whether worktree and record still name each other as git wrote it.
pub(in crate::git) fn links_are_ours(worktree: &Worktree) -> bool {
    let reads = |file: &Path| std::fs::read(file).unwrap_or_default();
    let pointer = reads(&worktree.path.join(".git"));
    let pointer = pointer.strip_prefix(b"gitdir: ").unwrap_or(&pointer);
    path(pointer.trim_ascii_end()) == worktree.admin
        && reads(&worktree.admin.join("commondir")).trim_ascii_end() == b"../.."
}

/// Tells whether a submodule was filled: its commits may exist nowhere else.
pub(in crate::git) fn has_modules(admin: &Path) -> bool {
    std::fs::read_dir(admin.join("modules")).is_ok_and(|mut modules| modules.next().is_some())
}

/// Tells that no repository of its own stands anywhere beneath a folder.
fn holds_no_repository(folder: &Path) -> bool {
    Contents::of(folder).is_ok_and(|contents| contents.repository.is_none())
}

/// Counts the ignored files and their bytes.
pub(in crate::git) async fn ignored(worktree: &Worktree) -> anyhow::Result<(u64, u64)> {
    let git = worktree.repo.git_at(&worktree.private(), "ls-files").limit(LONG);
    let git = git.args(["-z", "--others", "--ignored", "--exclude-standard"]);
    let bytes = git.bytes().await?;
    let mut sum = (0, 0);
    for name in fields(&bytes).filter(|name| !name.is_empty()) {
        let size = worktree.path.join(path(name)).symlink_metadata().map_or(0, |file| file.len());
        sum = (sum.0 + 1, sum.1 + size);
    }
    Ok(sum)
}

/// Removes the lock file, as `git worktree unlock` does, if it is ours.
fn unlock(worktree: &Worktree) -> anyhow::Result<()> {
    let file = worktree.admin.join("locked");
    let ours = std::fs::read(&file).is_ok_and(|reason| reason.starts_with(LOCK_REASON.as_bytes()));
    if ours {
        std::fs::remove_file(&file).context("cannot unlock it")?;
    }
    Ok(())
}
