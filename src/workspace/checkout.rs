//! Git checkouts that an agent's tools leave alone: a directory that a script adds can lie in one, or
//! hold some.

use std::path::{Path, PathBuf};

/// Which checkouts are left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkouts {
    /// All that there are.
    All,
    /// Those of the repository with this common directory: its main one and every worktree.
    Of(PathBuf),
}

impl Checkouts {
    /// Returns the top of such a checkout around the file `path`, which has no symlinks in it; a git
    /// directory counts as one. Blocks.
    pub(super) fn around(&self, path: &Path) -> Option<PathBuf> {
        let own = match self {
            Self::All => None,
            Self::Of(common) => Some(common.canonicalize().unwrap_or_else(|_| common.clone())),
        };
        let mut above = path.ancestors().skip(1);
        let top = above.find(|dir| {
            common_dir(dir).is_some_and(|common| own.as_ref().is_none_or(|own| *own == common))
        });
        top.map(Path::to_owned)
    }
}

/// Returns the common directory of the repository whose checkout has its top in `dir`.
fn common_dir(dir: &Path) -> Option<PathBuf> {
    let entry = dir.join(".git");
    let git_dir = if entry.is_file() {
        // gitrepository-layout(5): a linked worktree or a submodule names its directory in a file.
        match std::fs::read_to_string(&entry).unwrap_or_default().strip_prefix("gitdir:") {
            Some(named) => dir.join(named.trim()),
            // A checkout all the same.
            None => entry,
        }
    } else if entry.is_dir() {
        entry
    } else if is_git_dir(dir) {
        dir.to_owned()
    } else {
        return None;
    };
    let common = match std::fs::read_to_string(git_dir.join("commondir")) {
        Ok(text) => git_dir.join(text.trim()),
        Err(_) => git_dir,
    };
    Some(common.canonicalize().unwrap_or(common))
}

/// Reports whether a directory is a bare repository.
fn is_git_dir(dir: &Path) -> bool {
    dir.join("HEAD").is_file() && dir.join("objects").is_dir() && dir.join("refs").is_dir()
}
