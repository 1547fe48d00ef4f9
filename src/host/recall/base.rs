//! Whether a call of an earlier life started from what it would start from now: the same files, or a commit
//! from which nothing but the run's own steps have led on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use crate::agent::fleet::Order;
use crate::agent::ground;
use crate::agent::query::{Dirty, Site, Start};
use crate::error::Result;
use crate::git::{Repo, Taken};
use crate::host::Host;
use crate::journal::{AgentFilter, AgentRow, Store};

/// Steps of the script that move a branch.
const MOVING: [&str; 2] = ["merge", "commit"];

/// Where the run itself has led a branch on: from which commits to which.
#[derive(Default)]
pub(super) struct Moves(HashMap<String, Vec<String>>);

impl Moves {
    /// Reads what the run has done so far: the landings of merges, the commits of its agents.
    async fn read(run: &str, home: &Store, store: &Store) -> Result<Self> {
        let mut moves = Self::default();
        for step in home.steps(run).await? {
            let value: Value = serde_json::from_str(&step.value).unwrap_or_default();
            let field = |name: &str| value.get(name).and_then(Value::as_str);
            if MOVING.contains(&&*step.kind)
                && let (Some(commit), Some(old)) = (field("commit"), field("old"))
            {
                moves.add(old, commit);
            }
        }
        // What this life has yet to write counts.
        store.flush().await?;
        let filter = AgentFilter { run: Some(run.to_owned()), ..AgentFilter::default() };
        for row in store.agents(filter).await? {
            if let (Some(base), Some(head)) = (&row.base_commit, &row.head_commit) {
                moves.add(base, head);
            }
        }
        Ok(moves)
    }

    fn add(&mut self, old: &str, new: &str) {
        if old != new {
            self.0.entry(new.to_owned()).or_default().push(old.to_owned());
        }
    }

    /// Tells whether they lead from `base` to `now`.
    fn lead(&self, base: &str, now: &str) -> bool {
        let (mut seen, mut next) = (HashSet::from([now]), vec![now]);
        while let Some(commit) = next.pop() {
            if commit == base {
                return true;
            }
            let before = self.0.get(commit).into_iter().flatten();
            next.extend(before.map(String::as_str).filter(|old| seen.insert(old)));
        }
        false
    }
}

impl Host {
    /// Tells why an order does not start from what `row` started from; nothing if it does.
    pub(super) async fn base_changed(
        &self,
        order: &Order,
        row: &AgentRow,
    ) -> Result<Option<String>> {
        let (Site::Worktree(plan), Some(repo), Some(base)) =
            (&order.query.site, &order.repo, &row.base_commit)
        else {
            return Ok(None);
        };
        let Ok(now) = commit_of(repo, &plan.start).await else {
            return Ok(Some("what it starts from is not there any more".to_owned()));
        };
        if now == *base {
            return Ok(None);
        }
        if let (Some(tree), Ok(today)) = (&row.base_tree, repo.tree_of(&now).await)
            && *tree == today
        {
            return Ok(None);
        }
        if self.has_led(&order.store, base, &now).await?
            || repo.is_end_of(&now, base, &row.id, &row.run).await?
        {
            return Ok(None);
        }
        Ok(Some(format!(
            "it started from {}, and would start from {} now",
            short(base),
            short(&now)
        )))
    }

    /// Tells whether the run itself has led from one commit to another.
    async fn has_led(&self, store: &Arc<Store>, base: &str, now: &str) -> Result<bool> {
        let Some(recall) = &self.recall else { return Ok(false) };
        let mut known = recall.moves.lock().await;
        if known.as_ref().is_some_and(|moves| moves.lead(base, now)) {
            return Ok(true);
        }
        // There may be more by now.
        let home = self.home_store().await?;
        let moves = Moves::read(self.fleet().run_id(), &home, store).await?;
        Ok(known.insert(moves).lead(base, now))
    }
}

/// Returns the commit that an agent would start from now.
async fn commit_of(repo: &Arc<Repo>, start: &Start) -> Result<String> {
    let tip = |branch: &str| format!("refs/heads/{branch}");
    match start {
        Start::There { branch, .. } => repo.resolve(&tip(branch)).await,
        Start::Past { branch, .. } => repo.resolve(branch.as_deref().unwrap_or("HEAD")).await,
        Start::Fresh { branch, taken, base, dirty } => {
            if let (Some(branch), Taken::Continue) = (branch, taken)
                && let Ok(commit) = repo.resolve(&tip(branch)).await
            {
                return Ok(commit);
            }
            // Whether there is dirt now is for those who are asked now.
            let dirty = if *dirty == Dirty::Fail { Dirty::Ignore } else { *dirty };
            ground::base_commit(repo, base.as_deref(), dirty).await
        }
    }
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_moves_lead_back_through_merges_and_commits_and_no_further() {
        let mut moves = Moves::default();
        for (old, new) in [("a", "b"), ("b", "c"), ("b", "d"), ("x", "d"), ("d", "d"), ("d", "b")] {
            moves.add(old, new);
        }
        for (base, now, leads) in [
            ("a", "c", true),
            ("x", "c", true),
            ("c", "a", false),
            ("a", "e", false),
            ("e", "e", true),
        ] {
            assert_eq!(moves.lead(base, now), leads, "{base} to {now}");
        }
    }
}
