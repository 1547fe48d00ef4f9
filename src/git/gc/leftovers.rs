//! Files beside the repository that belong to nobody any more: of processes that are gone, and of
//! agents that have ended.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::{Kind, Result, ResultExt};
use crate::git::repo::Repo;
use crate::git::trash;
use crate::git::worktree::Contents;
use crate::process::alive;

/// How old a file must be that nothing else tells about.
const OLD: Duration = Duration::from_hours(1);

/// How long what a run in the background wrote is kept: as long as its conversations.
const OUTPUT_KEPT: Duration = Duration::from_hours(24 * 90);

/// A file or folder that belongs to nobody any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
}

/// Lists what belongs to nobody in the repository's state folder, and deletes it unless `dry`.
/// `owners` are the ids of all that may still need theirs.
///
/// # Errors
/// [`Kind::Io`] when it cannot be listed or deleted.
pub fn sweep(repo: &Repo, owners: &BTreeSet<String>, dry: bool) -> Result<Vec<Leftover>> {
    let state = repo.state_dir();
    let mut found = Vec::new();
    let named = ["index", "output", "entered"].map(|name| entries(&state.join(name)));
    for path in named.into_iter().flatten() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // `<id>`, `<id>.lock`, `<id>.<process>.new`; an id may have dots itself.
        let owned = owners.iter().any(|id| {
            name.strip_prefix(id.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let age = if is_output_of_run(&path) { OUTPUT_KEPT } else { OLD };
        if !owned && is_older(&path, age) {
            found.push(path);
        }
    }
    for path in entries(&state.join("tmp")) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let process = name.split('-').next().and_then(|number| number.parse().ok());
        if !process.is_some_and(alive::exists) && is_older(&path, OLD) {
            found.push(path);
        }
    }
    let trouble = || "cannot look for leftovers";
    let mut leftovers = Vec::new();
    for path in found {
        let bytes = if path.is_dir() {
            Contents::of(&path).or_kind(Kind::Io, trouble)?.bytes
        } else {
            path.symlink_metadata().map_or(0, |file| file.len())
        };
        if !dry {
            discard(&path).or_kind(Kind::Io, trouble)?;
        }
        leftovers.push(Leftover { path, bytes });
    }
    Ok(leftovers)
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Tells whether a file has what a run wrote in the background.
fn is_output_of_run(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("run-") && name.ends_with(".log")
}

fn is_older(path: &Path, limit: Duration) -> bool {
    let changed = path.symlink_metadata().and_then(|file| file.modified());
    changed
        .is_ok_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|age| age > limit))
}

fn discard(path: &Path) -> anyhow::Result<()> {
    if path.symlink_metadata()?.is_dir() {
        return trash::discard(path);
    }
    Ok(std::fs::remove_file(path)?)
}
