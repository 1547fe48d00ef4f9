//! The worktrees that git knows, and which of its records belongs to which folder.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Kind, Result, ResultExt};
use crate::git::command::{fields, path, text};
use crate::git::repo::Repo;

/// A worktree as git lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorktreeEntry {
    /// Its folder; the git directory of a bare repository, and of a main checkout that only its own
    /// `.git` file leads to, seen from another.
    pub path: PathBuf,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// The commit that is checked out.
    pub head: Option<String>,
    /// The reason of its lock, if it is locked; often empty.
    pub locked: Option<String>,
    /// Whether it is the main one.
    pub main: bool,
    /// Whether it is the git directory of a bare repository, with no files.
    pub bare: bool,
}

impl Repo {
    /// Lists the worktrees, the main one first.
    ///
    /// # Errors
    /// [`Kind::Git`] when the repository cannot be read.
    pub async fn worktrees(&self) -> Result<Vec<WorktreeEntry>> {
        let git = self.git("worktree").args(["list", "--porcelain", "-z"]);
        let bytes = git.bytes().await.or_kind(Kind::Git, || "cannot list the worktrees")?;
        let mut entries: Vec<WorktreeEntry> = Vec::new();
        for field in fields(&bytes) {
            let (name, value) = match field.iter().position(|byte| *byte == b' ') {
                Some(at) => (&field[..at], &field[at + 1..]),
                None => (field, &field[field.len()..]),
            };
            if name == b"worktree" {
                let main = entries.is_empty();
                entries.push(WorktreeEntry { path: path(value), main, ..Default::default() });
            }
            let Some(entry) = entries.last_mut() else { continue };
            match name {
                b"HEAD" => {
                    entry.head = Some(text(value)).filter(|id| id.bytes().any(|b| b != b'0'));
                }
                b"branch" => {
                    let full = text(value);
                    entry.branch = Some(full.trim_start_matches("refs/heads/").to_owned());
                }
                b"locked" => entry.locked = Some(text(value)),
                b"bare" => entry.bare = true,
                _ => {}
            }
        }
        if let Some(main) = entries.first_mut().filter(|main| !main.bare) {
            self.place_main(main).await.or_kind(Kind::Git, || "cannot list the worktrees")?;
        }
        Ok(entries)
    }

    /// Says where the main checkout is whose git directory lies apart, as a submodule's does: git lists
    /// the git directory in its place.
    async fn place_main(&self, main: &mut WorktreeEntry) -> anyhow::Result<()> {
        if main.path != self.common_dir() {
            return Ok(());
        }
        if self.git_dir() == self.common_dir() {
            self.top().clone_into(&mut main.path);
            return Ok(());
        }
        let place = self.place(self.common_dir().to_owned(), None);
        let asked = self.git_at(&place, "config").args(["--null", "--get", "core.worktree"]);
        let said = asked.run().await?.stdout;
        if let Some(given) = fields(&said).next().filter(|given| !given.is_empty()) {
            let there = self.common_dir().join(path(given));
            main.path = there.canonicalize().unwrap_or(there);
        }
        Ok(())
    }
}

/// Returns the git directory of the linked worktree at `worktree`, from git's own records: the
/// `.git` file in the worktree is its agent's to change.
pub(in crate::git) fn admin_dir(common_dir: &Path, worktree: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match std::fs::read_dir(common_dir.join("worktrees")) {
        Ok(entries) => entries,
        Err(error) if is_no_folder(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let wanted = worktree.join(".git");
    for entry in entries {
        let admin = entry?.path();
        // A record that goes away while we look is nobody's.
        let Ok(bytes) = std::fs::read(admin.join("gitdir")) else { continue };
        let recorded = path(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        if admin.join(&recorded) == wanted {
            return Ok(Some(admin));
        }
    }
    Ok(None)
}

/// Returns the git directory of the linked worktree that is locked for this reason.
pub(super) fn locked_for(common_dir: &Path, reason: &str) -> io::Result<Option<PathBuf>> {
    let entries = match std::fs::read_dir(common_dir.join("worktrees")) {
        Ok(entries) => entries,
        Err(error) if is_no_folder(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let admin = entry?.path();
        let locked = std::fs::read(admin.join("locked")).unwrap_or_default();
        if locked.trim_ascii_end() == reason.as_bytes() {
            return Ok(Some(admin));
        }
    }
    Ok(None)
}

/// Tells whether a list could not be read because there is none.
pub(super) fn is_no_folder(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Returns `path` with symlinks resolved as far as it exists.
pub(super) fn existing_part(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return match path.strip_prefix(ancestor) {
                Ok(rest) if rest.as_os_str().is_empty() => real,
                Ok(rest) => real.join(rest),
                Err(_) => real,
            };
        }
    }
    path.to_owned()
}
