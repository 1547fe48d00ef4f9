//! The ground an agent works on: a worktree of its own, or a directory as it is. A worktree that
//! cannot be had is an error, never the main checkout instead.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::query::{Commit, Dirty, Plan, Site, Start};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::worktree::{Before, Entry, Furnish, New, Released, There, Worktree};
use crate::git::{CommitMessage, Kept, Left, Repo, size};
use crate::journal::AgentRow;
use crate::workspace::Checkouts;
use crate::workspace::disk::Disk;

/// Where an agent works.
pub enum Ground {
    /// A worktree.
    Worktree {
        /// It.
        worktree: Box<Worktree>,
        /// What becomes of the work.
        commit: Commit,
    },
    /// A directory.
    Directory(PathBuf),
}

/// What there is at the end.
#[derive(Debug, Default)]
pub struct Harvest {
    /// The commit that holds the work.
    pub head_commit: Option<String>,
    /// Paths that differ from the base.
    pub files_changed: Vec<String>,
    /// Whether the worktree is there no more, because nothing had changed, and what ignored files
    /// went with it: their number and size.
    pub removed: Option<(u64, u64)>,
    /// Whether somebody deleted the folder, so that there were no files to commit.
    pub lost: bool,
    /// Paths that git cannot store.
    pub skipped: Vec<String>,
    /// Refs that keep what is not on the branch.
    pub kept: Vec<Kept>,
    /// Repositories inside whose files were taken in as files.
    pub nested: Vec<String>,
    /// The agent's git directory, if something in it could not be taken in.
    pub left: Option<Left>,
    /// Paths outside the scope that differ from the base, and are not committed.
    pub outside: Vec<String>,
}

/// What a worktree is made from.
pub struct Soil<'a> {
    /// The agent that it is for.
    pub id: &'a str,
    /// Its run.
    pub run: &'a str,
    /// Its label.
    pub label: &'a str,
    /// The repository, for a worktree.
    pub repo: Option<&'a Arc<Repo>>,
    /// Where worktrees are kept.
    pub root: &'a Path,
    /// How many worktrees are about to be made, this one included: there must be room for all.
    pub wanted: usize,
}

impl Ground {
    /// Prepares the ground for an agent.
    ///
    /// # Errors
    /// What keeps the worktree from being made; nothing of it is left behind.
    pub async fn prepare(site: &Site, soil: Soil<'_>) -> Result<Self> {
        let (plan, repo) = match (site, soil.repo) {
            (Site::Directory(path), _) => return Ok(Self::Directory(path.clone())),
            (Site::Worktree(plan), Some(repo)) => (plan, repo),
            (Site::Worktree(_), None) => {
                return Err(Error::internal("a worktree without a repository"));
            }
        };
        let worktree = match &plan.start {
            Start::Past { .. } => return Err(Error::internal("a past that nobody looked up")),
            Start::There { branch, path, lender } => {
                let there = There {
                    id: soil.id.to_owned(),
                    run: soil.run.to_owned(),
                    branch: branch.clone(),
                    path: path.clone(),
                    root: soil.root.to_owned(),
                    lender: lender.clone(),
                };
                Worktree::reopen(repo, there).await?
            }
            Start::Fresh { branch, taken, base, dirty } => {
                let base_commit = base_commit(repo, base.as_deref(), *dirty).await?;
                require_room(repo, &base_commit, &plan.furnish, soil.root, soil.wanted).await?;
                let new = New {
                    id: soil.id.to_owned(),
                    run: soil.run.to_owned(),
                    branch: branch.clone().unwrap_or_else(|| format!("agentlua/{}", soil.id)),
                    base_commit,
                    root: soil.root.to_owned(),
                    taken: *taken,
                    furnish: plan.furnish.clone(),
                };
                Worktree::create(repo, new).await?
            }
        };
        let worktree = worktree.scoped(plan.scope.clone());
        Self::entered(worktree, plan, &soil).await
    }

