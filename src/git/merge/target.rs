//! The checkouts of a merge's target: nothing in the way before, refreshed after.
//!
//! What the user has changed stays unless the merge touches the same path; then the merge is refused
//! before anything moves. Ignored files in the way count as the user's too.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Job, listed, refused};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::command::{LONG, Place, fields, path, text};
use crate::git::reader::Change;
use crate::git::repo::Repo;
use crate::git::worktree::{self, is_parked};

/// How long to wait for another git that holds the index of a checkout.
const PATIENCE: Duration = Duration::from_secs(10);

/// The worktrees that have the target checked out: none or one, more only by force.
pub(super) struct Target {
    checkouts: Vec<Place>,
    /// A worktree where an operation on the target waits for its user.
    parked: Option<PathBuf>,
}

impl Target {
    pub(super) async fn find(repo: &Repo, branch: &str) -> Result<Self> {
        let mut target = Self { checkouts: Vec::new(), parked: None };
        for entry in repo.worktrees().await?.into_iter().filter(|entry| !entry.bare) {
            let git_dir: Option<PathBuf> = if entry.main {
                Some(repo.common_dir().to_owned())
            } else {
                let found = worktree::admin_dir(repo.common_dir(), &entry.path);
                found.or_kind(Kind::Git, || "cannot read the list of worktrees")?
            };
            let Some(git_dir) = git_dir else { continue };
            let on_it = entry.branch.as_deref() == Some(branch);
            if (on_it && is_parked(&git_dir)) || rebases(&git_dir, branch) {
                target.parked = Some(entry.path.clone());
            }
            // A folder that was removed needs no refreshing; a locked one is only away.
            if on_it && (entry.path.is_dir() || entry.locked.is_some()) {
                target.checkouts.push(repo.place(git_dir, Some(entry.path)));
            }
        }
        Ok(target)
    }

