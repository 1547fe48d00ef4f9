//! What earlier processes left behind in a repository, recovered before this one changes anything.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Host;
use crate::error::Result;
use crate::event::{Event, Level};
use crate::git::{self, Repo};

/// The repositories, by their shared directory, that this process has looked at.
pub(super) type Seen = tokio::sync::Mutex<HashSet<PathBuf>>;

impl Host {
    /// Opens the repository around `dir` to change something in it: what was cut off there is recovered
    /// first, once, and said.
    ///
    /// # Errors
    /// Git, when there is none. What cannot be recovered is a warning.
    pub async fn repo_to_change(&self, dir: &Path) -> Result<Arc<Repo>> {
        let repo = self.repo(dir).await?;
        self.recover(&repo).await;
        Ok(repo)
    }

    /// Recovers what was cut off in a repository, the first time it is asked to.
    pub async fn recover(&self, repo: &Arc<Repo>) {
        if self.plan.is_some() {
            return;
        }
        let mut seen = self.recovered.lock().await;
        if !seen.insert(repo.common_dir().to_owned()) {
            return;
        }
        let repo = Arc::clone(repo);
        let recovered = self.beside(async move { git::recover(&repo).await }).await;
        match recovered.and_then(|recovered| recovered) {
            Ok(recovered) => {
                for one in recovered {
                    let level = if one.left { Level::Warn } else { Level::Info };
                    self.events.emit(Event::Message { level, text: one.text });
                }
            }
            Err(error) => {
                self.events
                    .warn(format!("what was cut off before could not be recovered: {error}"));
            }
        }
    }
}
