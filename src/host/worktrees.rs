//! The worktrees that a script makes for itself: made on a new branch, and at the latest at the end
//! of the run removed when refs hold all of them, else kept and named.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Host, locked};
use crate::error::Result;
use crate::event::{Event, Level};
use crate::git::worktree::{New, Released, Worktree};

/// Worktrees by their id.
#[derive(Default)]
pub struct Open {
    made: u32,
    open: BTreeMap<String, Worktree>,
}

impl Host {
    /// Makes a worktree on a new branch of the repository around `dir`.
    ///
    /// # Errors
    /// Git, when it cannot be had; nothing of it is left behind.
    pub async fn make_worktree(&self, dir: &Path, branch: String, base: &str) -> Result<Worktree> {
        let repo = self.repo_to_change(dir).await?;
        let root = self.worktree_root()?;
        let number = {
            let mut worktrees = locked(&self.worktrees);
            worktrees.made += 1;
            worktrees.made
        };
        let run = self.fleet.run_id().to_owned();
        let id = format!("script-{}-{number}", run.trim_start_matches("run-"));
        let base = base.to_owned();
        let worktree = self
            .beside(async move {
                let base_commit = repo.resolve(&base).await?;
                Worktree::create(&repo, New { id, run, branch, base_commit, root }).await
            })
            .await??;
        locked(&self.worktrees).open.insert(worktree.id().to_owned(), worktree.clone());
        Ok(worktree)
    }

    /// Removes a worktree if refs hold all of it, and unlocks it in any case; tells whether it is
    /// gone.
    ///
    /// # Errors
    /// Git, when it cannot tell; the worktree is then still there.
    pub async fn close_worktree(&self, worktree: &Worktree) -> Result<bool> {
        locked(&self.worktrees).open.remove(worktree.id());
        let worktree = worktree.clone();
        let released = self
            .beside(async move { worktree.close(&worktree.finish(None).await?).await })
            .await??;
        Ok(matches!(released, Released::Removed { .. }))
    }

    /// Unlocks a worktree and leaves it as it is.
    ///
    /// # Errors
    /// Git, when it cannot be unlocked.
    pub async fn keep_worktree(&self, worktree: &Worktree) -> Result<()> {
        locked(&self.worktrees).open.remove(worktree.id());
        let worktree = worktree.clone();
        self.beside(async move { worktree.keep().await }).await?
    }

    /// Says that a worktree was kept, and where.
    pub fn announce_kept(&self, worktree: &Worktree) {
        self.events.emit(Event::Message {
            level: Level::Info,
            text: format!(
                "the worktree `{}` is kept: it holds changes that no commit has",
                worktree.path().display()
            ),
        });
    }

    /// Closes what the script left open.
    pub(super) async fn close_worktrees(&self) {
        let open = std::mem::take(&mut locked(&self.worktrees).open);
        for worktree in open.into_values() {
            match self.close_worktree(&worktree).await {
                Ok(true) => {}
                Ok(false) => self.announce_kept(&worktree),
                Err(error) => self.events.warn(error.to_string()),
            }
        }
    }
}
