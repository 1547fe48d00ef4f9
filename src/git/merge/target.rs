//! The checkouts of a merge's target, and what may be in the way there.
//!
//! What the user has changed stays unless the merge touches the same path; then the merge is refused
//! before anything moves. Ignored files in the way count as the user's too.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::checkout::{Checkout, Held};
use super::{listed, refused};
use crate::error::{Kind, Result, ResultExt};
use crate::git::command::{Git, LONG, fields, path, text};
use crate::git::diff::Scratch;
use crate::git::index;
use crate::git::reader::Change;
use crate::git::repo::Repo;
use crate::git::worktree::{self, is_parked};

/// The worktrees that have the target checked out: none or one, more only by force.
pub(super) struct Target {
    pub checkouts: Vec<Checkout>,
    /// A worktree where an operation on the target waits for its user.
    parked: Option<PathBuf>,
}

impl Target {
    pub async fn find(repo: &Repo, branch: &str) -> Result<Self> {
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
                target.checkouts.push(Checkout { git_dir, work_tree: entry.path });
            }
        }
        Ok(target)
    }

    /// Refuses a target in the middle of a merge, rebase or the like, or one that is away.
    pub fn require_settled(&self, trouble: &str) -> Result<()> {
        let parked = |why: String| Err(refused("parked", format!("{trouble}: {why}"), &[]));
        if let Some(place) = &self.parked {
            let place = place.display();
            return parked(format!("a merge, rebase or the like is in progress in `{place}`"));
        }
        for checkout in &self.checkouts {
            let folder = &checkout.work_tree;
            if *folder == checkout.git_dir {
                let shown = folder.display();
                return parked(format!(
                    "it is checked out somewhere, and `{shown}` does not say where; run this there"
                ));
            }
            if !folder.is_dir() {
                return parked(format!("its worktree `{}` is locked and away", folder.display()));
            }
        }
        Ok(())
    }

    /// Refuses changes of the user's to what differs between two commits, before anybody is asked to
    /// look at the merge. Holds nothing: the landing looks again.
    pub async fn require_clean(
        &self,
        repo: &Repo,
        trouble: &str,
        (old, new): (&str, &str),
    ) -> Result<()> {
        let cannot = || trouble.to_owned();
        for checkout in &self.checkouts {
            let scratch = Scratch::new(repo).or_kind(Kind::Git, cannot)?;
            let copy = scratch.path("index");
            if checkout.index().exists() {
                index::copy(&checkout.index(), &copy).or_kind(Kind::Git, cannot)?;
            }
            let git = repo.git_at(&checkout.place(repo), "status").limit(LONG);
            let status = git.env("GIT_INDEX_FILE", &copy);
            require_room(repo, trouble, checkout, status, (old, new)).await?;
        }
        Ok(())
    }
}

impl Held<'_> {
    /// Refuses changes of the user's to what differs between two commits.
    pub async fn require_clean(
        &self,
        repo: &Repo,
        trouble: &str,
        commits: (&str, &str),
    ) -> Result<()> {
        // Writes the copy, so that a file that was only touched counts as clean for what follows.
        let status = self.git("status").env("GIT_OPTIONAL_LOCKS", "1");
        require_room(repo, trouble, &self.checkout, status, commits).await
    }
}

async fn require_room(
    repo: &Repo,
    trouble: &str,
    checkout: &Checkout,
    status: Git,
    (old, new): (&str, &str),
) -> Result<()> {
    let cannot = || trouble.to_owned();
    let changes = repo.changes(old, new).await.or_kind(Kind::Git, cannot)?;
    let gone: HashSet<&[u8]> =
        changes.iter().filter(|change| !change.added).map(|change| &*change.path).collect();
    let state = State::of(status).await.or_kind(Kind::Git, cannot)?;
    let shown = checkout.work_tree.display().to_string();
    if !state.unmerged.is_empty() {
        let why = format!("{trouble}: `{shown}` has unresolved conflicts");
        return Err(refused("unmerged", why, &state.unmerged));
    }
    let in_the_way: Vec<String> = changes
        .iter()
        .filter(|change| {
            state.dirty.contains(&change.path)
                || (change.added && hides(&checkout.work_tree, change, &gone))
        })
        .map(|change| text(&change.path))
        .collect();
    if in_the_way.is_empty() {
        return Ok(());
    }
    let listed = listed(&in_the_way);
    let why = format!(
        "{trouble}: `{shown}` has uncommitted changes in {listed}, which the merge changes too"
    );
    Err(refused("dirty", why, &in_the_way).hint("git commit, or git stash"))
}

/// Tells whether a rebase of `branch` waits in the worktree of this git directory.
fn rebases(git_dir: &Path, branch: &str) -> bool {
    ["rebase-merge", "rebase-apply"].iter().any(|folder| {
        let name = std::fs::read_to_string(git_dir.join(folder).join("head-name"));
        name.is_ok_and(|name| name.trim_end().strip_prefix("refs/heads/") == Some(branch))
    })
}

/// What the user has in a checkout beside what is committed.
struct State {
    /// Known paths that differ from HEAD in the index or the files.
    dirty: HashSet<Vec<u8>>,
    /// Paths in conflict.
    unmerged: Vec<String>,
}

impl State {
    async fn of(status: Git) -> anyhow::Result<Self> {
        let git = status.args(["--porcelain=v2", "-z", "--untracked-files=no", "--no-renames"]);
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
