//! An agent is out of its worktree for good: it becomes an ordinary linked worktree again, in which a
//! person can use git. Everything that such a person's git would read is written from what we know, and
//! only then the `.git` file points there.

use std::io;
use std::path::Path;

use anyhow::Context;

use super::Worktree;
use super::enter::point_to;
use crate::crash;
use crate::git::command::path;
use crate::git::private::{self, Left};
use crate::git::snapshot::Finished;

/// Puts pointer, records and index back, and removes the agent's git directory if all of it was taken in.
/// Returns what had to stay.
pub(super) async fn leave(
    worktree: &Worktree,
    finished: &Finished,
) -> anyhow::Result<Option<Left>> {
    if !worktree.is_entered() {
        worktree.sweep();
        return Ok(None);
    }
    crash::point("leave.begun");
    // A worktree that the user has removed meanwhile does not come back.
    if worktree.path.is_dir() || is_known(worktree) {
        restore_records(worktree)?;
    }
    crash::point("leave.records");
    let mut left = finished.left.clone();
    if worktree.path.is_dir() {
        restore_index(worktree, finished).await?;
        crash::point("leave.index");
        if let Some(beside) = replaced(worktree)? {
            let why = "the agent put it in place of its own".to_owned();
            left.get_or_insert(Left { path: beside, why });
        }
        point_to(worktree, &worktree.admin)?;
    }
    crash::point("leave.pointer");
    let (dir, emptied) = (worktree.private_dir(), worktree.emptied_dir());
    if finished.left.is_none() && dir.exists() {
        let _ = std::fs::remove_dir_all(&emptied);
        std::fs::rename(&dir, &emptied)
            .with_context(|| format!("cannot move `{}`", dir.display()))?;
    }
    crash::point("leave.emptied");
    private::let_go(worktree.repo(), &worktree.base_ref()).await?;
    private::unmark(worktree).context("cannot remove the mark of an agent")?;
    crash::point("leave.unmarked");
    worktree.sweep();
    if emptied.exists() {
        let why = "all of it was taken in, and it cannot be removed".to_owned();
        left.get_or_insert(Left { path: emptied, why });
    }
    crash::point("leave.done");
    Ok(left)
}

/// Tells whether git's record is still that of the worktree.
fn is_known(worktree: &Worktree) -> bool {
    let back = std::fs::read(worktree.admin.join("gitdir")).unwrap_or_default();
    path(back.trim_ascii_end()) == worktree.path.join(".git")
}

/// Writes what git keeps about the worktree as git wrote it.
fn restore_records(worktree: &Worktree) -> anyhow::Result<()> {
    let admin = &worktree.admin;
    match admin.symlink_metadata() {
        Ok(found) if found.is_dir() => {}
        _ => {
            private::move_aside(admin)?;
            std::fs::create_dir_all(admin)
                .with_context(|| format!("cannot make `{}`", admin.display()))?;
        }
    }
    let pointer = worktree.path.join(".git");
    let back = [pointer.as_os_str().as_encoded_bytes(), b"\n"].concat();
    put(&admin.join("HEAD"), format!("ref: refs/heads/{}\n", worktree.branch).as_bytes())?;
    put(&admin.join("commondir"), b"../..\n")?;
    put(&admin.join("gitdir"), &back)?;
    let own = admin.join("config.worktree");
    match std::fs::read(worktree.mark().join("config.worktree")) {
        Ok(bytes) => put(&own, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => remove(&own),
        Err(error) => Err(error).context("cannot read the mark of an agent"),
    }
}

/// Gives the worktree an index for its branch: with the times of the files where all is committed, else
/// with what is not committed shown as such.
async fn restore_index(worktree: &Worktree, finished: &Finished) -> anyhow::Result<()> {
    let (ours, theirs) = (worktree.index(), worktree.admin.join("index"));
    remove(&theirs.with_added_extension("lock"))?;
    if !finished.uncommitted && finished.aside.is_none() {
        return crate::git::index::replace(&ours, &theirs);
    }
    let tip = worktree.repo().tip(&format!("refs/heads/{}", worktree.branch)).await?;
    show_uncommitted(worktree, &tip.unwrap_or_else(|| finished.head_commit.clone())).await
}

/// Gives the worktree an index in which everything that `tip` does not have is shown as not committed.
pub(super) async fn show_uncommitted(worktree: &Worktree, tip: &str) -> anyhow::Result<()> {
    let scratch = crate::git::diff::Scratch::new(worktree.repo())?;
    let mut place = worktree.private();
    let copy = scratch.path("index");
    crate::git::index::copy(&worktree.index(), &copy)?;
    place.index = Some(copy.clone());
    let read = worktree.repo().git_at(&place, "read-tree").setting("core.sparseCheckout=false");
    read.args(["-i", "-m", tip]).bytes().await?;
    crate::git::index::replace(&copy, &worktree.admin.join("index"))
}

/// Moves away what stands in place of the `.git` file and is a folder; returns where it is.
fn replaced(worktree: &Worktree) -> anyhow::Result<Option<std::path::PathBuf>> {
    let pointer = worktree.path.join(".git");
    if !pointer.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Ok(None);
    }
    let beside = worktree.path.with_added_extension("replaced");
    private::move_aside(&beside)?;
    std::fs::rename(&pointer, &beside)
        .with_context(|| format!("cannot move `{}`", pointer.display()))?;
    Ok(Some(beside))
}

/// Writes a file, whole, unless it has these bytes already; whatever stands there is replaced.
fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let regular = path.symlink_metadata().is_ok_and(|found| found.is_file());
    if regular && std::fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        private::move_aside(path)?;
    }
    let fresh = path.with_added_extension("new");
    remove(&fresh)?;
    std::fs::write(&fresh, bytes)
        .and_then(|()| std::fs::rename(&fresh, path))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            private::move_aside(path).map(drop)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}
