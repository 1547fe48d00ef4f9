//! The lock of a repository: among the tasks of this process and among all agentlua processes.
//!
//! It is a `flock`, so it ends with its holder however that ends. It is held for what changes the
//! registry of worktrees or lands on a branch, never for a checkout.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;

use super::repo::Repo;
use crate::error::{Error, Kind, Result, ResultExt};

/// How long to wait for another holder of the repository's lock before giving up.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// Held while the registry of worktrees or a branch is changed.
#[must_use]
pub(super) struct Lock {
    _file: File,
    _turn: OwnedMutexGuard<()>,
}

impl Repo {
    /// Takes the repository's lock, waiting without holding a thread.
    ///
    /// # Errors
    /// When the repository cannot be written, or another process holds the lock for two minutes.
    pub(super) async fn lock(&self) -> Result<Lock> {
        let turn = std::sync::Arc::clone(&self.turn).lock_owned().await;
        let file = alone(&self.state_dir().join("lock"), PATIENCE).await?;
        Ok(Lock { _file: file, _turn: turn })
    }
}

/// Takes the lock on a file, made if need be, waiting without holding a thread. It ends with the file.
///
/// # Errors
/// When the file cannot be written, or another process holds the lock for longer than `patience`.
pub(super) async fn alone(path: &Path, patience: Duration) -> Result<File> {
    let shown = path.display();
    let file = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| File::options().create(true).append(true).open(path))
        .or_kind(Kind::Git, || format!("cannot open `{shown}`"))?;
    let since = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if since.elapsed() < patience => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    Kind::Timeout,
                    format!("another agentlua process has held `{shown}` for {}", spoken(patience)),
                ));
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).or_kind(Kind::Git, || format!("cannot lock `{shown}`"));
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Returns a time in minutes, or in hours where it is more than one.
fn spoken(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    if minutes > 60 { format!("{} hours", minutes / 60) } else { format!("{minutes} minutes") }
}
