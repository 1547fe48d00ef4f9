//! Removing what agents left behind: all that may go (`gc`), or what one of them left (`rm`).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::roster::find_agent;
use super::{Host, repository_around};
use crate::error::{Error, Kind, Result};
use crate::git::Repo;
use crate::git::gc::{self, Claim, Finding, Leftover, Survey, Verdict};
use crate::journal::{AgentFilter, AgentRow, Status};

/// What became, or in a dry run would become, of what one agent left.
#[derive(Clone, Debug)]
pub struct Swept {
    /// The agent.
    pub id: String,
    /// Its branch.
    pub branch: Option<String>,
    /// Its worktree.
    pub worktree_path: Option<PathBuf>,
    /// The bytes in the worktree.
    pub bytes: u64,
    /// The number of ignored files in the worktree, and their bytes.
    pub ignored: (u64, u64),
    /// Whether the branch goes with it: it was made for the agent.
    pub takes_branch: bool,
    /// Whether it goes.
    pub goes: bool,
    /// The proof, or the reason why it stays.
    pub why: String,
}

/// What `gc` did or would do.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// By agent, the newest last.
    pub agents: Vec<Swept>,
    /// Files that belonged to nobody.
    pub leftovers: Vec<Leftover>,
}

/// What was removed of one agent.
#[derive(Clone, Debug)]
pub struct Removed {
    /// Its full id.
    pub id: String,
    /// What went; absent when nothing was left.
    pub swept: Option<Swept>,
    /// The refs that keep what nothing else holds.
    pub kept: Vec<String>,
}

/// The agents of a repository, as far as removing needs them.
pub(super) struct Registry {
    repo: Arc<Repo>,
    pub(super) rows: Vec<AgentRow>,
    /// What steps without an outcome are about.
    unsettled: BTreeSet<String>,
}

impl Host {
    /// Removes what agents left that provably holds nothing, and says why for each; with `dry` it only
    /// says so.
    ///
    /// # Errors
    /// Git, outside a repository, or when something cannot be looked at.
    pub async fn gc(&self, dry: bool) -> Result<Sweep> {
        let registry = self.registry(dry).await?;
        self.beside(async move { registry.sweep(dry).await }).await?
    }

    /// Removes the worktree of an agent that has ended, and its branch if it is merged or empty; with
    /// `force` also an unmerged one, kept under `refs/agentlua/removed/<id>/`.
    ///
    /// # Errors
    /// Usage, for an id that no agent or several have; git, when something would be lost.
    pub async fn remove_agent(&self, id: &str, force: bool) -> Result<Removed> {
        let registry = self.registry(false).await?;
        let id = id.to_owned();
        let removed = self.beside(async move { registry.remove(&id, force).await }).await??;
        if removed.swept.as_ref().is_some_and(|swept| swept.takes_branch) {
            self.fleet.note_removed(&removed.id);
        }
        Ok(removed)
    }

    async fn registry(&self, dry: bool) -> Result<Registry> {
        let dir = self.default_dir();
        if repository_around(&dir).is_none() {
            let why = format!("`{}` is not inside a git repository", dir.display());
            return Err(Error::new(Kind::Git, why).hint("cd to one, or name it with --repo"));
        }
        let repo = if dry { self.repo(&dir).await? } else { self.repo_to_change(&dir).await? };
        self.registry_of(&repo).await
    }

    /// Reads the agents of a repository as they are now.
    pub(super) async fn registry_of(&self, repo: &Arc<Repo>) -> Result<Registry> {
        let repo = Arc::clone(repo);
        let store = self.store(Some(&repo)).await?;
        self.beside(async move {
            store.flush().await?;
            let rows = store.agents(AgentFilter::default()).await?;
            let unsettled = store.unsettled().await?.into_iter().map(|intent| intent.subject);
            Ok(Registry { repo, rows, unsettled: unsettled.collect() })
        })
        .await?
    }
}

impl Registry {
    async fn sweep(&self, dry: bool) -> Result<Sweep> {
        let mut sweep = Sweep::default();
        let survey = self.survey().await?;
        for row in self.rows.iter().filter(|row| has_ended(row)) {
            let Some(finding) = survey.judge(&claim(row)).await? else { continue };
            let mut swept = self.swept(row, &finding);
            if swept.goes && !dry {
                match finding.remove(&self.repo).await {
                    Ok(true) => {}
                    Ok(false) => swept.stays("changed just now".to_owned()),
                    Err(error) => swept.stays(plain(&error)),
                }
            }
            sweep.agents.push(swept);
        }
        let mut owners: BTreeSet<String> = self.unsettled.clone();
        owners.extend(self.rows.iter().filter(|row| needs_files(row)).map(|row| row.id.clone()));
        sweep.leftovers = gc::sweep(&self.repo, &owners, dry)?;
        Ok(sweep)
    }

