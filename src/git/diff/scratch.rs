//! A folder for the files of one step, beside the repository.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::Context;

use crate::git::index;
use crate::git::repo::Repo;

/// A folder beside the repository that goes when it is dropped.
pub(in crate::git) struct Scratch(PathBuf);

impl Scratch {
    pub(in crate::git) fn new(repo: &Repo) -> anyhow::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // In another container a process may have the same number.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (id, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let above = repo.scratch_dir();
        let folder = above.join(format!("{id}-{:x}-{next}", since.as_nanos()));
        std::fs::create_dir_all(&above)
            .and_then(|()| std::fs::create_dir(&folder))
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
        Ok(Self(folder))
    }

    pub(in crate::git) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Copies an index into the folder, if there is one; returns where.
    pub(in crate::git) fn copy(&self, name: &str, from: &Path) -> anyhow::Result<PathBuf> {
        let to = self.path(name);
        if from.exists() {
            index::copy(from, &to)?;
        }
        Ok(to)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