    /// Refuses a target in the middle of a merge, rebase or the like, or one that is away.
    pub(super) async fn require_settled(&self, job: &Job<'_>) -> Result<()> {
        let parked = |why: String| Err(refused("parked", format!("{}: {why}", job.trouble()), &[]));
        if let Some(place) = &self.parked {
            return parked(format!(
                "a merge, rebase or the like is in progress in `{}`",
                place.display()
            ));
        }
        for place in &self.checkouts {
            let folder = folder(place);
            if !folder.is_dir() {
                return parked(format!("its worktree `{}` is locked and away", folder.display()));
            }
            let lock = place.git_dir.join("index.lock");
            let since = Instant::now();
            while lock.exists() {
                if since.elapsed() > PATIENCE {
                    return parked(format!("another git holds `{}`", lock.display()));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Refuses changes of the user's to paths that differ between `ours` and `new`.
    pub(super) async fn require_clean(&self, job: &Job<'_>, ours: &str, new: &str) -> Result<()> {
        if self.checkouts.is_empty() {
            return Ok(());
        }
        let changes = job.repo.changes(ours, new).await;
        let changes = changes.or_kind(Kind::Git, || job.trouble())?;
        let gone: HashSet<&[u8]> =
            changes.iter().filter(|change| !change.added).map(|change| &*change.path).collect();
        for place in &self.checkouts {
            let state = State::of(job.repo, place).await.or_kind(Kind::Git, || job.trouble())?;
            let shown = folder(place).display().to_string();
            if !state.unmerged.is_empty() {
                let why = format!("{}: `{shown}` has unresolved conflicts", job.trouble());
                return Err(refused("unmerged", why, &state.unmerged));
            }
            let in_the_way: Vec<String> = changes
                .iter()
                .filter(|change| {
                    state.dirty.contains(&change.path)
                        || (change.added && hides(folder(place), change, &gone))
                })
                .map(|change| text(&change.path))
                .collect();
            if !in_the_way.is_empty() {
                let listed = listed(&in_the_way);
                let why = format!(
                    "{}: `{shown}` has uncommitted changes in {listed}, which the merge changes too",
                    job.trouble()
                );
                return Err(refused("dirty", why, &in_the_way).hint("git commit, or git stash"));
            }
        }
        Ok(())
    }

    /// Brings the checkouts from `ours` to `new`. If one cannot follow, all go back, and the ref too.
    pub(super) async fn refresh(&self, job: &Job<'_>, ours: &str, new: &str) -> Result<()> {
        for (at, place) in self.checkouts.iter().enumerate() {
            let Err(error) = read_tree(job.repo, place, ours, new).await else { continue };
            let full_name = format!("refs/heads/{}", job.into);
            let back =
                job.repo.move_ref(&full_name, ours, Some(new), "agentlua: merge undone").await;
            for place in &self.checkouts[..at] {
                let _ = read_tree(job.repo, place, new, ours).await;
            }
            let _ = restore(job, place, ours, new).await;
            let shown = folder(place).display();
            let why = format!("{}: `{shown}` cannot follow: {error:#}", job.trouble());
            return match back {
                Ok(()) => Err(refused("dirty", why, &[])),
                Err(back) => Err(Error::new(Kind::Git, why).because(back)),
            };
        }
        Ok(())
    }
}

fn folder(place: &Place) -> &Path {
    place.work_tree.as_deref().unwrap_or(&place.git_dir)
}

/// Tells whether a rebase of `branch` waits in the worktree of this git directory.
fn rebases(git_dir: &Path, branch: &str) -> bool {
    ["rebase-merge", "rebase-apply"].iter().any(|folder| {
        let name = std::fs::read_to_string(git_dir.join(folder).join("head-name"));
        name.is_ok_and(|name| name.trim_end().strip_prefix("refs/heads/") == Some(branch))
    })
}

async fn read_tree(repo: &Repo, place: &Place, old: &str, new: &str) -> anyhow::Result<()> {
    let git = repo.git_at(place, "read-tree").args(["-m", "-u", old, new]);
    git.limit(LONG).bytes().await.map(drop)
}

/// Puts back the files that a refresh had written before it failed, such as on a full disk. They
/// were clean, and git writes its index last, so the index still says what they were.
async fn restore(job: &Job<'_>, place: &Place, ours: &str, new: &str) -> anyhow::Result<()> {
    let mut names = Vec::new();
    for Change { path: name, added } in job.repo.changes(ours, new).await? {
        if added {
            let _ = std::fs::remove_file(folder(place).join(path(&name)));
        } else {
            names.extend_from_slice(&name);
            names.push(0);
        }
    }
    let git = job.repo.git_at(place, "checkout-index").args(["--force", "--quiet", "--index"]);
    let git = git.args(["-z", "--stdin"]);
    git.stdin(names).bytes().await.map(drop)
}

/// What the user has in a checkout beside what is committed.
struct State {
    /// Known paths that differ from HEAD in the index or the files.
    dirty: HashSet<Vec<u8>>,
    /// Paths in conflict.
    unmerged: Vec<String>,
}

impl State {
    async fn of(repo: &Repo, place: &Place) -> anyhow::Result<Self> {
        // Takes git's optional lock so that a file that was only touched counts as clean below.
        let git = repo.git_at(place, "status").env("GIT_OPTIONAL_LOCKS", "1").limit(LONG);
        let git = git.args(["--porcelain=v2", "-z", "--untracked-files=no", "--no-renames"]);
        let bytes = git.arg("--ignore-submodules=dirty").bytes().await?;
        let mut state = Self { dirty: HashSet::new(), unmerged: Vec::new() };
        for record in fields(&bytes) {
            // `1 XY sub mH mI mW hH hI path` and `u XY sub m1 m2 m3 mW h1 h2 h3 path`.
            let parts = if record.starts_with(b"u ") { 11 } else { 9 };
            let Some(name) = record.splitn(parts, |byte| *byte == b' ').nth(parts - 1) else {
                continue;
            };
            if parts == 11 {
                state.unmerged.push(text(name));
            }
            state.dirty.insert(name.to_vec());
        }
        Ok(state)
    }
}

/// Tells whether a file that git does not know stands where the merge puts a new one, or a folder for
/// it. One that the merge removes does not count.
fn hides(folder: &Path, new: &Change, gone: &HashSet<&[u8]>) -> bool {
    let stands = |path: &Path| path.symlink_metadata().is_ok_and(|there| !there.is_dir());
    let name = path(&new.path);
    let above = name.ancestors().skip(1).take_while(|above| !above.as_os_str().is_empty());
    stands(&folder.join(&name))
        || above.into_iter().any(|above| {
            stands(&folder.join(above)) && !gone.contains(above.as_os_str().as_encoded_bytes())
        })
}
