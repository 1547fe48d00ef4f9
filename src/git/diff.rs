//! Differences: between revisions, of a branch, of a worktree, of the checkout.
//!
//! One git child gives names, counts and patch together. The patch is git's own text with the
//! prefixes that `git apply` expects, whatever the user's diff settings; no external diff and no
//! textconv runs. The index of a worktree is never touched.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use super::command::{Git, LONG, Place, text};
use super::index;
use super::repo::Repo;
use super::snapshot;
use super::worktree::{self, Worktree};
use crate::error::{Error, Kind, Result, ResultExt};

/// One side of a comparison.
#[derive(Clone, Debug)]
pub enum Side {
    /// A revision or a tree.
    Rev(String),
    /// The files of a worktree, those included that git does not know yet.
    Worktree(Box<Worktree>),
    /// The files of any checkout of this repository, by its folder, those included that git does not
    /// know yet.
    Folder(PathBuf),
}

/// What to compare.
#[derive(Clone, Debug)]
pub enum Spec {
    /// From one side to the other. The first is a revision.
    Between {
        /// The old side.
        from: String,
        /// The new side.
        to: Side,
    },
    /// What a branch brought since it left HEAD.
    Branch(String),
    /// The checkout: its known files against HEAD, or with `staged` its index against HEAD.
    Checkout {
        /// Whether to compare the index and not the files.
        staged: bool,
    },
}

/// A file that differs. What is not UTF-8 in a path is shown with replacement characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDiff {
    /// Its path on the new side.
    pub path: String,
    /// Its path on the old side, if that is another.
    pub old_path: Option<String>,
    /// `added`, `modified`, `deleted`, `renamed`, `copied`, `type_changed` or `unmerged`.
    pub status: &'static str,
    /// Lines added; absent for a binary file.
    pub additions: Option<u64>,
    /// Lines deleted; absent for a binary file.
    pub deletions: Option<u64>,
}

/// A difference, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// The patch, byte for byte as git wrote it.
    pub patch: Vec<u8>,
    /// The files, in git's order.
    pub files: Vec<FileDiff>,
    /// Lines added in all.
    pub additions: u64,
    /// Lines deleted in all.
    pub deletions: u64,
}

impl Diff {
    /// Returns the patch as text; what is not UTF-8 is shown with replacement characters.
    pub fn patch_text(&self) -> String {
        text(&self.patch)
    }
}

/// Settings of the user's that would change the form of a patch.
const PINNED: [&str; 6] = [
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "diff.relative=false",
    "diff.orderFile=/dev/null",
    "diff.submodule=short",
    "diff.wordRegex=",
];

const FORM: [&str; 10] = [
    "--raw",
    "--numstat",
    "--patch",
    "-z",
    "-M",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=dirty",
    "--no-abbrev",
];

/// Compares what `spec` says; with `paths` only there (relative to the top, no patterns).
///
/// # Errors
/// [`Kind::Git`] when a side names nothing or cannot be read.
pub async fn diff(repo: &Arc<Repo>, spec: Spec, paths: &[String]) -> Result<Diff> {
    let output = match spec {
        Spec::Between { from, to: Side::Rev(to) } => {
            let (from, to) = (revision(repo, &from).await?, revision(repo, &to).await?);
            patch(repo, &repo.here(), &[&from, &to], paths).await
        }
        Spec::Between { from, to: Side::Worktree(worktree) } => {
            let from = revision(repo, &from).await?;
            of_worktree(repo, &worktree, &from, paths).await
        }
        Spec::Between { from, to: Side::Folder(folder) } => {
            let from = revision(repo, &from).await?;
            match Worktree::entered_at(repo, &folder, &from)? {
                Some(worktree) => of_worktree(repo, &worktree, &from, paths).await,
                None => of_folder(repo, checkout(repo, &folder)?, &from, paths).await,
            }
        }
        Spec::Branch(name) => {
            let (head, tip) = (repo.resolve("HEAD").await?, repo.resolve(&name).await?);
            let base =
                repo.merge_base(&head, &tip).await.or_kind(Kind::Git, || "cannot compare")?;
            let Some(base) = base else {
                return Err(Error::new(
                    Kind::Git,
                    format!("`{name}` and HEAD have no common base"),
                )
                .hint("name both sides: git.diff(a, b)"));
            };
            patch(repo, &repo.here(), &[&base, &tip], paths).await
        }
        Spec::Checkout { .. } if repo.is_bare() => {
            let bare = format!("`{}` is bare: it has no checkout to compare", repo.top().display());
            return Err(Error::new(Kind::Git, bare));
        }
        Spec::Checkout { staged } => {
            let head = match repo.head().await?.commit {
                Some(commit) => commit,
                None => empty_tree(repo).await.or_kind(Kind::Git, || "cannot compare")?,
            };
            let what: &[&str] = if staged { &["--cached", &head] } else { &[&head] };
            patch(repo, &repo.here(), what, paths).await
        }
    };
    output.or_kind(Kind::Git, || "cannot compare")
}

/// Returns the id of the commit, or else the tree, that `rev` names.
async fn revision(repo: &Repo, rev: &str) -> Result<String> {
    match repo.resolve(rev).await {
        Ok(commit) => Ok(commit),
        Err(error) => {
            let git = repo.git("rev-parse").args(["--verify", "--quiet", "--end-of-options"]);
            git.arg(format!("{rev}^{{tree}}")).line().await.map_err(|_| error)
        }
    }
}

