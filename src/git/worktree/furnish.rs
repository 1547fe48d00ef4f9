//! What a new worktree gets: the files of its base, all or a cone of them, its submodules, and files
//! that git ignores. All of it happens outside the lock.

use std::path::Path;

use anyhow::{Context, bail};

use super::include::{self, Include, Included};
use super::sparse::Cone;
use super::{Worktree, submodules};
use crate::crash;
use crate::git::command::LONG;
use crate::git::{index, size};

/// Git does not say why it could not write a file; with less room than this that is why.
const LITTLE: u64 = 1_000_000;

/// How much of what git complains about is shown.
const SHOWN: usize = 3;

/// What a worktree gets beside the files of its base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Furnish {
    /// The directories to check out; all, or as sparse as the checkout is that the repository was
    /// opened from, when absent.
    pub sparse: Option<Cone>,
    /// Which ignored files to copy.
    pub include: Include,
    /// Whether to fill submodules. They are empty folders else.
    pub submodules: bool,
}

/// Fills a registered worktree; the caller takes it back when that fails.
pub(in crate::git) async fn furnish(
    worktree: &Worktree,
    furnish: &Furnish,
) -> anyhow::Result<Included> {
    check_out(worktree, furnish.sparse.as_ref())
        .await
        .map_err(|error| full(worktree.path(), error))?;
    if furnish.submodules {
        submodules::fill(worktree).await?;
    }
    let included = include::copy(worktree, &furnish.include).await;
    crash::point("create.furnished");
    included.map_err(|error| full(worktree.path(), error))
}

/// Writes the files and keeps a copy of the index that describes them.
async fn check_out(worktree: &Worktree, sparse: Option<&Cone>) -> anyhow::Result<()> {
    worktree.forget_setup();
    let mut git = worktree.repo.git_at(&worktree.own(), "read-tree").limit(LONG);
    if let Some(cone) = sparse {
        cone.write(&worktree.admin)?;
        git = git.setting("core.sparseCheckout=true").setting("core.sparseCheckoutCone=true");
        git = git.setting("index.sparse=false");
    }
    git.args(["-m", "-u", &worktree.base_commit]).bytes().await?;
    crash::point("create.checked_out");
    let private = worktree.index();
    let Some(folder) = private.parent() else { bail!("no place for the index") };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make `{}`", folder.display()))?;
    index::replace(&worktree.admin.join("index"), &private)?;
    crash::point("create.indexed");
    Ok(())
}

/// Says in one line what git says for every file, and whether the disk is full.
fn full(path: &Path, error: anyhow::Error) -> anyhow::Error {
    let text = format!("{error:#}");
    let lines: Vec<_> = text.split("; ").collect();
    let shown = lines[..lines.len().min(SHOWN)].join("; ");
    let more = match lines.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let free = size::free(path);
    let is_full = text.to_lowercase().contains("no space left on device")
        || (text.contains("unable to write") && free.is_some_and(|bytes| bytes < LITTLE));
    if !is_full {
        return if more.is_empty() { error } else { anyhow::anyhow!("{shown}{more}") };
    }
    let left = size::shown(free.unwrap_or_default());
    let path = path.parent().unwrap_or(path).display();
    anyhow::anyhow!("the files do not fit in `{path}`, which has {left} left: {shown}{more}")
}
