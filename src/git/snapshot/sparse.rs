//! What a checkout leaves out: absent and yet not deleted. Which files that are the agent may have
//! changed, so its index says; what they hold the snapshot's index says.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Context;

use super::index_file::{self, FOLDER};
use crate::git::command::{Place, path};
use crate::git::worktree::Worktree;

/// Takes over which files the worktree leaves out. Tells whether there are any.
pub(super) async fn carry(worktree: &Worktree, place: &Place) -> anyhow::Result<bool> {
    let index = place.index.as_deref().context("no index")?;
    let digits = worktree.base_commit().len();
    let theirs = if worktree.is_entered() {
        worktree.private_dir().join("index")
    } else {
        worktree.admin().join("index")
    };
    // An index that cannot be read says nothing: then it stays as it was.
    let narrowed = Narrowed::read(&theirs, digits).ok();
    let mut changes = Changes::default();
    index_file::entries(index, digits, |entry| {
        let left_out = match &narrowed {
            Some(narrowed) if narrowed.is_empty() && !entry.left_out => return,
            Some(narrowed) => narrowed.has(entry.name),
            None => entry.left_out,
        };
        if !left_out && !entry.left_out {
            return;
        }
        let absent = worktree.path().join(path(entry.name)).symlink_metadata().is_err();
        changes.any |= left_out && absent;
        match (left_out && absent, entry.left_out) {
            (true, false) => changes.out.extend([entry.name, b"\0"].concat()),
            (false, true) => changes.back.extend([entry.name, b"\0"].concat()),
            _ => {}
        }
    })?;
    let repo = worktree.repo();
    for (names, flag) in [(changes.out, "--skip-worktree"), (changes.back, "--no-skip-worktree")] {
        if !names.is_empty() {
            let git = repo.git_at(place, "update-index").setting("core.sparseCheckout=false");
            git.args(["-z", flag, "--stdin"]).stdin(names).bytes().await?;
        }
    }
    Ok(changes.any)
}

/// What is to change in the snapshot's index.
#[derive(Default)]
struct Changes {
    out: Vec<u8>,
    back: Vec<u8>,
    any: bool,
}

/// What an index leaves out.
#[derive(Default)]
struct Narrowed {
    names: HashSet<Vec<u8>>,
    /// With a slash at their end.
    folders: Vec<Vec<u8>>,
}

impl Narrowed {
    fn read(index: &Path, digits: usize) -> anyhow::Result<Self> {
        index.symlink_metadata().context("no index")?;
        let mut narrowed = Self::default();
        index_file::entries(index, digits, |entry| {
            if entry.left_out && entry.mode == FOLDER {
                narrowed.folders.push(entry.name.to_vec());
            } else if entry.left_out {
                narrowed.names.insert(entry.name.to_vec());
            }
        })?;
        Ok(narrowed)
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.folders.is_empty()
    }

    fn has(&self, name: &[u8]) -> bool {
        self.names.contains(name) || self.folders.iter().any(|folder| name.starts_with(folder))
    }
}
