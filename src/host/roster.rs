//! The agents that there are: those of every process that works on a repository.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Host, repository_around};
use crate::error::{Error, Result};
use crate::git::Repo;
use crate::journal::{AgentFilter, AgentRow, RunRow, Status, Store};

/// How many candidates an error names.
const NAMED: usize = 5;

/// The agents and runs that are registered in one place, those of other processes included.
pub struct Roster {
    /// Where they are registered.
    pub store: Arc<Store>,
    /// The repository, if that is one.
    pub repo: Option<Arc<Repo>>,
    /// The agents, the newest last.
    pub agents: Vec<AgentRow>,
    /// The runs, the newest last.
    pub runs: Vec<RunRow>,
}

/// What an id stands for.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a> {
    /// An agent.
    Agent(&'a AgentRow),
    /// A run.
    Run(&'a RunRow),
}

impl Roster {
    /// Finds an agent by its id, or the start of it.
    ///
    /// # Errors
    /// Usage, when there is none or there are several; they are named.
    pub fn agent(&self, id: &str) -> Result<&AgentRow> {
        find_agent(&self.agents, id)
    }

    /// Finds a run by its id, or the start of it.
    ///
    /// # Errors
    /// Usage, when there is none or there are several; they are named.
    pub fn run(&self, id: &str) -> Result<&RunRow> {
        let found = candidates(&self.runs, id, |run| &run.id);
        match found[..] {
            [run] => Ok(run),
            [] => Err(Error::usage(format!("no run has the id `{id}`"))
                .hint("`agentlua runs` lists them")),
            _ => Err(several(id, found.iter().map(|run| &*run.id))),
        }
    }

    /// Finds what an id, or the start of it, stands for: an agent or a run.
    ///
    /// # Errors
    /// Usage, when there is none or there are several; they are named.
    pub fn named(&self, id: &str) -> Result<Named<'_>> {
        let agents = candidates(&self.agents, id, |row| &row.id);
        let runs = candidates(&self.runs, id, |run| &run.id);
        match (&agents[..], &runs[..]) {
            ([row], []) => Ok(Named::Agent(row)),
            ([], [run]) => Ok(Named::Run(run)),
            ([], []) => Err(Error::usage(format!("no agent and no run has the id `{id}`"))
                .hint("`agentlua agents --all` and `agentlua runs` list them")),
            _ => {
                let agents = agents.iter().map(|row| &*row.id);
                Err(several(id, agents.chain(runs.iter().map(|run| &*run.id))))
            }
        }
    }
}

/// Finds an agent by its id, or the start of it.
///
/// # Errors
/// Usage, when there is none or there are several; they are named.
pub(super) fn find_agent<'a>(rows: &'a [AgentRow], id: &str) -> Result<&'a AgentRow> {
    let found = candidates(rows, id, |row| &row.id);
    match found[..] {
        [row] => Ok(row),
        [] => Err(Error::usage(format!("no agent has the id `{id}`"))
            .hint("`agentlua agents --all` lists them")),
        _ => Err(several(id, found.iter().map(|row| &*row.id))),
    }
}

/// Returns what bears an id, else what has one that begins so; the word before the first `-` may be left
/// out.
fn candidates<'a, T>(all: &'a [T], id: &str, id_of: impl Fn(&T) -> &str) -> Vec<&'a T> {
    if let Some(exact) = all.iter().find(|one| id_of(one) == id) {
        return vec![exact];
    }
    let begins = |one: &&T| {
        let own = id_of(one);
        let digits = own.split_once('-').map_or(own, |(_, digits)| digits);
        !id.is_empty() && (own.starts_with(id) || digits.starts_with(id))
    };
    all.iter().filter(begins).collect()
}

fn several<'a>(id: &str, ids: impl Iterator<Item = &'a str> + Clone) -> Error {
    let more = if ids.clone().nth(NAMED).is_some() { ", …" } else { "" };
    let ids: Vec<&str> = ids.take(NAMED).collect();
    Error::usage(format!("`{id}` may be {}{more}", ids.join(", ")))
}

impl Host {
    /// Returns the agents and runs that are registered around the working directory, as they are now.
    ///
    /// # Errors
    /// Io, for a registry that cannot be read.
    pub async fn roster(&self) -> Result<Roster> {
        let dir = self.default_dir();
        let repo = match repository_around(&dir) {
            Some(_) => Some(self.repo(&dir).await?),
            None => None,
        };
        let store = self.store(repo.as_ref()).await?;
        let planned = self.plan.as_ref().map(super::plan::Plan::rows).unwrap_or_default();
        self.beside(async move {
            store.flush().await?;
            let mut agents = store.agents(AgentFilter::default()).await?;
            agents.extend(planned);
            let runs = store.runs().await?;
            Ok(Roster { store, repo, agents, runs })
        })
        .await?
    }

    /// Returns the agents around the working directory: live ones, and ended ones whose worktree or
    /// branch still exists; `all` of them on request. The newest is last.
    ///
    /// # Errors
    /// Io, for a registry that cannot be read.
    pub async fn agents(&self, all: bool) -> Result<Vec<AgentRow>> {
        let Roster { repo, agents: rows, .. } = self.roster().await?;
        self.beside(async move {
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
    // What one left whose place another call has taken is kept under `refs/agentlua/removed`.
    if row.superseded {
        return false;
    }
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
