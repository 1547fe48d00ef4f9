//! What losers of a race leave: nothing, but what they had kept under `refs/agentlua/removed/<id>`.

use std::sync::Arc;

use super::Host;
use crate::error::{Error, Result};
use crate::event::{Event, Level};
use crate::git::Repo;
use crate::journal::AgentRow;

impl Host {
    /// Removes worktrees and branches of the agents of this run that were asked for beneath one of the
    /// call paths, in every repository that the run has opened. What is not theirs stays: the worktree
    /// that somebody lent to one, and what another agent works in or goes on with.
    pub async fn remove_losers(self: &Arc<Self>, call_paths: &[String]) {
        if self.plan.is_some() {
            return;
        }
        let repos: Vec<Arc<Repo>> = self.repos.lock().await.values().map(Arc::clone).collect();
        let mut seen = std::collections::BTreeSet::new();
        for repo in repos {
            if seen.insert(repo.common_dir().to_owned())
                && let Err(error) = self.remove_losers_of(&repo, call_paths).await
            {
                self.events.warn(format!("what the losers of a race left is not removed: {error}"));
            }
        }
    }

    async fn remove_losers_of(&self, repo: &Arc<Repo>, call_paths: &[String]) -> Result<()> {
        let registry = self.registry_of(repo).await?;
        let run = self.fleet.run_id();
        let is_loser = |row: &&AgentRow| {
            row.run == run
                && call_paths.iter().any(|path| row.call_path.starts_with(&format!("{path}/")))
        };
        let (losers, others): (Vec<_>, Vec<_>) =
            registry.rows.iter().partition::<Vec<&AgentRow>, _>(is_loser);
        for row in losers.iter().rev() {
            self.fleet.excuse(&row.id);
        }
        let (store, ids) = (self.store(Some(repo)).await?, losers.iter().map(|row| row.id.clone()));
        let ids: Vec<String> = ids.collect();
        let noted = async move {
            for id in ids {
                store.note_lost(&id).await?;
            }
            Ok::<_, Error>(())
        };
        self.beside(noted).await??;
        let going: Vec<String> = losers
            .iter()
            .rev()
            .filter(|row| is_own(row) && !others.iter().any(|other| goes_on(other, row)))
            .map(|row| row.id.clone())
            .collect();
        let registry = Arc::new(registry);
        for id in going {
            let (registry, loser) = (Arc::clone(&registry), id.clone());
            let removed = self.beside(async move { registry.remove(&loser, true).await }).await?;
            match removed {
                Ok(removed) => {
                    self.fleet.note_removed(&id);
                    for name in removed.kept {
                        let text = format!("{id} lost the race; what only it had is kept: {name}");
                        self.events.emit(Event::Message { level: Level::Info, text });
                    }
                }
                Err(error) => self.events.warn(error.to_string()),
            }
        }
        Ok(())
    }
}

/// Tells whether worktree or branch of an agent are its own, and not somebody's who lent them.
fn is_own(row: &AgentRow) -> bool {
    match &row.worktree_path {
        Some(path) => path.file_name().is_some_and(|name| name == &*row.id),
        None => row.branch_created,
    }
}

/// Tells whether `other`, which is no loser, has worked on what a loser left.
fn goes_on(other: &AgentRow, loser: &AgentRow) -> bool {
    let path = loser.worktree_path.is_some() && other.worktree_path == loser.worktree_path;
    let branch = loser.branch.is_some() && other.branch == loser.branch;
    path || branch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lent_is_nobodys_to_remove() {
        let row = |id: &str, path: Option<&str>, created| AgentRow {
            id: id.to_owned(),
            branch: Some("b".to_owned()),
            branch_created: created,
            worktree_path: path.map(Into::into),
            ..AgentRow::default()
        };
        assert!(is_own(&row("agent-1", Some("/w/agent-1"), true)));
        assert!(is_own(&row("agent-1", None, true)), "its worktree has gone already");
        assert!(!is_own(&row("agent-1", Some("/w/agent-2"), false)), "it was another's");
        assert!(!is_own(&row("agent-1", None, false)));
        assert!(goes_on(&row("x", None, false), &row("y", None, true)), "on the same branch");
    }
}
