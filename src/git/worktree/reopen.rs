//! Worktrees that were there before: going on where an agent ended, or in one that a script made.
//!
//! The lock of git's record says who is in: nobody enters while it names another. It is changed under
//! the repository's lock only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::create::folder;
use super::survey::gone;
use super::undo::discard_indexes;
use super::{KIND, LOCK_REASON, Life, Record, State, Terms, Worktree, WorktreeEntry, list};
use crate::crash;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::branch::Taken;
use crate::git::repo::Repo;
use crate::git::{index, to_the_end};
use crate::journal::AgentFilter;

/// A worktree that is there, and who goes on in it.
#[derive(Clone, Debug, Default)]
pub struct There {
    /// Who goes on.
    pub id: String,
    /// The run that they belong to; empty if none.
    pub run: String,
    /// The branch that it is on.
    pub branch: String,
    /// Its folder; that of the worktree which holds the branch, when absent.
    pub path: Option<PathBuf>,
    /// The folder that holds the worktrees of all repositories.
    pub root: PathBuf,
    /// Whose it is and who lends it, where somebody has it open.
    pub lender: Option<String>,
}

/// What there was of a worktree that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: it is made.
    New,
    /// All of it: somebody worked there before.
    There,
}

impl Worktree {
    /// Goes on in a worktree that is there: same folder, same branch, from the branch's tip.
    ///
    /// # Errors
    /// [`Kind::Git`] when it is gone, in use, or not agentlua's.
    pub async fn reopen(repo: &Arc<Repo>, there: There) -> Result<Self> {
        let repo = Arc::clone(repo);
        let step = async move {
            let folder = folder(&repo, &there.root)?;
            let mut worktree = Self {
                id: there.id.clone(),
                run: there.run,
                branch: there.branch,
                base_commit: String::new(),
                path: folder.join(&there.id),
                admin: PathBuf::new(),
                terms: Terms { lender: there.lender, ..Terms::default() },
                record: Arc::default(),
                repo,
            };
            let _lock = worktree.repo.lock().await?;
            let entry = match &there.path {
                Some(path) => at(&worktree, path).await?,
                None => holder(&worktree).await?.ok_or_else(|| gone(&worktree.branch))?,
            };
            take(&mut worktree, entry).await?;
            Ok(worktree)
        };
        to_the_end(step, |unwanted: Self| async move {
            let _ = unwanted.hand_back().await;
        })
        .await
    }

    /// Lets go of the worktree and leaves it as it is: unlocked, or locked for who lent it, who has an index
    /// of their own.
    ///
    /// # Errors
    /// [`Kind::Git`] when the record cannot be changed.
    pub async fn hand_back(&self) -> Result<()> {
        let Some(lender) = self.terms.lender.clone() else { return self.keep().await };
        let worktree = self.clone();
        let step = async move {
            let _lock = worktree.repo.lock().await?;
            lock_for(&worktree.admin, &lender)
                .or_kind(Kind::Git, || "cannot give the worktree back")?;
            // Once it is settled nobody would know whose that was.
            discard_indexes(&worktree.repo, &worktree.id);
            crash::point("reopen.handed_back");
            worktree.settle("handed back").await;
            Ok(())
        };
        to_the_end(step, |()| async {}).await
    }

    /// Returns who is in the worktree, if it is not who it was opened for.
    pub fn occupant(&self) -> Option<String> {
        let reason = std::fs::read_to_string(self.admin.join("locked")).ok()?;
        let holder = reason.trim_end().strip_prefix(LOCK_REASON)?;
        (holder != self.id).then(|| holder.to_owned())
    }
}

/// Settles, under the lock, which branch a new worktree is for, or goes on in the one that holds it.
pub(super) async fn claim(worktree: &mut Worktree, taken: Taken) -> Result<Found> {
    let repo = Arc::clone(&worktree.repo);
    match taken {
        Taken::Refuse => repo.require_free_name(&worktree.branch).await?,
        Taken::Number => worktree.branch = repo.numbered_name(&worktree.branch).await?,
        Taken::Continue => {
            let full_name = format!("refs/heads/{}", worktree.branch);
            let tip = repo.tip(&full_name).await.or_kind(Kind::Git, || "cannot read the branch")?;
            let Some(tip) = tip else {
                repo.require_free_name(&worktree.branch).await?;
                return Ok(Found::New);
            };
            if let Some(entry) = holder(worktree).await? {
                take(worktree, entry).await?;
                return Ok(Found::There);
            }
            worktree.base_commit = tip;
            worktree.terms.branch_created = false;
        }
    }
    Ok(Found::New)
}

/// Takes the tip that a branch which was there has now that git has checked it out.
pub(super) async fn refresh_base(worktree: &mut Worktree) {
    if !worktree.terms.branch_created
        && let Ok(Some(tip)) = worktree.repo.tip(&format!("refs/heads/{}", worktree.branch)).await
    {
        worktree.base_commit = tip;
    }
}

/// Returns the worktree that has the branch checked out.
pub(super) async fn holder(worktree: &Worktree) -> Result<Option<WorktreeEntry>> {
    let entries = worktree.repo.worktrees().await?;
    Ok(entries.into_iter().find(|entry| entry.branch.as_deref() == Some(&*worktree.branch)))
}

