//! The worktrees that a script makes for itself: made on a new branch, and at the latest at the end
//! of the run removed when refs hold all of them, else kept and named.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::steps::{Made, Place};
use super::{Host, locked};
use crate::agent::query::Dirty;
use crate::agent::{env, ground, setup};
use crate::crash;
use crate::error::{Error, Result};
use crate::event::{Event, Level};
use crate::git::Taken;
use crate::git::worktree::{Furnish, New, Released, Worktree};
use crate::process::env::allowed;

/// Worktrees by their id.
#[derive(Default)]
pub struct Open {
    made: u32,
    open: BTreeMap<String, Worktree>,
}

/// A worktree that a script wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// A directory in the repository.
    pub dir: PathBuf,
    /// The branch.
    pub branch: String,
    /// What to do when there is a branch of that name.
    pub taken: Taken,
    /// The revision to start from; `HEAD` when absent.
    pub base: Option<String>,
    /// What becomes of uncommitted changes.
    pub dirty: Dirty,
    /// What it gets beside the files of its base.
    pub furnish: Furnish,
    /// The command that prepares it, once.
    pub setup: Option<String>,
    /// The path of the call that makes it.
    pub call_path: String,
}

impl Host {
    /// Makes a worktree of the script's own.
    ///
    /// # Errors
    /// Git, when it cannot be had; nothing of it is left behind. When its setup fails it is closed.
    pub async fn make_worktree(
        self: &Arc<Self>,
        wanted: Wanted,
        cancel: &CancellationToken,
    ) -> Result<Worktree> {
        if let Some(plan) = &self.plan {
            return self.plan_worktree(plan, wanted).await;
        }
        let repo = self.repo_to_change(&wanted.dir).await?;
        let root = self.worktree_root()?;
        let Wanted { branch, taken, base, dirty, furnish, setup, call_path, .. } = wanted;
        let question = json!({ "repo": repo.top(), "branch": branch });
        let place = Place::at(call_path, "worktree", &question);
        self.clear_worktree(&repo, &place).await?;
        let before = self.worktrees_made().await?;
        let number = {
            let mut worktrees = locked(&self.worktrees);
            worktrees.made = worktrees.made.max(before) + 1;
            worktrees.made
        };
        let run = self.fleet.run_id().to_owned();
        let id = format!("script-{}-{number}", run.trim_start_matches("run-"));
        let own = Arc::clone(&repo);
        let look = async move {
            let base_commit = ground::base_commit(&own, base.as_deref(), dirty).await?;
            ground::require_room(&own, &base_commit, &furnish, &root, 1).await?;
            if taken == Taken::Refuse {
                // Before it is written down as made here: it may be somebody's.
                own.require_new_branch(&branch).await?;
            }
            let new = New { id, run, branch, base_commit, root, taken, furnish };
            Ok::<_, Error>(new)
        };
        let new = self.beside(look).await??;
        let made = Made {
            number,
            id: new.id.clone(),
            branch: (taken == Taken::Refuse).then(|| new.branch.clone()),
            path: None,
            base_commit: new.base_commit.clone(),
        };
        self.note_worktree(&place, &made, false).await?;
        let created = self.beside(async move { Worktree::create(&repo, new).await }).await?;
        let worktree = match created {
            Ok(worktree) => worktree,
            Err(error) => {
                // A branch of that name that is made later is somebody else's.
                self.note_worktree(&place, &Made { branch: None, ..made }, true).await?;
                return Err(error);
            }
        };
        crash::point("step.worktree_made");
        self.note_worktree(&place, &made.there(&worktree), true).await?;
        locked(&self.worktrees).open.insert(worktree.id().to_owned(), worktree.clone());
        if let Some(command) = setup
            && let Err(error) = self.set_up(&worktree, command, cancel).await
        {
            if worktree.was_there() {
                self.keep_worktree(&worktree).await?;
            } else if !self.close_worktree(&worktree).await? {
                self.announce_kept(&worktree);
            }
            return Err(error);
        }
        Ok(worktree)
    }

    async fn set_up(
        &self,
        worktree: &Worktree,
        command: String,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let mut env = allowed(self.environment.clone().into_iter());
        env.extend(env::of_worktree(worktree, worktree.id(), self.fleet.run_id()));
        let (processes, worktree, cancel) =
            (self.processes.clone(), worktree.clone(), cancel.clone());
        let step = async move { setup::run(&processes, &worktree, &command, env, &cancel).await };
        self.beside(step).await?
    }

    /// Removes a worktree if refs hold all of it, and unlocks it in any case; tells whether it is
    /// gone.
    ///
    /// # Errors
    /// Git, when it cannot tell; the worktree is then still there.
    pub async fn close_worktree(&self, worktree: &Worktree) -> Result<bool> {
        if self.plan.is_some() {
            return Ok(true);
        }
        require_alone(worktree)?;
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
        if self.plan.is_some() {
            return Ok(());
        }
        require_alone(worktree)?;
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
            let closed = if worktree.was_there() {
                self.keep_worktree(&worktree).await.map(|()| true)
            } else {
                self.close_worktree(&worktree).await
            };
            match closed {
                Ok(true) => {}
                Ok(false) => self.announce_kept(&worktree),
                Err(error) => self.events.warn(error.to_string()),
            }
        }
    }
}

/// Refuses to do anything to a worktree while an agent works in it.
///
/// # Errors
/// Usage, naming the agent.
pub fn require_alone(worktree: &Worktree) -> Result<()> {
    match worktree.occupant() {
        None => Ok(()),
        Some(agent) => {
            Err(Error::usage(format!("`{agent}` works in the worktree `{}`", worktree.branch()))
                .hint("wait until it has ended"))
        }
    }
}
