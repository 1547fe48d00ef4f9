//! Files that a script writes in a dry run: copies in a temporary folder, found again by their paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Kind, Result, ResultExt};

/// Paths, and where their content is: nowhere for those that were removed.
pub(super) struct Files {
    dir: PathBuf,
    written: Mutex<BTreeMap<PathBuf, Option<PathBuf>>>,
    /// How many temporary files and folders the script has asked for.
    temporary: AtomicU64,
    /// Folders that are not made, and those that have the files that would be in them.
    alike: Mutex<BTreeMap<PathBuf, PathBuf>>,
}

impl Files {
    pub(super) fn new(run: &str) -> Self {
        let name = format!("agentlua-plan-{}-{run}", std::process::id());
        Self {
            dir: std::env::temp_dir().join(name),
            written: Mutex::default(),
            temporary: AtomicU64::default(),
            alike: Mutex::default(),
        }
    }

    /// Returns the folder of all that is temporary. It need not exist.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn found(&self, path: &Path) -> Option<PathBuf> {
        let written = self.written();
        if let Some(content) = written.get(path) {
            return content.clone();
        }
        let gone = |above: &Path| matches!(written.get(above), Some(None));
        if path.ancestors().skip(1).any(gone) {
            return None;
        }
        let alike = self.alike.lock().unwrap_or_else(PoisonError::into_inner);
        let real = alike.iter().find_map(|(folder, real)| {
            let rest = path.strip_prefix(folder).ok()?;
            Some(if rest.as_os_str().is_empty() { real.clone() } else { real.join(rest) })
        });
        Some(real.unwrap_or_else(|| path.to_owned()))
    }

    /// Lets the files of `real` be found in `folder`, which is not made.
    pub(super) fn make_alike(&self, folder: &Path, real: &Path) {
        let mut alike = self.alike.lock().unwrap_or_else(PoisonError::into_inner);
        alike.insert(folder.to_owned(), real.to_owned());
    }

    /// Removes all that is temporary.
    pub(super) fn clear(&self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }

    pub(super) fn to_write(&self, path: &Path) -> Result<PathBuf> {
        let before = self.found(path);
        let mut written = self.written();
        if let Some(Some(content)) = written.get(path) {
            return Ok(content.clone());
        }
        let content = self.dir.join(format!("file-{}", written.len()));
        std::fs::create_dir_all(&self.dir)
            .and_then(|()| match before.filter(|before| before.is_file()) {
                Some(before) => std::fs::copy(before, &content).map(drop),
                None => Ok(()),
            })
            .or_kind(Kind::Io, || format!("cannot make a copy of `{}`", path.display()))?;
        written.insert(path.to_owned(), Some(content.clone()));
        Ok(content)
    }

    /// Makes a file or a folder, among what is temporary.
    pub(super) fn make_temporary(&self, is_folder: bool) -> Result<PathBuf> {
        let make = || -> std::io::Result<PathBuf> {
            std::fs::create_dir_all(&self.dir)?;
            let number = self.temporary.fetch_add(1, Ordering::Relaxed);
            let path = self.dir.join(format!("tmp-{number}"));
            if is_folder {
                std::fs::create_dir(&path)?;
            } else {
                std::fs::File::create_new(&path)?;
            }
            Ok(path)
        };
        make().or_kind(Kind::Io, || "cannot make a temporary file")
    }

    pub(super) fn remove(&self, path: &Path) {
        let mut written = self.written();
        written.retain(|known, _| !known.starts_with(path));
        written.insert(path.to_owned(), None);
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Option<PathBuf>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_found_again_and_the_file_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "old").unwrap();
        let files = Files::new("test-files");
        assert_eq!(files.found(&path), Some(path.clone()));
        let copy = files.to_write(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "old");
        std::fs::write(&copy, "new").unwrap();
        assert_eq!(files.found(&path), Some(copy));
        files.remove(dir.path());
        assert_eq!(files.found(&path), None);
        let fresh = files.to_write(&path).unwrap();
        assert!(!fresh.exists(), "what was removed is empty");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    }
}
