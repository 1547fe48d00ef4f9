//! Whose work a branch is: who knows best what was meant where it conflicts.

use std::sync::Arc;

use super::Source;
use crate::error::Result;
use crate::git::Repo;
use crate::host::Host;
use crate::host::merge::Owner;
use crate::journal::{AgentFilter, AgentRow, Status};

impl Host {
    /// Returns the agent of each branch: the one that was named, else the last that worked on it.
    pub(super) async fn owners(
        &self,
        repo: &Arc<Repo>,
        sources: &[Source],
    ) -> Result<Vec<Option<Owner>>> {
        let store = self.store(Some(repo)).await?;
        let rows = self
            .beside(async move {
                store.flush().await?;
                store.agents(AgentFilter::default()).await
            })
            .await??;
        Ok(sources.iter().map(|source| owner(source, &rows)).collect())
    }
}

fn owner(source: &Source, rows: &[AgentRow]) -> Option<Owner> {
    let branch = source.rev.trim_start_matches("refs/heads/");
    let on_it = || rows.iter().filter(|row| row.branch.as_deref() == Some(branch));
    let row = match &source.agent {
        Some(id) => rows.iter().find(|row| row.id == *id),
        None => on_it().next_back(),
    }?;
    Some(Owner {
        id: row.id.clone(),
        label: row.label.clone(),
        // Who failed has shown what to expect, and who still works has no time.
        resumable: row.status == Status::Completed && on_it().all(|row| !row.status.is_live()),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn row(id: &str, branch: &str, status: Status) -> AgentRow {
        let (id, branch) = (id.to_owned(), Some(branch.to_owned()));
        AgentRow { id, status, branch, ..AgentRow::default() }
    }

    fn source(rev: &str, agent: Option<&str>) -> Source {
        Source { rev: rev.to_owned(), agent: agent.map(str::to_owned) }
    }

    #[test]
    fn the_last_on_a_branch_owns_it() {
        let rows = [
            row("one", "a", Status::Completed),
            row("two", "a", Status::Completed),
            row("three", "b", Status::Failed),
        ];
        let found = owner(&source("a", None), &rows).unwrap();
        assert!(found.id == "two" && found.resumable);
        assert_eq!(owner(&source("a", Some("one")), &rows).unwrap().id, "one");
        assert!(!owner(&source("b", None), &rows).unwrap().resumable, "it failed");
        assert!(owner(&source("c", None), &rows).is_none());
        let rows = [row("one", "a", Status::Completed), row("two", "a", Status::Running)];
        assert!(!owner(&source("a", Some("one")), &rows).unwrap().resumable, "somebody is at it");
    }
}
