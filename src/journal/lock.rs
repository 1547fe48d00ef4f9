//! Which runs are alive: a locked file per run, which ends with its process however that ends.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::private;
use crate::error::{Error, Kind, Result, ResultExt};

/// How often to look again when somebody only asks whether the run is alive.
const TRIES: u32 = 50;

/// Says that a run is alive, as long as it is held. Dropping it removes the file.
#[derive(Debug)]
#[must_use = "the run counts as dead as soon as this is dropped"]
pub struct RunLock {
    path: PathBuf,
    file: File,
}

impl RunLock {
    /// Takes the lock of a run.
    ///
    /// # Errors
    /// [`Kind::Usage`] when the run is alive in this or another process.
    pub(super) fn take(dir: &Path, run: &str) -> Result<Self> {
        let path = file(dir, run)?;
        let shown = path.display().to_string();
        let trouble = || format!("cannot lock `{shown}`");
        for attempt in 0..TRIES {
            let opened = path.parent().map_or(Ok(()), private::folder);
            let file = opened
                .and_then(|()| File::options().create(true).read(true).append(true).open(&path))
                .or_kind(Kind::Io, trouble)?;
            match file.try_lock() {
                // The one before may have removed the file between our opening and locking it.
                Ok(()) if is_at(&file, &path) => return Ok(Self { path, file }),
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) if attempt + 1 < TRIES => {}
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(error).or_kind(Kind::Io, trouble),
            }
            std::thread::sleep(Duration::from_millis(4));
        }
        Err(Error::usage(format!("the run `{run}` is going on in another process")))
    }
}

impl RunLock {
    /// Returns the locked file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Tells whether a process holds the lock of a run.
pub(super) fn is_alive(dir: &Path, run: &str) -> bool {
    let Ok(file) = file(dir, run).map(File::open) else { return false };
    match file {
        Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn file(dir: &Path, run: &str) -> Result<PathBuf> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if run.is_empty() || run.len() > 100 || run.starts_with('.') || !run.chars().all(fits) {
        return Err(Error::usage(format!("`{run}` cannot be the id of a run")));
    }
    Ok(dir.join("hosts").join(format!("{run}.lock")))
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}
