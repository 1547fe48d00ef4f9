//! The repositories that a run works on, the stores of their agents, and where worktrees go: each opened
//! once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Host, repository_around};
use crate::config;
use crate::error::{Error, Result};
use crate::git::{Repo, worktree};
use crate::journal::Store;

impl Host {
    /// Returns the store of the run itself: that of the repository where it was started.
    ///
    /// # Errors
    /// As [`Host::store`].
    pub async fn home_store(&self) -> Result<Arc<Store>> {
        self.store_around(&self.default_dir()).await
    }

    /// Returns the store of the repository around `dir`, or of what is outside every one.
    ///
    /// # Errors
    /// As [`Host::store`].
    pub async fn store_around(&self, dir: &Path) -> Result<Arc<Store>> {
        let repo = match repository_around(dir) {
            Some(_) => Some(self.repo(dir).await?),
            None => None,
        };
        self.store(repo.as_ref()).await
    }

    /// Returns the directory whose repository is meant when nothing else is said.
    pub fn default_dir(&self) -> PathBuf {
        let repo = self.config().repo.clone();
        repo.map_or_else(|| self.cwd.clone(), |repo| self.cwd.join(repo))
    }

    /// Opens the repository around `dir`.
    ///
    /// # Errors
    /// Git, when there is none.
    pub async fn repo(&self, dir: &Path) -> Result<Arc<Repo>> {
        let mut repos = self.repos.lock().await;
        if let Some(repo) = repos.get(dir) {
            return Ok(Arc::clone(repo));
        }
        let path = dir.to_owned();
        let repo = match &self.plan {
            Some(plan) => plan.repo(dir).await?,
            None => self.beside(async move { Repo::open(&path).await }).await??,
        };
        // Two directories of one repository share its handle, and with it its lock.
        let known = repos
            .values()
            .find(|known| known.common_dir() == repo.common_dir() && known.top() == repo.top());
        let repo = known.map_or(repo, Arc::clone);
        repos.insert(dir.to_owned(), Arc::clone(&repo));
        Ok(repo)
    }

    /// Returns the store of a repository's agents, or of those outside every repository.
    ///
    /// # Errors
    /// Usage, for a store that a newer version wrote; io.
    pub async fn store(&self, repo: Option<&Arc<Repo>>) -> Result<Arc<Store>> {
        let dir = match repo {
            Some(repo) => repo.state_dir(),
            None => self.state_dir()?.join("runs"),
        };
        let mut stores = self.stores.lock().await;
        if let Some(store) = stores.get(&dir) {
            return Ok(Arc::clone(store));
        }
        let store = if let Some(repo) = repo {
            let repo = Arc::clone(repo);
            self.beside(async move { repo.store().await }).await??
        } else {
            let path = dir.clone();
            Arc::new(self.beside(async move { Store::open(&path).await }).await??)
        };
        stores.insert(dir, Arc::clone(&store));
        Ok(store)
    }

    pub(super) fn state_dir(&self) -> Result<PathBuf> {
        config::state_dir(|name| self.variable(name))
    }

    /// Returns where worktrees are kept.
    ///
    /// # Errors
    /// Usage, without a home, or when that is a folder that a restart empties.
    pub fn worktree_root(&self) -> Result<PathBuf> {
        if let Some(root) = &self.config().worktree_root {
            return Ok(self.cwd.join(root));
        }
        let root = self.state_dir()?.join("worktrees");
        if worktree::is_volatile(&root) {
            return Err(Error::usage(format!(
                "worktrees would be kept in `{}`, which does not survive a restart",
                root.display()
            ))
            .hint("set XDG_STATE_HOME or `worktree_root` to a folder that does"));
        }
        Ok(root)
    }
}
