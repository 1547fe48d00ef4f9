//! One checkout of a merge's target while it is brought from one commit to another.
//!
//! Its index is held by the lock file that git itself uses, with a line in it that names the intent,
//! so that after a crash the file proves to be ours. Everything is done to a copy of the index, which
//! is renamed over it at the end: the index is the old one or the new one, whole, at any moment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::crash;
use crate::git::command::{Git, LONG, Place};
use crate::git::index;
use crate::git::repo::Repo;

/// How long to wait for another git that holds the index of a checkout.
const PATIENCE: Duration = Duration::from_secs(10);

/// A worktree that has the target checked out, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkout {
    /// Its own git directory.
    pub git_dir: PathBuf,
    /// Its folder.
    pub work_tree: PathBuf,
}

impl Checkout {
    /// Tells whether the lock of its index is that of an intent.
    pub fn is_locked_by(&self, intent: i64) -> bool {
        let text = std::fs::read_to_string(self.git_dir.join("index.lock"));
        text.is_ok_and(|text| text == mark(intent))
    }

    pub fn place(&self, repo: &Repo) -> Place {
        repo.place(self.git_dir.clone(), Some(self.work_tree.clone()))
    }

    pub fn index(&self) -> PathBuf {
        self.git_dir.join("index")
    }
}

/// A checkout whose index nobody else can change until this is dropped.
pub(super) struct Held<'r> {
    repo: &'r Repo,
    pub checkout: Checkout,
    lock: PathBuf,
    /// The copy of the index.
    copy: PathBuf,
    mark: String,
    /// Whether files may have been written under this lock: here, or before a crash.
    begun: bool,
}

impl<'r> Held<'r> {
    /// Takes the index of the `nth` checkout for an intent. A lock that the same intent left is taken
    /// over; one of somebody else is waited for, and never removed.
    pub async fn take(
        repo: &'r Repo,
        checkout: Checkout,
        intent: i64,
        nth: usize,
    ) -> anyhow::Result<Self> {
        let folder = repo.state_dir().join("index");
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
        let lock = checkout.git_dir.join("index.lock");
        let mark = mark(intent);
        // Written elsewhere and linked: the lock is never there without its mark.
        let marked = folder.join(format!("merge-{intent}-{nth}.mark"));
        fs::write(&marked, &mark)
            .with_context(|| format!("cannot write `{}`", marked.display()))?;
        let linked = link(&marked, &lock, &mark).await;
        let _ = fs::remove_file(&marked);
        let begun = linked?;
        let copy = folder.join(format!("merge-{intent}-{nth}"));
        let held = Self { repo, checkout, lock, copy, mark, begun };
        held.copy_index()?;
        Ok(held)
    }

    /// Makes the copy anew from the index as it is.
    pub fn copy_index(&self) -> anyhow::Result<()> {
        let _ = fs::remove_file(lock_of(&self.copy));
        let index = self.checkout.index();
        // A checkout whose every file was deleted with the index has none.
        match index.try_exists() {
            Ok(true) => index::copy(&index, &self.copy),
            Ok(false) => match fs::remove_file(&self.copy) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            },
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", index.display())),
        }
    }

    /// Prepares a git child that sees the checkout with the copy of its index.
    pub fn git(&self, verb: &str) -> Git {
        // Not as the place's other index, for which sparseness is taken away: this copy goes back.
        let git = self.repo.git_at(&self.checkout.place(self.repo), verb);
        git.env("GIT_INDEX_FILE", &self.copy).limit(LONG)
    }

    /// Tells whether files may have been written under this lock, here or before a crash.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Brings files and index from one commit to another. The files must not have changes in what
    /// differs between the two.
    pub async fn advance(&mut self, old: &str, new: &str) -> anyhow::Result<()> {
        self.begun = true;
        self.git("read-tree").args(["-m", "-u", old, new]).bytes().await?;
        crash::point("merge.files");
        self.publish()
    }

    /// Puts the copy in the place of the index.
    pub fn publish(&self) -> anyhow::Result<()> {
        let index = self.checkout.index();
        if self.copy.exists() && fs::rename(&self.copy, &index).is_err() {
            // Another file system.
            index::replace(&self.copy, &index)?;
        }
        crash::point("merge.index");
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if fs::read_to_string(&self.lock).is_ok_and(|text| text == self.mark) {
            let _ = fs::remove_file(&self.lock);
            crash::point("merge.unlocked");
        }
        let _ = fs::remove_file(&self.copy);
        let _ = fs::remove_file(lock_of(&self.copy));
    }
}

/// Returns what stands in the lock file of an intent.
fn mark(intent: i64) -> String {
    format!("agentlua merge {intent}\n")
}

/// Makes the lock file, waiting for somebody else's. Tells whether it was there and ours.
async fn link(marked: &Path, lock: &Path, mark: &str) -> anyhow::Result<bool> {
    let since = Instant::now();
    loop {
        match fs::hard_link(marked, lock) {
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot make `{}`", lock.display()));
            }
        }
        if fs::read_to_string(lock).is_ok_and(|text| text == mark) {
            return Ok(true);
        }
        if since.elapsed() > PATIENCE {
            bail!("another git holds `{}`", lock.display());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns the lock that git makes beside an index while it writes it.
fn lock_of(index: &Path) -> PathBuf {
    let mut name = index.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
