//! Snapshots of an agent's files after each turn that wrote, so that a crash or a cancel loses at most
//! one turn, and another agent can start from one: `agent-a3f2@turn:4`.
//!
//! They are commits, each on top of the one before, on one ref of agentlua's own:
//! `refs/agentlua/<run>/<agent>/turns`. They are taken with the private index and the shared git
//! directory, as the final one is; no hook runs, and the agent's own index, HEAD and branch are not
//! touched. A turn after which the tree is as before has none.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::command::{LONG, fields, text};
use super::own::OwnCommit;
use super::repo::Repo;
use super::snapshot;
use super::to_the_end;
use super::worktree::{Worktree, namespace};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::journal::{AgentFilter, AgentRow};

/// The trailer that says after which turn a snapshot was taken.
const TURN: &str = "Agentlua-Turn";

/// What a turn may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// These files, from the top of the worktree.
    Paths(Vec<PathBuf>),
    /// Anything: a command ran.
    Anything,
}

impl Worktree {
    /// Takes a snapshot of the files after a turn. Returns its commit, if the tree has changed since
    /// the last one. Nothing may write to the worktree meanwhile.
    ///
    /// # Errors
    /// [`Kind::Git`] when the files cannot be stored; the agent can go on.
    pub async fn snapshot_turn(&self, turn: u32, touched: Touched) -> Result<Option<String>> {
        let worktree = self.clone();
        let step = async move {
            let taken = take(&worktree, turn, touched).await;
            taken.or_kind(Kind::Git, || format!("cannot keep what turn {turn} wrote"))
        };
        to_the_end(step, |_| async {}).await
    }
}

async fn take(worktree: &Worktree, turn: u32, touched: Touched) -> anyhow::Result<Option<String>> {
    let place = worktree.private();
    let tree = match touched {
        Touched::Paths(paths) if paths.is_empty() => return Ok(None),
        Touched::Paths(paths) => snapshot::stage_paths(worktree, &place, &paths).await?,
        Touched::Anything => snapshot::stage(worktree, &place).await?.tree,
    };
    keep(worktree, turn, tree).await
}

/// Adds a tree to the snapshots of an agent, as what its files were after a turn. Returns its commit, if
/// it differs from the last one.
pub(super) async fn keep(
    worktree: &Worktree,
    turn: u32,
    tree: String,
) -> anyhow::Result<Option<String>> {
    let repo = worktree.repo();
    let name = chain(worktree.run(), worktree.id());
    let last = repo.tip(&name).await?;
    let parent = last.clone().unwrap_or_else(|| worktree.base_commit().to_owned());
    if repo.tree(&parent).await? == tree {
        return Ok(None);
    }
    crate::crash::point("turn.staged");
    let message = format!("turn {turn}\n\nAgentlua-Agent: {}\n{TURN}: {turn}\n", worktree.id());
    let reason = "agentlua: turn";
    let commit = OwnCommit { tree, parent, message, name, old: last, reason }.write(repo).await?;
    crate::crash::point("turn.kept");
    Ok(Some(commit))
}

/// Returns the ref of an agent's snapshots.
pub(super) fn chain(run: &str, id: &str) -> String {
    format!("{}/turns", namespace(run, id))
}

/// Reads `agent-a3f2@turn:4`: an agent's id, or a unique start of one, and a turn.
fn parse(rev: &str) -> Option<(&str, u32)> {
    let (agent, turn) = rev.split_once("@turn:")?;
    let digits = agent.strip_prefix("agent-")?;
    (digits.chars().all(|c| c.is_ascii_hexdigit())).then_some((agent, turn.parse().ok()?))
}

