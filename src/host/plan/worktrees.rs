//! Worktrees of the script's own in a dry run: checked and named, not made.

use std::sync::Arc;

use super::Plan;
use crate::agent::ground;
use crate::agent::query::Dirty;
use crate::error::Result;
use crate::git::Worktree;
use crate::git::worktree::New;
use crate::host::Host;
use crate::host::worktrees::Wanted;

impl Host {
    /// Plans a worktree of the script's own.
    ///
    /// # Errors
    /// As [`Host::make_worktree`].
    pub(in crate::host) async fn plan_worktree(
        &self,
        plan: &Plan,
        wanted: Wanted,
    ) -> Result<Worktree> {
        let (repo, root) = (self.repo(&wanted.dir).await?, self.worktree_root()?);
        let number = {
            let mut state = plan.state();
            state.script_worktrees += 1;
            state.script_worktrees
        };
        let run = self.fleet.run_id().to_owned();
        let id = format!("script-{}-{number}", run.trim_start_matches("run-"));
        let Wanted { branch, taken, base, dirty, furnish, setup, .. } = wanted;
        let own = Arc::clone(&repo);
        let surveying = async move {
            let kept = if dirty == Dirty::Copy { Dirty::Ignore } else { dirty };
            let base_commit = ground::base_commit(&own, base.as_deref(), kept).await?;
            ground::require_room(&own, &base_commit, &furnish, &root, 1).await?;
            Worktree::survey(&own, New { id, run, branch, base_commit, root, taken, furnish }).await
        };
        let worktree = self.beside(surveying).await??;
        plan.files.make_alike(worktree.path(), repo.top());
        repo.pretend(worktree.branch(), worktree.base_commit());
        let prepared = setup.map(|setup| format!(", prepared by `{setup}`")).unwrap_or_default();
        plan.step("worktree", format!("make a worktree on `{}`{prepared}", worktree.branch()));
        Ok(worktree)
    }
}
