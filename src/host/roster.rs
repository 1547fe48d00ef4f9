//! The agents that there are: those of every process that works on a repository.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Host, repository_around};
use crate::error::Result;
use crate::journal::{AgentFilter, AgentRow, Status};

impl Host {
    /// Returns the agents around the working directory: live ones, and ended ones whose worktree or
    /// branch still exists; `all` of them on request. The newest is last.
    ///
    /// # Errors
    /// Io, for a registry that cannot be read.
    pub async fn agents(&self, all: bool) -> Result<Vec<AgentRow>> {
        let dir = self.default_dir();
        let repo = match repository_around(&dir) {
            Some(_) => Some(self.repo(&dir).await?),
            None => None,
        };
        let store = self.store(repo.as_ref()).await?;
        let planned = self.plan.as_ref().map(super::plan::Plan::rows).unwrap_or_default();
        self.beside(async move {
            let mut rows = store.agents(AgentFilter::default()).await?;
            rows.extend(planned);
            if all {
                return Ok(rows);
            }
            let branches: HashSet<String> = match &repo {
                Some(repo) => {
                    repo.branches().await?.into_iter().map(|branch| branch.name).collect()
                }
                None => HashSet::new(),
            };
            Ok(rows.into_iter().filter(|row| is_present(row, &branches)).collect())
        })
        .await?
    }
}

/// Reports whether an agent still has anything: a life, a worktree, a branch.
fn is_present(row: &AgentRow, branches: &HashSet<String>) -> bool {
    !(row.status.is_final() || row.status == Status::Interrupted)
        || row.worktree_path.as_ref().is_some_and(|path| path.exists())
        || row.branch.as_ref().is_some_and(|branch| branches.contains(branch))
}

/// Returns an agent as scripts and `--json` show it; `since` is seconds since 1970.
pub fn agent_json(row: &AgentRow) -> Value {
    json!({
        "id": row.id,
        "status": row.status.as_str(),
        "branch": row.branch,
        "since": row.status_at / 1000,
        "run": row.run,
        "label": row.label,
        "turns": row.turns,
        "usage": row.usage,
        "cost_usd": row.cost_usd,
        "worktree_path": row.worktree_path.as_ref().map(|path| path.display().to_string()),
        "base_commit": row.base_commit,
        "head_commit": row.head_commit,
    })
}