/// Returns the worktree at `path`, if it still is what it was.
pub(super) async fn at(worktree: &Worktree, path: &Path) -> Result<WorktreeEntry> {
    let (shown, branch) = (path.display(), &worktree.branch);
    let entries = worktree.repo.worktrees().await?;
    let real = list::existing_part(path);
    let Some(entry) = entries.into_iter().find(|entry| list::existing_part(&entry.path) == real)
    else {
        let gone = format!("there is no worktree at `{shown}` any more");
        return Err(Error::new(Kind::Git, gone)
            .hint(format!("branch = \"{branch}\", if_exists = \"continue\"")));
    };
    if entry.branch.as_deref() != Some(branch) {
        let now = entry.branch.as_ref().map_or("no branch".to_owned(), |now| format!("`{now}`"));
        let why = format!("the worktree `{shown}` is on {now} now, not on `{branch}`");
        return Err(Error::new(Kind::Git, why).hint(format!("git -C {shown} switch {branch}")));
    }
    Ok(entry)
}

/// Says whether a worktree that is there may be entered; returns git's record of it and the branch's tip.
///
/// # Errors
/// [`Kind::Git`], for a worktree that is somebody's.
pub(super) async fn admit(worktree: &Worktree, entry: &WorktreeEntry) -> Result<(PathBuf, String)> {
    let repo = &worktree.repo;
    let (shown, branch) = (entry.path.display().to_string(), worktree.branch.clone());
    let refuse = |why: String| Error::new(Kind::Git, why);
    if entry.main || !is_ours(worktree, entry).await? {
        return Err(refuse(format!(
            "the branch `{branch}` is checked out in `{shown}`, which is yours"
        ))
        .hint("switch to another branch there, or name another `branch` here"));
    }
    if !entry.path.is_dir() {
        return Err(refuse(format!("the folder `{shown}` of the branch `{branch}` is gone"))
            .hint(format!("git worktree remove --force {shown}")));
    }
    match entry.locked.as_deref().map(|reason| (reason, reason.strip_prefix(LOCK_REASON))) {
        None => {}
        Some((_, Some(holder))) if worktree.terms.lender.as_deref() == Some(holder) => {}
        Some((_, Some(holder))) => {
            return Err(refuse(format!("`{holder}` works in the worktree `{shown}`"))
                .hint("wait until it has ended, or start from its branch with `base`"));
        }
        Some((reason, None)) => {
            return Err(refuse(format!("the worktree `{shown}` is locked: {reason}"))
                .hint(format!("git worktree unlock {shown}")));
        }
    }
    let trouble = || format!("cannot go on in the worktree `{shown}`");
    let admin = list::admin_dir(repo.common_dir(), &entry.path).or_kind(Kind::Git, trouble)?;
    let Some(admin) = admin else {
        return Err(refuse(format!("git has no record of the worktree `{shown}`")));
    };
    if super::is_parked(&admin) {
        return Err(refuse(format!("a merge or rebase is in progress in `{shown}`"))
            .hint("finish it there, or give it up"));
    }
    let tip = repo.tip(&format!("refs/heads/{branch}")).await.or_kind(Kind::Git, trouble)?;
    let Some(tip) = tip else { return Err(refuse(format!("the branch `{branch}` is gone"))) };
    Ok((admin, tip))
}

/// Enters a worktree that is there, under the lock.
async fn take(worktree: &mut Worktree, entry: WorktreeEntry) -> Result<()> {
    let (admin, tip) = admit(worktree, &entry).await?;
    let (repo, shown) = (Arc::clone(&worktree.repo), entry.path.display().to_string());
    let trouble = || format!("cannot go on in the worktree `{shown}`");
    worktree.base_commit = tip;
    worktree.path = entry.path;
    worktree.admin = admin;
    worktree.terms.reopened = true;
    worktree.terms.branch_created = false;
    let private = worktree.index();
    private
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .map_err(anyhow::Error::from)
        .and_then(|()| index::replace(&worktree.admin.join("index"), &private))
        .or_kind(Kind::Git, trouble)?;
    let life = Life { state: State::Working, ..worktree.life() };
    let pledge = repo.intend(KIND, &life.id, &life).await?;
    worktree.set_record(Some(Record { pledge, life }));
    crash::point("reopen.intended");
    let locked = lock_for(&worktree.admin, &worktree.id);
    if locked.is_err() {
        worktree.settle("not entered").await;
    }
    crash::point("reopen.locked");
    locked.or_kind(Kind::Git, trouble)
}

/// Locks a worktree for somebody, in one step: a lock that is cut short is nobody's, and stays.
fn lock_for(admin: &Path, id: &str) -> std::io::Result<()> {
    let fresh = admin.join("locked.new");
    std::fs::write(&fresh, format!("{LOCK_REASON}{id}"))?;
    std::fs::rename(fresh, admin.join("locked"))
}

/// Tells whether a worktree was made by agentlua: beside the one that was asked for, or for an agent
/// that the journal knows.
async fn is_ours(worktree: &Worktree, entry: &WorktreeEntry) -> Result<bool> {
    if entry.path.parent() == worktree.path.parent() {
        return Ok(true);
    }
    let filter = AgentFilter { branch: Some(worktree.branch.clone()), ..AgentFilter::default() };
    let rows = worktree.repo.store().await?.agents(filter).await?;
    Ok(rows.iter().any(|row| row.worktree_path.as_ref() == Some(&entry.path)))
}
