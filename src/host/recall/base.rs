//! Whether a call of an earlier life started from what it would start from now: the same files, or a commit
//! from which nothing but the run's own steps have led on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use crate::agent::fleet::Order;
use crate::agent::ground;
use crate::agent::query::{Dirty, Site, Start};
use crate::error::Result;
use crate::git::{LogQuery, Repo, Taken};
use crate::host::Host;
use crate::journal::{AgentRow, Step};

/// Steps of the script that move a branch.
const MOVING: [&str; 2] = ["merge", "commit"];

/// How many merges by others are looked through on the way back to where a call started from.
const MERGES: usize = 200;

/// Where the run itself had led a branch on before this life: from which commits to which.
#[derive(Default)]
pub(super) struct Moves {
    /// By the commit that was led to.
    led: HashMap<String, Vec<String>>,
    /// What agents and steps had come to, with the time from which on it is that: calls that were made
    /// before have seen what another, whose place it has taken, had come to.
    known: HashMap<String, i64>,
}

impl Moves {
    /// Takes in what agents of earlier lives have committed.
    pub(super) fn learn_agents(&mut self, rows: &[AgentRow]) {
        let replaced: HashSet<&str> =
            rows.iter().filter(|row| row.superseded).map(|row| &*row.call_path).collect();
        for row in rows {
            let (Some(base), Some(head)) = (&row.base_commit, &row.head_commit) else { continue };
            if base != head {
                let is_another = !row.superseded && replaced.contains(&*row.call_path);
                self.add(base, head, if is_another { row.created_at } else { i64::MIN });
            }
        }
    }

    /// Takes in steps of earlier lives.
    fn learn_steps(&mut self, steps: &[Step]) {
        for step in steps {
            let Some(Move { old, commit, from }) = Move::of(step) else { continue };
            let since = from.iter().filter_map(|from| self.known.get(from)).max();
            self.add(&old, &commit, since.copied().unwrap_or(i64::MIN));
        }
    }

    /// Takes in merges of this life by which nothing came that the earlier ones did not know.
    fn learn_merges(&mut self, steps: &[Step]) {
        for step in steps {
            let Some(Move { old, commit, from }) = Move::of(step) else { continue };
            let since: Option<Vec<i64>> =
                from.iter().map(|from| self.known.get(from).copied()).collect();
            if !self.known.contains_key(&commit)
                && let Some(since) = since.and_then(|since| since.into_iter().max())
            {
                self.add(&old, &commit, since);
            }
        }
    }

    fn add(&mut self, old: &str, new: &str, since: i64) {
        self.known.entry(new.to_owned()).or_insert(since);
        if old != new {
            self.led.entry(new.to_owned()).or_default().push(old.to_owned());
        }
    }

    /// Tells whether something is a result of the run that a call made at `time` may have known.
    fn is_known(&self, commit: &str, time: i64) -> bool {
        self.known.get(commit).is_some_and(|since| *since <= time)
    }

    /// Tells whether they lead from `base` to `now` for a call made at `time`; `parents` are asked for of
    /// commits that are none of the run's: somebody may have merged what its agents made.
    async fn lead<F>(
        &self,
        base: &str,
        now: &str,
        time: i64,
        parents: impl Fn(String) -> F,
    ) -> Result<bool>
    where
        F: Future<Output = Result<Vec<String>>>,
    {
        let (mut seen, mut next) = (HashSet::from([now.to_owned()]), vec![now.to_owned()]);
        let mut left = MERGES;
        while let Some(commit) = next.pop() {
            if commit == base {
                return Ok(true);
            }
            let mut before = Vec::new();
            if self.is_known(&commit, time) {
                before = self.led.get(&commit).cloned().unwrap_or_default();
            } else if left > 0 && !self.known.contains_key(&commit) {
                left -= 1;
                if let [first, merged @ ..] = &parents(commit).await?[..]
                    && !merged.is_empty()
                    && merged.iter().all(|merged| self.is_known(merged, time))
                {
                    before.push(first.clone());
                }
            }
            next.extend(before.into_iter().filter(|old| seen.insert(old.clone())));
        }
        Ok(false)
    }
}

/// The move of a branch that a step has made.
struct Move {
    old: String,
    commit: String,
    /// What was merged.
    from: Vec<String>,
}

