//! Asking an agent: its query is put together with what it needs from around it, looked for among what a
//! resumed run knows, and given to the fleet; or planned, in a dry run.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Host, locked, repository_around};
use crate::agent::fleet::{Live, Order};
use crate::agent::key::Inputs;
use crate::agent::query::{Dirty, Site, Start};
use crate::agent::{Outcome, Query};
use crate::error::{Kind, Result, ResultExt};
use crate::event::{Event, Level};
use crate::git::Repo;

impl Host {
    /// Runs an agent to its end.
    pub async fn ask(
        self: &Arc<Self>,
        query: Query,
        cancel: CancellationToken,
        live: Arc<Live>,
    ) -> Result<Outcome> {
        if let Some(plan) = &self.plan {
            return Box::pin(self.plan_agent(plan, query, cancel, live)).await;
        }
        let label = query.label.clone();
        if let Site::Worktree(_) = &query.site {
            // Before the first wait, so that the first of a fan-out knows of the others.
            live.expects_worktree(self.fleet.expect_worktree());
        }
        let looking = self.look().await;
        let order = match Box::pin(self.order(query, cancel, Arc::clone(&live))).await {
            Ok(order) => Box::pin(self.recalled(order, looking)).await,
            Err(error) => Err(error),
        };
        let order = match order {
            Ok(ControlFlow::Continue(order)) => order,
            Ok(ControlFlow::Break(outcome)) => return Ok(outcome),
            Err(error) => {
                live.inbox.close();
                self.fleet.count_unstarted(&label, &error);
                return Err(error);
            }
        };
        let fleet = Arc::clone(&self.fleet);
        // Not aborted when Lua stops waiting: an agent always takes its work in.
        self.runtime
            .spawn(async move { fleet.run(order).await })
            .await
            .or_kind(Kind::Internal, || "an agent ended by a fault of ours")
    }

    /// Puts together what a query needs from around it.
    pub(super) async fn order(
        self: &Arc<Self>,
        mut query: Query,
        cancel: CancellationToken,
        live: Arc<Live>,
    ) -> Result<Order> {
        let mut inputs = Inputs::of(&query);
        self.thread(&mut query);
        let ancestor = self.settle_past(&mut query).await?;
        if let Some(ancestor) = &ancestor {
            inputs.take_up(&query.past, &ancestor.id, ancestor.key.as_deref());
        }
        let repo = match &query.site {
            Site::Worktree(plan) => Some(self.repo_to_change(&plan.repo).await?),
            // Agents without a worktree are registered where they are seen.
            Site::Directory(dir) if repository_around(dir).is_some() => Some(self.repo(dir).await?),
            Site::Directory(_) => None,
        };
        if let (Site::Worktree(plan), Some(repo)) = (&query.site, &repo)
            && let Start::Fresh { dirty: Dirty::Ignore, .. } = &plan.start
            && !query.read_only
        {
            self.announce_dirt(repo).await;
        }
        let store = self.store(repo.as_ref()).await?;
        let home = self.home_store().await?;
        self.hear(&store);
        self.hear(&home);
        self.fleet.settle_home(home);
        let worktree_root = match &query.site {
            Site::Worktree(_) => self.worktree_root()?,
            Site::Directory(_) => PathBuf::new(),
        };
        let events = self.events.clone();
        Ok(Order {
            query,
            repo,
            store,
            worktree_root,
            ancestor,
            key: inputs.key(),
            again: None,
            cancel,
            live,
            events,
            deadline: None,
        })
    }

    /// Says once in a run that changes of the main checkout are not in worktrees. Untracked files are often
    /// there for no agent, such as the script itself.
    async fn announce_dirt(&self, repo: &Arc<Repo>) {
        if std::mem::replace(&mut *locked(&self.announced), true) {
            return;
        }
        let (this, repo) = (Arc::clone(repo), Arc::clone(repo));
        let changed = self.beside(async move { this.changed_count().await }).await;
        if let Ok(Ok(count @ 1..)) = changed {
            let (noun, are) = if count == 1 { ("change", "is") } else { ("changes", "are") };
            self.events.emit(Event::Message {
                level: Level::Info,
                text: format!(
                    "{count} uncommitted {noun} in `{}` {are} not in the agents' worktrees; \
                     `dirty = \"copy\"` gives an agent what is uncommitted",
                    repo.top().display(),
                ),
            });
        }
    }
}