    pub(super) async fn remove(&self, id: &str, force: bool) -> Result<Removed> {
        let row = find_agent(&self.rows, id)?;
        let nothing = Removed { id: row.id.clone(), swept: None, kept: Vec::new() };
        if !has_ended(row) {
            let why = format!("{} is {}", row.id, row.status.as_str());
            let hint = format!("agentlua stop {}, or cancel its task", row.id);
            return Err(Error::new(Kind::Git, why).hint(hint));
        }
        if self.has_heir(row) {
            return Ok(nothing);
        }
        let Some(finding) = self.survey().await?.judge(&claim(row)).await? else {
            return Ok(nothing);
        };
        let mut swept = self.swept(row, &finding);
        if let Some(why) = self.in_use(row) {
            return Err(refusal(&finding, &why, false));
        }
        if let (Verdict::Kept(why), false) = (&finding.verdict, force) {
            return Err(refusal(&finding, why, !finding.is_bound()));
        }
        let kept = match &finding.verdict {
            Verdict::Spare(_) => finding.remove(&self.repo).await?.then(Vec::new),
            Verdict::Kept(_) => finding.remove_by_force(&self.repo).await?,
        };
        let Some(kept) = kept else {
            return Err(refusal(&finding, "its files have changed just now", false));
        };
        swept.goes = true;
        Ok(Removed { swept: Some(swept), kept, ..nothing })
    }

    async fn survey(&self) -> Result<Survey> {
        let made = self.rows.iter().filter(|row| row.branch_created);
        Survey::new(&self.repo, &made.filter_map(|row| row.branch.clone()).collect()).await
    }

    /// Tells whether the branch of an agent whose place another call has taken is that one's now.
    fn has_heir(&self, row: &AgentRow) -> bool {
        let took = |other: &AgentRow| !other.superseded && other.branch == row.branch;
        row.superseded && row.branch.is_some() && self.rows.iter().any(took)
    }

    /// Returns why an agent that has ended must be left alone.
    fn in_use(&self, row: &AgentRow) -> Option<String> {
        if self.unsettled.contains(&row.id) {
            return Some(match row.status {
                Status::Interrupted => "it was cut off and is not recovered yet".to_owned(),
                _ => "in use: another process is at work on it".to_owned(),
            });
        }
        let shares = |other: &&AgentRow| {
            let path = row.worktree_path.is_some() && other.worktree_path == row.worktree_path;
            let branch = row.branch.is_some() && other.branch == row.branch;
            other.id != row.id && !has_ended(other) && (path || branch)
        };
        let user = self.rows.iter().find(shares)?;
        Some(format!("in use: {} goes on in it", user.id))
    }

    fn swept(&self, row: &AgentRow, finding: &Finding) -> Swept {
        let (goes, why) = match (&finding.verdict, self.in_use(row)) {
            (_, Some(why)) => (false, why),
            (Verdict::Spare(proof), None) => (true, proof.clone()),
            (Verdict::Kept(why), None) => (false, why.clone()),
        };
        Swept {
            id: row.id.clone(),
            branch: finding.branch.clone(),
            worktree_path: finding.worktree_path.clone(),
            bytes: finding.bytes,
            ignored: finding.ignored,
            takes_branch: finding.takes_branch(),
            goes,
            why,
        }
    }
}

impl Removed {
    /// Returns what went, and where the rest is kept, line by line.
    pub fn account(&self) -> Vec<String> {
        let Some(swept) = &self.swept else {
            return vec![format!("{} has left nothing to remove", self.id)];
        };
        let worktree = swept.worktree_path.as_ref().map(|_| "worktree".to_owned());
        let branch = swept.branch.as_ref().filter(|_| swept.takes_branch);
        let parts: Vec<String> =
            worktree.into_iter().chain(branch.map(|name| format!("branch `{name}`"))).collect();
        let what = if parts.is_empty() { "kept refs".to_owned() } else { parts.join(", ") };
        let proof = if self.kept.is_empty() { format!(" ({})", swept.why) } else { String::new() };
        let mut lines = vec![format!("removed {}: {what}{proof}", self.id)];
        lines.extend(self.kept.iter().map(|name| format!("what only it had is kept: {name}")));
        lines
    }
}

impl Swept {
    fn stays(&mut self, why: String) {
        (self.goes, self.why) = (false, why);
    }

    /// Returns it as `--json` shows it.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "branch": self.branch,
            "worktree_path": self.worktree_path.as_ref().map(|path| path.display().to_string()),
            "bytes": self.bytes,
            "ignored_files": self.ignored.0,
            "ignored_bytes": self.ignored.1,
            "removed": self.goes,
            "why": self.why,
        })
    }
}

fn has_ended(row: &AgentRow) -> bool {
    row.status.is_final() || row.status == Status::Interrupted
}

/// Tells whether files beside the repository may still be needed for an agent.
fn needs_files(row: &AgentRow) -> bool {
    !has_ended(row) || row.worktree_path.as_ref().is_some_and(|path| path.exists())
}

fn claim(row: &AgentRow) -> Claim {
    Claim {
        id: row.id.clone(),
        run: row.run.clone(),
        branch: row.branch.clone(),
        branch_created: row.branch_created,
        worktree_path: row.worktree_path.clone(),
        base_commit: row.base_commit.clone(),
        head_commit: row.head_commit.clone(),
    }
}

fn refusal(finding: &Finding, why: &str, force: bool) -> Error {
    let id = &finding.id;
    let error = Error::new(Kind::Git, format!("{id} is not removed: {why}"));
    if !force {
        return error;
    }
    error.hint(format!("agentlua rm --force {id} (a ref then keeps what only it has)"))
}

/// Returns an error with its causes as one line.
fn plain(error: &Error) -> String {
    let mut line = error.message.clone();
    for cause in error.causes() {
        line = format!("{line}: {cause}");
    }
    line
}

impl Sweep {
    /// Returns those that go.
    pub fn going(&self) -> impl Iterator<Item = &Swept> {
        self.agents.iter().filter(|swept| swept.goes)
    }
}
