//! The git directory that an agent works with: its own, beside its worktree, made of plain files.
//!
//! In a plain linked worktree an agent's `git stash`, `git checkout main`, `git branch -D`, `git config`
//! and `git gc` reach the user's repository. So for the time of its work the worktree's `.git` file points
//! to a directory that borrows the user's objects, starts with the user's refs and with the part of the
//! user's configuration that says how files are stored (`config`), and that nobody else uses. At the end
//! what the agent moved there is read as text (`refs`, `plain`) and taken in (`take`); the host never runs
//! git on it.
//!
//! What it started with is also kept where the agent has no business, in the *mark*: a worktree has an
//! agent in it, or had one that has not been left, exactly as long as there is one.

mod config;
mod hold;
mod objects;
pub(super) mod plain;
mod quote;
pub(super) mod refs;
mod take;

pub(super) use config::{Cached, Settings};
pub(super) use hold::{hold, let_go};
pub(super) use take::{Brought, take};
pub use take::{Kept, Left};

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::index;
use super::reader::Listed;
use super::worktree::Worktree;
use quote::alternate;
use refs::{Packed, Refs};

/// The file in an agent's git directory that stands for the user's `~/.gitconfig`.
pub(super) const GLOBAL: &str = "global";

/// Where what an agent's repository starts with comes from.
pub(super) struct Origin<'o> {
    /// The user's settings.
    pub settings: &'o Settings,
    /// The user's refs.
    pub listed: &'o [Listed],
}

/// Ids of refs and symbolic refs as an agent's repository starts with them.
struct Start<'o> {
    refs: Refs,
    symbolic: Vec<(&'o [u8], &'o [u8])>,
}

impl<'o> Start<'o> {
    /// Leaves out what is not the agent's to see as its own: stashes, and what is a worktree's or
    /// agentlua's.
    fn new(listed: &'o [Listed]) -> Self {
        let foreign: [&[u8]; 5] = [
            b"refs/stash",
            b"refs/agentlua/",
            b"refs/bisect/",
            b"refs/worktree/",
            b"refs/rewritten/",
        ];
        let mut start = Self { refs: Refs::new(), symbolic: Vec::new() };
        for Listed { name, id, symbolic } in listed {
            if foreign.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            match symbolic {
                Some(target) => start.symbolic.push((name, target)),
                None => drop(start.refs.insert(name.clone(), id.clone())),
            }
        }
        start
    }
}

/// Writes the git directory of a worktree's agent, and the mark. What is there under its name is moved
/// aside first: an earlier agent's, with something in it that could not be taken in.
pub(super) fn write(worktree: &Worktree, origin: &Origin<'_>) -> anyhow::Result<()> {
    move_aside(&worktree.private_dir())?;
    let dir = worktree.unfinished_dir();
    let _ = std::fs::remove_dir_all(&dir);
    let start = Start::new(origin.listed);
    let packed = refs::packed(&start.refs);
    folder(&dir)?;
    for inner in ["info", "objects/info", "objects/pack", "refs/heads", "refs/tags"] {
        folder(&dir.join(inner))?;
    }
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.join(name), bytes)
            .with_context(|| format!("cannot write `{}`", dir.join(name).display()))
    };
    file("HEAD", format!("ref: refs/heads/{}\n", worktree.branch()).as_bytes())?;
    file("packed-refs", &packed)?;
    for (name, target) in &start.symbolic {
        let at = dir.join(refs::named_file(name));
        if let Some(above) = at.parent() {
            folder(above)?;
        }
        std::fs::write(&at, [b"ref: ", *target, b"\n"].concat())
            .with_context(|| format!("cannot write `{}`", at.display()))?;
    }
    file("objects/info/alternates", &borrowed(worktree))?;
    let own = worktree.admin().join("config.worktree");
    let own = own.exists().then_some(own);
    let common_dir = worktree.repo().common_dir();
    let sources = config::Sources {
        settings: origin.settings,
        work_tree: worktree.path(),
        common_dir,
        top: if common_dir.ends_with(".git") { common_dir.parent() } else { None }
            .unwrap_or(common_dir),
        own: own.as_deref(),
        sparse: worktree.admin().join("info/sparse-checkout").exists(),
    };
    file("config", &config::text_of(&sources)?)?;
    file(GLOBAL, &config::global(worktree.repo())?)?;
    for (from, name) in [
        (common_dir, "shallow"),
        (common_dir, "info/exclude"),
        (common_dir, "info/attributes"),
        (common_dir, "info/grafts"),
        (worktree.admin(), "info/sparse-checkout"),
    ] {
        copy_if_any(&from.join(name), &dir.join(name))?;
    }
    index::copy(&worktree.admin().join("index"), &dir.join("index"))?;
    mark(worktree, &packed, own.as_deref())?;
    crate::crash::point("enter.marked");
    std::fs::rename(&dir, worktree.private_dir())
        .with_context(|| format!("cannot move `{}`", dir.display()))
}

/// Writes the mark: what the agent's repository starts with, where no agent changes it.
fn mark(worktree: &Worktree, packed: &[u8], own: Option<&Path>) -> anyhow::Result<()> {
    let mark = worktree.mark();
    let unfinished = mark.with_added_extension("new");
    let _ = std::fs::remove_dir_all(&unfinished);
    folder(&unfinished)?;
    std::fs::write(unfinished.join("packed-refs"), packed)?;
    if let Some(own) = own {
        std::fs::copy(own, unfinished.join("config.worktree"))?;
    }
    let _ = std::fs::remove_dir_all(&mark);
    std::fs::rename(&unfinished, &mark)
        .with_context(|| format!("cannot write `{}`", mark.display()))
}

/// Removes the mark, all of it at once.
pub(super) fn unmark(worktree: &Worktree) -> io::Result<()> {
    let mark = worktree.mark();
    let gone = mark.with_added_extension("new");
    let _ = std::fs::remove_dir_all(&gone);
    std::fs::rename(&mark, &gone)?;
    std::fs::remove_dir_all(&gone)
}

/// Returns the file that says where objects are borrowed.
fn borrowed(worktree: &Worktree) -> Vec<u8> {
    let mut line = alternate(&worktree.repo().common_dir().join("objects"));
    line.push(b'\n');
    line
}

/// Reads the refs of the mark.
fn started_with(worktree: &Worktree, digits: usize) -> anyhow::Result<Packed> {
    let file = worktree.mark().join("packed-refs");
    let bytes =
        std::fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    Ok(Packed { refs: refs::unpacked(&bytes, digits)?, bytes })
}

/// Renames what is at `path`, if anything is, to a free name beside it; returns that.
pub(super) fn move_aside(path: &Path) -> anyhow::Result<Option<PathBuf>> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let named = |number: u32| path.with_added_extension(number.to_string());
    let Some(free) = (1..1000).map(named).find(|free| free.symlink_metadata().is_err()) else {
        bail!("there are too many copies of `{}`", path.display());
    };
    std::fs::rename(path, &free).with_context(|| format!("cannot move `{}`", path.display()))?;
    Ok(Some(free))
}

fn folder(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o777)
        .create(path)
        .with_context(|| format!("cannot make `{}`", path.display()))
}

fn copy_if_any(from: &Path, to: &Path) -> anyhow::Result<()> {
    match std::fs::copy(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot copy `{}`", from.display()))
        }
        _ => Ok(()),
    }
}
