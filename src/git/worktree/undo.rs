//! Taking back what making a worktree made, all of it and nothing else: after a failure, and after a
//! crash at any point.
//!
//! Name and path were found free under the lock before the intent was written, so what stands there
//! now is ours; each thing is looked at once more all the same. Doing it twice changes nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;

use super::{LOCK_REASON, Life, list};
use crate::crash;
use crate::git::command::path;
use crate::git::repo::Repo;
use crate::git::trash;

/// How long a git that lives may hold a ref.
const INSTANT: Duration = Duration::from_secs(1);

/// Removes records, folder, index, our stale locks and, with `branch`, the branch if it is still at
/// its base and nobody has it checked out. The caller holds the repository's lock. Each step is taken
/// even where one before failed; the first failure is returned.
pub(in crate::git) async fn take_back(
    repo: &Repo,
    life: &Life,
    branch: bool,
) -> anyhow::Result<()> {
    crash::point("undo.begun");
    let unregistered = unregister(repo, life);
    let deleted = delete_folder(repo, life);
    let forgotten = discard_private(repo, &life.id, &life.path);
    crash::point("undo.deleted");
    if branch && life.branch_created {
        delete_branch(repo, life).await?;
    }
    let keep = format!("{}/base", life.namespace());
    if repo.tip(&keep).await?.as_ref() == Some(&life.base_commit) {
        repo.delete_ref(&keep, &life.base_commit).await?;
    }
    unregistered.and(deleted).and(forgotten)
}

fn unregister(repo: &Repo, life: &Life) -> anyhow::Result<()> {
    for admin in records(repo.common_dir(), life)? {
        trash::retire(repo, &life.id, &admin)?;
        crash::point("undo.unregistered");
    }
    Ok(())
}

fn delete_folder(repo: &Repo, life: &Life) -> anyhow::Result<()> {
    let aside = trash::aside(&life.path);
    if life.path.symlink_metadata().is_ok() {
        require_ours(repo, life)?;
        trash::discard(&aside)?;
        std::fs::rename(&life.path, &aside)?;
        crash::point("undo.moved");
    }
    trash::discard(&aside)
}

async fn delete_branch(repo: &Repo, life: &Life) -> anyhow::Result<()> {
    unlock_refs(repo, life).await;
    let name = format!("refs/heads/{}", life.branch);
    let on_it = |branch: &Option<String>| branch.as_deref() == Some(&life.branch);
    let entries = repo.worktrees().await?;
    let held = entries.iter().any(|entry| on_it(&entry.branch) && entry.path != life.path);
    if !held && repo.tip(&name).await?.as_ref() == Some(&life.base_commit) {
        repo.delete_ref(&name, &life.base_commit).await?;
        crash::point("undo.branch");
    }
    Ok(())
}

/// Removes what agentlua keeps about a worktree beside the repository and beside the worktree: its
/// indexes, what a private git directory held, the folder of worktrees if it was the last one.
pub(in crate::git) fn discard_private(repo: &Repo, id: &str, path: &Path) -> anyhow::Result<()> {
    discard_indexes(repo, id);
    trash::discard(&repo.state_dir().join("entered").join(id))?;
    if let Some(name) = path.file_name() {
        let _ = std::fs::remove_file(repo.state_dir().join("setup").join(name));
    }
    let Some(folder) = path.parent() else { return Ok(()) };
    for end in ["git", "making", "taken"] {
        trash::discard(&folder.join(format!("{id}.{end}")))?;
    }
    let _ = std::fs::remove_file(folder.join(format!("{id}.pointer")));
    let _ = std::fs::remove_dir(folder);
    Ok(())
}

/// Removes the indexes with which snapshots of a worktree were taken.
pub(in crate::git) fn discard_indexes(repo: &Repo, id: &str) {
    let indexes = repo.state_dir().join("index");
    for entry in std::fs::read_dir(&indexes).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let own = name.to_str().and_then(|name| name.strip_prefix(id));
        if own.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Returns git's records of the worktree, however far git came with them.
fn records(common_dir: &Path, life: &Life) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = list::admin_dir(common_dir, &life.path)?.into_iter().collect();
    let entries = match std::fs::read_dir(common_dir.join("worktrees")) {
        Ok(entries) => entries,
        Err(error) if list::is_no_folder(&error) => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&life.id));
        let named = number.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
        // Git names the record after the folder, locks it first and says whose it is after that.
        let (admin, reason) = (entry.path(), format!("{LOCK_REASON}{}", life.id));
        let ours = match std::fs::read(admin.join("locked")) {
            Ok(locked) => locked.trim_ascii_end() == reason.as_bytes(),
            Err(_) => std::fs::read_dir(&admin)?.next().is_none(),
        };
        if named && ours && !admin.join("gitdir").exists() {
            found.push(admin);
        }
    }
    Ok(found)
}

/// Refuses a folder that is not as git made it: whose pointer leads elsewhere.
fn require_ours(repo: &Repo, life: &Life) -> anyhow::Result<()> {
    let folder = &life.path;
    let pointer = folder.join(".git");
    let shown = folder.display();
    if !folder.symlink_metadata()?.is_dir() {
        bail!("`{shown}` is not the folder that was made");
    }
    let Ok(kind) = pointer.symlink_metadata() else { return Ok(()) };
    let bytes = if kind.is_file() { std::fs::read(&pointer)? } else { Vec::new() };
    let target = path(bytes.strip_prefix(b"gitdir: ").unwrap_or(&bytes).trim_ascii_end());
    let private = folder.with_file_name(format!("{}.git", life.id));
    if bytes.is_empty() && kind.is_file() {
        return Ok(()); // Cut off before a byte was written.
    }
    if !target.starts_with(repo.common_dir().join("worktrees")) && !target.starts_with(private) {
        bail!("`{shown}` holds a repository of its own");
    }
    Ok(())
}

/// Removes lock files on refs whose holder is dead. The branch may be somebody else's too, whose git holds
/// it for an instant: only a lock that stays is removed.
pub(in crate::git) async fn unlock_refs(repo: &Repo, life: &Life) {
    let common_dir = repo.common_dir();
    let lock = common_dir.join(format!("refs/heads/{}.lock", life.branch));
    while let Ok(made) = lock.symlink_metadata().and_then(|lock| lock.modified()) {
        // A time that is yet to come is no reason to wait for it.
        if made.elapsed().is_ok_and(|age| age < INSTANT) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        let _ = std::fs::remove_file(&lock);
        break;
    }
    let mut folders = vec![common_dir.join(life.namespace())];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(name);
            } else if name.extension().is_some_and(|extension| extension == "lock") {
                let _ = std::fs::remove_file(name);
            }
        }
    }
}