async fn empty_tree(repo: &Repo) -> anyhow::Result<String> {
    repo.git("hash-object").args(["-t", "tree", "/dev/null"]).line().await
}

fn checkout(repo: &Repo, folder: &Path) -> Result<Place> {
    let found = if folder == repo.top() && !repo.is_bare() {
        Some(repo.git_dir().to_owned())
    } else if repo.common_dir().parent() == Some(folder) && repo.common_dir().ends_with(".git") {
        Some(repo.common_dir().to_owned())
    } else {
        worktree::admin_dir(repo.common_dir(), folder).or_kind(Kind::Git, || "cannot compare")?
    };
    let shown = folder.display();
    let git_dir = found.ok_or_else(|| {
        Error::new(Kind::Git, format!("`{shown}` is no checkout of the repository"))
    })?;
    Ok(repo.place(git_dir, Some(folder.to_owned())))
}

/// Compares a revision with the files of a worktree, as a snapshot would store them.
async fn of_worktree(
    repo: &Repo,
    worktree: &Worktree,
    from: &str,
    paths: &[String],
) -> anyhow::Result<Diff> {
    let scratch = Scratch::new(repo)?;
    let mut place = worktree.private();
    place.index = Some(scratch.copy("index", &worktree.index())?);
    let snapshot = snapshot::stage(worktree, &place).await?;
    patch(repo, &repo.here(), &[from, &snapshot.tree], paths).await
}

/// Compares a revision with the files of a checkout, all of them staged in a copy of its index.
async fn of_folder(
    repo: &Repo,
    mut place: Place,
    from: &str,
    paths: &[String],
) -> anyhow::Result<Diff> {
    let scratch = Scratch::new(repo)?;
    place.index = Some(scratch.copy("index", &place.git_dir.join("index"))?);
    let add = repo.git_at(&place, "add").limit(LONG).args(["--all", "--sparse"]);
    add.arg("--ignore-errors").run().await?;
    patch(repo, &place, &["--cached", from], paths).await
}

async fn patch(
    repo: &Repo,
    place: &Place,
    what: &[&str],
    paths: &[String],
) -> anyhow::Result<Diff> {
    let git = repo.git_at(place, "diff").limit(LONG).args(FORM);
    let git = git.args(["--src-prefix=a/", "--dst-prefix=b/"]).args(what).arg("--").args(paths);
    let git = PINNED.iter().fold(git, |git: Git, setting| git.setting(setting));
    parse(&git.bytes().await?)
}

/// A folder beside the repository that goes when it is dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(repo: &Repo) -> anyhow::Result<Self> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = repo.state_dir().join("tmp").join(name);
        // What a killed process of the same number left is nobody's.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Copies a file into the folder, if there is one; returns where.
    fn copy(&self, name: &str, from: &Path) -> anyhow::Result<PathBuf> {
        let to = self.path(name);
        if from.exists() {
            index::copy(from, &to)?;
        }
        Ok(to)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reads `git diff --raw --numstat --patch -z`: the raw records, the counts, a NUL, the patch.
fn parse(bytes: &[u8]) -> anyhow::Result<Diff> {
    let mut rest = Fields(bytes);
    let mut diff = Diff::default();
    let mut place: HashMap<Vec<u8>, usize> = HashMap::new();
    while rest.0.first() == Some(&b':') {
        let record = rest.next()?;
        let letter = record.rsplit(|byte| *byte == b' ').next().and_then(|word| word.first());
        let status = status(letter.copied().unwrap_or_default());
        let first = rest.next()?;
        let (path, old_path) = match status {
            "renamed" | "copied" => (rest.next()?, Some(text(first))),
            _ => (first, None),
        };
        // An unmerged path has a second record.
        if place.contains_key(path) {
            continue;
        }
        place.insert(path.to_vec(), diff.files.len());
        let path = text(path);
        diff.files.push(FileDiff { path, old_path, status, additions: None, deletions: None });
    }
    while !rest.0.is_empty() && rest.0[0] != 0 {
        let record = rest.next()?;
        let mut columns = record.splitn(3, |byte| *byte == b'\t');
        let mut column = || columns.next().unwrap_or_default();
        let (additions, deletions, path) = (number(column()), number(column()), column());
        let path = if path.is_empty() {
            rest.next()?;
            rest.next()?
        } else {
            path
        };
        diff.additions += additions.unwrap_or_default();
        diff.deletions += deletions.unwrap_or_default();
        if let Some(at) = place.get(path) {
            diff.files[*at].additions = additions;
            diff.files[*at].deletions = deletions;
        }
    }
    diff.patch = rest.0.get(1..).unwrap_or_default().to_vec();
    Ok(diff)
}

fn status(letter: u8) -> &'static str {
    match letter {
        b'A' => "added",
        b'D' => "deleted",
        b'R' => "renamed",
        b'C' => "copied",
        b'T' => "type_changed",
        b'U' => "unmerged",
        _ => "modified",
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn next(&mut self) -> anyhow::Result<&'b [u8]> {
        let Some(end) = self.0.iter().position(|byte| *byte == 0) else {
            bail!("git diff ended in the middle of a record");
        };
        let field = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Ok(field)
    }
}
