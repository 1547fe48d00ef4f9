//! Whose conversation an agent takes up, and where: what `resume` and `fork` name is looked up in the
//! registry of the repository, whichever process or worktree it was written from.

use std::path::Path;
use std::sync::Arc;

use super::{Host, repository_around};
use crate::agent::Query;
use crate::agent::past::{Ancestor, Past};
use crate::agent::query::{Dirty, Site, Start};
use crate::error::{Error, Kind, Result};
use crate::git::{Repo, Taken};
use crate::journal::{AgentFilter, AgentRow, Store};

impl Host {
    /// Finds the agent whose past a query takes up, and settles where it works.
    ///
    /// # Errors
    /// Usage, for an agent that there is not or that has not ended; git, when nothing is left of its
    /// work.
    pub(super) async fn settle_past(
        self: &Arc<Self>,
        query: &mut Query,
    ) -> Result<Option<Ancestor>> {
        let resumes = matches!(query.past, Past::Resumed(_));
        let Some(name) = query.past.name().map(str::to_owned) else { return Ok(None) };
        let dir = match &query.site {
            Site::Worktree(plan) => plan.repo.clone(),
            Site::Directory(dir) => dir.clone(),
        };
        let repo = self.repo_of_past(&dir).await?;
        let store = self.store(repo.as_ref()).await?;
        let ahead = self.ahead(&store, repo.as_ref()).await?;
        let planned = self.plan.as_ref().map(super::plan::Plan::rows).unwrap_or_default();
        let looking = async move {
            // What this process has yet to write counts.
            store.flush().await?;
            let mut rows = store.agents(AgentFilter::default()).await?;
            // Of a run that is gone on with only what it has come to; nobody whose place another has.
            rows.retain(|row| !ahead.contains(&row.id) && !row.superseded);
            rows.extend(planned);
            let row = find(&rows, &name)?;
            let row = if resumes { newest(&rows, row) } else { row };
            let speaker = last_to_speak(&store, &rows, row).await?;
            Ok::<_, Error>((row.clone(), speaker.id.clone(), speaker.key.clone()))
        };
        let (row, speaker, key) = self.beside(looking).await??;
        if row.status.is_live() {
            let (id, status) = (&row.id, row.status.as_str());
            return Err(Error::usage(format!("`{id}` has not ended: it is {status}"))
                .hint("wait for it, or tell it more with `task:send(text)`"));
        }
        let ancestor = Ancestor {
            id: speaker,
            key,
            session: resumes.then(|| row.session_id()),
            is_in_place: resumes && inherits(&query.site),
            head_commit: row.head_commit.clone(),
        };
        if let Site::Worktree(plan) = &mut query.site
            && let Start::Past { branch, taken } = plan.start.clone()
        {
            let start = match (&row.branch, repo) {
                (Some(own), Some(repo)) if resumes => {
                    Some(self.beside(going_on(repo, own.clone(), row.clone())).await??)
                }
                (Some(_), Some(_)) => Some(fresh(branch, taken, head_of(&row)?)),
                _ => None,
            };
            match start {
                Some(start) => plan.start = start,
                None => Self::without_worktree(query, &dir)?,
            }
        }
        Ok(Some(ancestor))
    }

    /// Opens the repository around `dir`, with what was cut off there recovered: it may be the very
    /// agent that is taken up.
    async fn repo_of_past(&self, dir: &Path) -> Result<Option<Arc<Repo>>> {
        match repository_around(dir) {
            Some(_) => self.repo_to_change(dir).await.map(Some),
            None => Ok(None),
        }
    }

    /// Lets an agent work where one worked that had no worktree.
    fn without_worktree(query: &mut Query, dir: &Path) -> Result<()> {
        let Site::Worktree(plan) = &query.site else { return Ok(()) };
        if let Some(scope) = &plan.scope {
            return Err(Error::usage(format!(
                "`agent.query`: `scope` ({scope}) needs a worktree, and the agent had none"
            )));
        }
        query.site = Site::Directory(dir.to_owned());
        query.rules = std::mem::take(&mut query.rules).reading_by_default();
        match (query.rules.writing(), repository_around(dir)) {
            (Some(name), Some(top)) => Err(Error::usage(format!(
                "`agent.query`: option `allowed_tools` lists `{name}`, which writes, and the agent \
                 had no worktree: it would work in the checkout `{}`",
                top.display()
            ))),
            _ => Ok(()),
        }
    }
}