    /// Finds the ground of an agent again that was cut off or has failed, whose row is `before`: with its
    /// files as they are. Where there was none yet it is prepared.
    ///
    /// # Errors
    /// As [`Ground::prepare`].
    pub async fn found_again(site: &Site, soil: Soil<'_>, before: &AgentRow) -> Result<Self> {
        let (Site::Worktree(plan), Some(repo), Some(branch), Some(base_commit)) =
            (site, soil.repo, &before.branch, &before.base_commit)
        else {
            return Self::prepare(site, soil).await;
        };
        let (branch, path, lender) = match &plan.start {
            // What the script has made for it this time is where it works.
            Start::There { branch, path, lender } => {
                (branch, path.as_ref().or(before.worktree_path.as_ref()), lender.clone())
            }
            _ => (branch, before.worktree_path.as_ref(), None),
        };
        let left = Before {
            id: soil.id.to_owned(),
            run: soil.run.to_owned(),
            branch: branch.clone(),
            branch_created: before.branch_created,
            base_commit: base_commit.clone(),
            head_commit: before.head_commit.clone(),
            path: path.cloned(),
            turns: before.turns,
            root: soil.root.to_owned(),
            furnish: plan.furnish.clone(),
            lender,
        };
        let entry = entry(plan, &soil);
        let worktree = Worktree::go_on(repo, left, entry).await?.scoped(plan.scope.clone());
        Self::entered(worktree, plan, &soil).await.map(Self::settled_in)
    }

    fn settled_in(self) -> Self {
        match self {
            Self::Worktree { worktree, commit } => {
                Self::Worktree { worktree: Box::new(worktree.settled_in()), commit }
            }
            directory @ Self::Directory(_) => directory,
        }
    }

    /// Lets the agent into its worktree; one that it does not come into goes, unless it was there before.
    async fn entered(worktree: Worktree, plan: &Plan, soil: &Soil<'_>) -> Result<Self> {
        let entry = entry(plan, soil);
        if let Err(error) = worktree.enter(entry).await {
            if worktree.was_there() {
                worktree.hand_back().await?;
            } else {
                worktree.abandon().await;
            }
            return Err(error);
        }
        Ok(Self::Worktree { worktree: Box::new(worktree), commit: plan.commit.clone() })
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        match self {
            Self::Worktree { worktree, .. } => worktree.path(),
            Self::Directory(path) => path,
        }
    }

    /// Returns the worktree.
    pub fn worktree(&self) -> Option<&Worktree> {
        match self {
            Self::Worktree { worktree, .. } => Some(worktree),
            Self::Directory(_) => None,
        }
    }

    /// Opens the files for tools, with those of further directories.
    ///
    /// # Errors
    /// When a directory cannot be opened.
    pub fn workspace(&self, added: &[PathBuf]) -> Result<Disk> {
        let disk = Disk::open(self.path());
        let disk = disk.or_kind(Kind::Io, || "cannot open the agent's directory")?;
        let guarded = match self.worktree() {
            Some(worktree) => Checkouts::Of(worktree.repo().common_dir().to_owned()),
            None => Checkouts::All,
        };
        let disk = disk.adding(added, guarded);
        let disk = disk.or_kind(Kind::Io, || "cannot open a directory of `add_dirs`")?;
        Ok(disk.scoped(self.worktree().and_then(|worktree| worktree.scope().cloned())))
    }

