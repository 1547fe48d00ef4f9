//! Ending a worktree: unlocked and kept, or removed when nothing in it could be missed.

use std::path::Path;

use anyhow::{Context, bail};

use super::{LOCK_REASON, Worktree};
use crate::error::{Kind, Result, ResultExt};
use crate::git::command::{LONG, fields, path};
use crate::git::snapshot::Finished;

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
    let _lock = worktree.repo.lock().await?;
    unlock(worktree)
        .or_kind(Kind::Git, || format!("cannot unlock the worktree `{}`", worktree.path.display()))
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
    let ignored = if spare && loses_nothing(worktree, finished, held).await {
        Some(ignored(worktree).await.or_kind(Kind::Git, trouble)?)
    } else {
        None
    };
    let _lock = worktree.repo.lock().await?;
    unlock(worktree).or_kind(Kind::Git, trouble)?;
    let Some((ignored_files, ignored_bytes)) = ignored else { return Ok(Released::Kept) };
    // Git looks once more by itself, and refuses what has come since: then it is kept.
    if remove(worktree).await.is_err() && worktree.path.exists() {
        return Ok(Released::Kept);
    }
    let _ = std::fs::remove_file(worktree.index());
    if let Some(folder) = worktree.path.parent() {
        let _ = std::fs::remove_dir(folder);
    }
    Ok(Released::Removed { ignored_files, ignored_bytes })
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
        && !has_modules(worktree)
        && worktree
            .repo
            .head_of(&worktree.admin)
            .await
            .is_ok_and(|head| head.commit.as_deref() == Some(held))
}

/// Tells whether worktree and record still name each other as git wrote it.
fn links_are_ours(worktree: &Worktree) -> bool {
    let reads = |file: &Path| std::fs::read(file).unwrap_or_default();
    let pointer = reads(&worktree.path.join(".git"));
    let pointer = pointer.strip_prefix(b"gitdir: ").unwrap_or(&pointer);
    path(pointer.trim_ascii_end()) == worktree.admin
        && reads(&worktree.admin.join("commondir")).trim_ascii_end() == b"../.."
}

/// Tells whether a submodule was filled: its commits may exist nowhere else.
fn has_modules(worktree: &Worktree) -> bool {
    std::fs::read_dir(worktree.admin.join("modules"))
        .is_ok_and(|mut modules| modules.next().is_some())
}

/// Counts the ignored files and their bytes.
async fn ignored(worktree: &Worktree) -> anyhow::Result<(u64, u64)> {
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

async fn remove(worktree: &Worktree) -> anyhow::Result<()> {
    let shared = worktree.repo.place(worktree.repo.common_dir().to_owned(), None);
    let remove = |force: &[&str]| {
        let git = worktree.repo.git_at(&shared, "worktree").arg("remove").args(force);
        git.arg(&worktree.path).limit(LONG)
    };
    match remove(&[]).bytes().await {
        Ok(_) => Ok(()),
        // Git refuses as soon as the index names a submodule. None of ours was ever filled.
        Err(error) if error.to_string().contains("submodules") => {
            if !submodules_are_empty(worktree).await? {
                bail!("a submodule holds files");
            }
            remove(&["--force"]).bytes().await.map(drop)
        }
        Err(error) => Err(error),
    }
}

async fn submodules_are_empty(worktree: &Worktree) -> anyhow::Result<bool> {
    let git = worktree.repo.git_at(&worktree.private(), "ls-files").args(["-z", "--stage"]);
    let bytes = git.bytes().await?;
    let links = fields(&bytes).filter(|entry| entry.starts_with(b"160000 "));
    let mut names = links.filter_map(|entry| entry.splitn(2, |byte| *byte == b'\t').nth(1));
    Ok(names.all(|name| {
        std::fs::read_dir(worktree.path.join(path(name)))
            .map_or(true, |mut files| files.next().is_none())
    }))
}
