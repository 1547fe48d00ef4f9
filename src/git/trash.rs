//! Folders on their way out: moved aside in one step, so that nothing half removed ever bears the name
//! of a worktree, and deleted after.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::repo::Repo;

/// Returns where the folder of a worktree goes before it is deleted: beside it, under a name that no
/// worktree can have.
pub(super) fn aside(folder: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(folder.file_name().unwrap_or_default());
    name.push(".removed");
    folder.with_file_name(name)
}

/// Returns where git's record of the worktree `id` goes before it is deleted.
fn retired(repo: &Repo, id: &str) -> PathBuf {
    repo.state_dir().join("tmp").join(format!("record-{id}"))
}

/// Takes git's record of the worktree `id` out of its registry in one step, and deletes it.
pub(super) fn retire(repo: &Repo, id: &str, admin: &Path) -> anyhow::Result<()> {
    let retired = retired(repo, id);
    if let Some(folder) = retired.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    discard(&retired)?;
    std::fs::rename(admin, &retired)
        .with_context(|| format!("cannot remove `{}`", admin.display()))?;
    // As git does when the last one goes.
    let _ = std::fs::remove_dir(repo.common_dir().join("worktrees"));
    discard(&retired)
}

/// Deletes a folder with all that is in it, if it is there. Links are not followed.
pub(super) fn discard(folder: &Path) -> anyhow::Result<()> {
    let trouble = || format!("cannot delete `{}`", folder.display());
    match delete(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            // Package caches take away the right to write from their folders.
            open_up(folder);
            delete(folder).with_context(trouble)
        }
        done => done.with_context(trouble),
    }
}

fn delete(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn open_up(folder: &Path) {
    let Ok(found) = folder.symlink_metadata() else { return };
    if !found.is_dir() {
        return;
    }
    let mode = found.permissions().mode() | 0o700;
    let _ = std::fs::set_permissions(folder, Permissions::from_mode(mode));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        open_up(&entry.path());
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn folders_without_the_right_to_write_go_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (outside, gone) = (dir.path().join("outside"), dir.path().join("agent-1"));
        std::fs::create_dir_all(gone.join("cache/deep")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("mine"), "x").unwrap();
        std::fs::write(gone.join("cache/deep/file"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, gone.join("cache/link")).unwrap();
        let read_only = Permissions::from_mode(0o500);
        std::fs::set_permissions(gone.join("cache/deep"), read_only.clone()).unwrap();
        std::fs::set_permissions(gone.join("cache"), read_only).unwrap();
        discard(&gone).unwrap();
        discard(&gone).unwrap();
        assert!(!gone.exists() && outside.join("mine").exists());
        assert_eq!(aside(&gone), dir.path().join(".agent-1.removed"));
    }
}