    /// Takes in the work: commits it to the branch, and removes a worktree in which nothing changed.
    ///
    /// # Errors
    /// What git says; the worktree is then kept as it is.
    pub async fn harvest(&self, id: &str, run: &str, label: &str) -> Result<Harvest> {
        let Self::Worktree { worktree, commit } = self else { return Ok(Harvest::default()) };
        let lost = !worktree.path().is_dir();
        let finished = worktree.finish(message(commit, id, run, label)).await?;
        let left = worktree.leave(&finished).await?;
        let removed = if worktree.was_there() {
            worktree.hand_back().await?;
            None
        } else {
            match worktree.release(&finished).await? {
                Released::Removed { ignored_files, ignored_bytes } => {
                    Some((ignored_files, ignored_bytes))
                }
                Released::Kept => None,
            }
        };
        if let Some(aside) = finished.aside {
            let branch = worktree.branch();
            return Err(Error::new(
                Kind::Git,
                format!(
                    "somebody else moved `{branch}` meanwhile; the agent's work is on `{aside}`"
                ),
            )
            .hint(format!("git merge {aside}")));
        }
        Ok(Harvest {
            head_commit: Some(finished.head_commit),
            files_changed: finished.files_changed,
            removed,
            lost,
            skipped: if lost { Vec::new() } else { finished.skipped },
            kept: finished.kept,
            nested: finished.nested,
            left,
            outside: finished.outside,
        })
    }
}

/// Says what is to be done with the work if nobody comes to do it.
fn entry(plan: &Plan, soil: &Soil<'_>) -> Entry {
    Entry {
        commit: message(&plan.commit, soil.id, soil.run, soil.label),
        scope: plan.scope.as_ref().map(|scope| scope.written().to_vec()),
    }
}

/// Says how an agent's work is committed.
fn message(commit: &Commit, id: &str, run: &str, label: &str) -> Option<CommitMessage> {
    let Commit::Yes(subject) = commit else { return None };
    Some(CommitMessage {
        subject: subject.clone().unwrap_or_else(|| label.to_owned()),
        trailers: vec![
            ("Agentlua-Agent".to_owned(), id.to_owned()),
            ("Agentlua-Run".to_owned(), run.to_owned()),
        ],
    })
}

/// Returns the commit that a worktree starts from.
///
/// # Errors
/// Git, when there is none, or when there is dirt and that is not wanted.
pub async fn base_commit(repo: &Arc<Repo>, base: Option<&str>, dirty: Dirty) -> Result<String> {
    match dirty {
        Dirty::Ignore => {}
        Dirty::Copy => return repo.dirty_commit().await,
        Dirty::Fail => {
            let paths = repo.dirty_paths().await?;
            if !paths.is_empty() {
                let top = repo.top().display();
                let listed = listed(&paths);
                return Err(Error::new(
                    Kind::Git,
                    format!("there are uncommitted changes in `{top}`: {listed}"),
                )
                .hint("commit them, or take them along with `dirty = \"copy\"`"));
            }
        }
    }
    repo.resolve_base(base.unwrap_or("HEAD")).await
}

/// Refuses to begin what the disk has no room for.
///
/// # Errors
/// Io, with the sizes.
pub async fn require_room(
    repo: &Repo,
    base_commit: &str,
    furnish: &Furnish,
    root: &Path,
    wanted: usize,
) -> Result<()> {
    let (Some(each), Some(free)) =
        (repo.checkout_bytes(base_commit, furnish.sparse.as_ref()).await?, size::free(root))
    else {
        return Ok(());
    };
    let all = each.saturating_mul(wanted.max(1) as u64);
    if all.saturating_add(all / 10) <= free {
        return Ok(());
    }
    let (each, all, free) = (size::shown(each), size::shown(all), size::shown(free));
    let root = root.display();
    let message = if wanted > 1 {
        format!("{wanted} worktrees of {each} take {all}, and `{root}` has {free} left")
    } else {
        format!("a worktree takes {each}, and `{root}` has {free} left")
    };
    Err(Error::new(Kind::Io, message).hint(
        "free some space, set `worktree_root`, lower `concurrency`, or check out less with \
         `worktree = { sparse = … }`",
    ))
}

/// Returns the first of many paths, and how many more there are.
pub fn listed(paths: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<_> = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
    match paths.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