/// Reports whether an agent works where the one did whose past it takes up.
fn inherits(site: &Site) -> bool {
    matches!(site, Site::Worktree(plan) if matches!(plan.start, Start::Past { .. }))
}

/// Finds an agent by its id, the start of its id, or its `session_id`.
pub(super) fn find<'a>(rows: &'a [AgentRow], name: &str) -> Result<&'a AgentRow> {
    if let Some(row) = rows.iter().find(|row| row.id == name) {
        return Ok(row);
    }
    let of_session = rows.iter().rev().find(|row| row.session_id() == name);
    if let Some(row) = of_session {
        return Ok(row);
    }
    let bare =
        |row: &AgentRow| row.id.strip_prefix("agent-").is_some_and(|id| id.starts_with(name));
    let starts = |row: &&AgentRow| !name.is_empty() && (row.id.starts_with(name) || bare(row));
    let matching: Vec<&AgentRow> = rows.iter().filter(starts).collect();
    match matching[..] {
        [row] => Ok(row),
        [] => Err(Error::usage(format!("no agent of this repository has the id `{name}`"))
            .hint("`agentlua agents --all` lists them")),
        _ => {
            let ids: Vec<&str> = matching.iter().take(5).map(|row| row.id.as_str()).collect();
            let more = if matching.len() > 5 { ", …" } else { "" };
            Err(Error::usage(format!("`{name}` may be {}{more}", ids.join(", "))))
        }
    }
}

/// Returns the last agent that worked where `row` did, in its conversation: who goes on, goes on from
/// there. One that waits for its place counts, as it will work there.
fn newest<'a>(rows: &'a [AgentRow], row: &'a AgentRow) -> &'a AgentRow {
    let session = row.session_id();
    let of_session = || rows.iter().rev().filter(|one| one.session_id() == session);
    // One that never came to its worktree tells nothing of the place.
    let branch = row.branch.as_ref().or_else(|| of_session().find_map(|one| one.branch.as_ref()));
    let waits = |one: &&AgentRow| one.branch.is_none() && one.status.is_live();
    of_session().find(|one| one.branch.as_ref() == branch || waits(one)).unwrap_or(row)
}

/// Returns who said something last: an agent that ended before it could ask leaves that to the one whose
/// conversation it had taken up.
async fn last_to_speak<'a>(
    store: &Store,
    rows: &'a [AgentRow],
    row: &'a AgentRow,
) -> Result<&'a AgentRow> {
    let mut speaker = row;
    while store.said(&speaker.id).await?.is_empty() {
        let past = speaker.past.as_ref();
        let Some(before) = past.and_then(|past| rows.iter().find(|one| one.id == *past)) else {
            break;
        };
        speaker = before;
    }
    Ok(speaker)
}

/// Settles how a branch that was worked on before is gone on with: in the worktree that holds it, in a
/// new one, or, where the branch went with nothing on it, on one of the same name at the same commit.
async fn going_on(repo: Arc<Repo>, branch: String, row: AgentRow) -> Result<Start> {
    let there = repo.branches().await?.into_iter().any(|known| known.name == branch);
    if there {
        let (base, dirty) = (None, Dirty::Ignore);
        return Ok(Start::Fresh { branch: Some(branch), taken: Taken::Continue, base, dirty });
    }
    Ok(fresh(Some(branch), Taken::Refuse, head_of(&row)?))
}

fn fresh(branch: Option<String>, taken: Taken, base: String) -> Start {
    Start::Fresh { branch, taken, base: Some(base), dirty: Dirty::Ignore }
}

/// Returns the commit that an agent's work ended at.
fn head_of(row: &AgentRow) -> Result<String> {
    let head = row.head_commit.clone().or_else(|| row.base_commit.clone());
    head.ok_or_else(|| {
        Error::new(Kind::Git, format!("`{}` ended before it had a commit to go on from", row.id))
    })
}