impl Repo {
    /// Returns the commit of the files that an agent had after a turn, if `rev` names one
    /// (`agent-a3f2@turn:4`): its last snapshot up to there, or its base.
    ///
    /// # Errors
    /// [`Kind::Git`], for an agent that nobody knows, or that had fewer turns.
    pub(super) async fn resolve_turn(&self, rev: &str) -> Result<Option<String>> {
        let Some((agent, turn)) = parse(rev) else { return Ok(None) };
        if let Some(base) = self.pretended(agent) {
            return Ok(Some(base));
        }
        let row = self.agent(agent).await?;
        let Some(base) = row.base_commit.clone() else {
            return Err(Error::new(Kind::Git, format!("`{}` had no worktree", row.id)));
        };
        let snapshots = self
            .snapshots(&row)
            .await
            .or_kind(Kind::Git, || format!("cannot list the snapshots of `{}`", row.id))?;
        let newest = snapshots.first().map_or(0, |(turn, _)| *turn).max(row.turns);
        if turn > newest {
            let had = if newest == 1 { "1 turn".to_owned() } else { format!("{newest} turns") };
            return Err(Error::new(Kind::Git, format!("`{}` has had {had} only", row.id)));
        }
        let found = snapshots.into_iter().find(|(taken, _)| *taken <= turn);
        Ok(Some(found.map_or(base, |(_, commit)| commit)))
    }

    /// Returns the commit that a worktree is to start from. The snapshot of a turn becomes a commit of
    /// its own on the agent's base: the turns before it are nobody's history.
    ///
    /// # Errors
    /// [`Kind::Git`], naming the revision, when it names no commit.
    pub async fn resolve_base(self: &Arc<Self>, rev: &str) -> Result<String> {
        let Some(snapshot) = self.resolve_turn(rev).await? else { return self.resolve(rev).await };
        let Some((agent, turn)) = parse(rev).filter(|(agent, _)| self.pretended(agent).is_none())
        else {
            return Ok(snapshot);
        };
        if self.is_looked_at() {
            // The flat commit is an object that would have to be written.
            return Ok(snapshot);
        }
        let row = self.agent(agent).await?;
        let base = row.base_commit.unwrap_or_default();
        if snapshot == base {
            return Ok(base);
        }
        let flat = async {
            let tree = self.tree(&snapshot).await?;
            let message = format!("{} after turn {turn}\n\nAgentlua-Agent: {}\n", row.id, row.id);
            self.commit_tree(&tree, &[&base], &message, false).await
        };
        flat.await.or_kind(Kind::Git, || format!("cannot start from `{rev}`"))
    }

    async fn agent(&self, prefix: &str) -> Result<AgentRow> {
        let filter = AgentFilter { id_prefix: Some(prefix.to_owned()), ..AgentFilter::default() };
        let mut rows = self.store().await?.agents(filter).await?;
        match (rows.len(), rows.iter().position(|row| row.id == prefix)) {
            (1, _) => Ok(rows.remove(0)),
            (_, Some(at)) => Ok(rows.remove(at)),
            (0, _) => Err(Error::new(Kind::Git, format!("there is no agent `{prefix}`"))
                .hint("agentlua agents --all")),
            (several, _) => {
                let why = format!("`{prefix}` is the start of {several} agents' ids");
                Err(Error::new(Kind::Git, why).hint("agentlua agents --all"))
            }
        }
    }

    /// Returns an agent's snapshots, newest first, with their turns.
    async fn snapshots(&self, row: &AgentRow) -> anyhow::Result<Vec<(u32, String)>> {
        let name = chain(&row.run, &row.id);
        let (Some(_), Some(base)) = (self.tip(&name).await?, &row.base_commit) else {
            return Ok(Vec::new());
        };
        let format = format!("--format=%H%x00%(trailers:key={TURN},valueonly)%x00");
        let git = self.git("log").args(["--first-parent", "--no-show-signature", &format]);
        let bytes = git.limit(LONG).args([&name, &format!("^{base}")]).bytes().await?;
        let fields: Vec<String> =
            fields(&bytes).map(|field| text(field).trim().to_owned()).collect();
        let snapshot = |pair: &[String]| match pair[1].parse() {
            Ok(turn) => Ok((turn, pair[0].clone())),
            Err(_) => bail!("`{}` does not say its turn", pair[0]),
        };
        let found: anyhow::Result<Vec<_>> = fields.chunks_exact(2).map(snapshot).collect();
        found.with_context(|| format!("`{name}` holds what agentlua did not write"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_agents_with_a_turn_are_read_as_such() {
        assert_eq!(parse("agent-a3f2@turn:4"), Some(("agent-a3f2", 4)));
        for rev in ["main", "agent-a3f2", "agent-a3f2@{1}", "x@turn:4", "agent-a3f2@turn:-1"] {
            assert_eq!(parse(rev), None, "{rev}");
        }
    }
}