impl Move {
    fn of(step: &Step) -> Option<Self> {
        if !MOVING.contains(&&*step.kind) {
            return None;
        }
        let value: Value = serde_json::from_str(&step.value).ok()?;
        let field = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let from = value.get("from").and_then(Value::as_array).into_iter().flatten();
        let from = from.filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Self { old: field("old")?, commit: field("commit")?, from })
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
        if self.has_led(repo, row, base, &now).await?
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

    /// Takes in the steps of earlier lives.
    pub(super) async fn learn_steps(&self) -> Result<()> {
        let (Some(recall), home) = (&self.recall, self.home_store().await?) else { return Ok(()) };
        let run = self.fleet().run_id().to_owned();
        let steps = self.beside(async move { home.steps(&run).await }).await??;
        recall.moves.lock().await.learn_steps(&steps);
        Ok(())
    }

    /// Tells whether the run itself has led from where a call started from to another commit.
    async fn has_led(
        &self,
        repo: &Arc<Repo>,
        row: &AgentRow,
        base: &str,
        now: &str,
    ) -> Result<bool> {
        let Some(recall) = &self.recall else { return Ok(false) };
        let mut moves = recall.moves.lock().await;
        let parents = |commit: String| async move {
            let query = LogQuery { rev: Some(commit), limit: Some(1), ..LogQuery::default() };
            Ok(repo.log(query).await?.into_iter().flat_map(|commit| commit.parents).collect())
        };
        if moves.lead(base, now, row.created_at, parents).await? {
            return Ok(true);
        }
        // What had ended before may have been merged by now.
        let home = self.home_store().await?;
        moves.learn_merges(&home.steps(self.fleet().run_id()).await?);
        moves.lead(base, now, row.created_at, parents).await
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
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(old: &str, commit: &str, from: &[&str]) -> Step {
        let value = json!({ "old": old, "commit": commit, "from": from }).to_string();
        Step { path: commit.into(), kind: "merge".into(), key: String::new(), done: true, value }
    }

    fn row(path: &str, base: &str, head: &str, created_at: i64, superseded: bool) -> AgentRow {
        AgentRow {
            call_path: path.into(),
            base_commit: Some(base.into()),
            head_commit: Some(head.into()),
            created_at,
            superseded,
            ..AgentRow::default()
        }
    }

    async fn leads(moves: &Moves, base: &str, now: &str, time: i64) -> bool {
        let parents = |commit: String| async move {
            let known = [("theirs", &["d", "agent"][..]), ("own", &["d"]), ("alien", &["d", "x"])];
            let found = known.iter().find(|(name, _)| *name == commit);
            Ok(found.into_iter().flat_map(|(_, found)| *found).map(|&it| it.into()).collect())
        };
        moves.lead(base, now, time, parents).await.unwrap()
    }

    #[tokio::test]
    async fn own_moves_lead_back_through_merges_and_commits_and_no_further() {
        let mut moves = Moves::default();
        for (old, new) in [("a", "b"), ("b", "c"), ("b", "d"), ("x", "d"), ("d", "d"), ("d", "b")] {
            moves.add(old, new, 0);
        }
        moves.add("b", "agent", 0);
        for (base, now, expected) in [
            ("a", "c", true),
            ("x", "c", true),
            ("c", "a", false),
            ("a", "e", false),
            ("e", "e", true),
            ("a", "theirs", true),
            ("a", "own", false),
            ("a", "alien", false),
        ] {
            assert_eq!(leads(&moves, base, now, 1).await, expected, "{base} to {now}");
        }
    }

    #[tokio::test]
    async fn what_another_call_made_since_is_a_new_base() {
        let mut moves = Moves::default();
        moves.learn_agents(&[row("/1", "a", "old", 1, true), row("/1", "a", "new", 5, false)]);
        moves.learn_steps(&[step("a", "with old", &["old"]), step("a", "with new", &["new"])]);
        assert!(leads(&moves, "a", "with old", 2).await);
        assert!(!leads(&moves, "a", "with new", 2).await, "it was made before that");
        assert!(leads(&moves, "a", "with new", 6).await);
        // In this life only what was known before comes by merges that count.
        moves.learn_merges(&[
            step("with old", "more", &["old"]),
            step("with old", "strange", &["just made"]),
        ]);
        assert!(leads(&moves, "a", "more", 2).await);
        assert!(!leads(&moves, "a", "strange", 9).await);
    }
}
