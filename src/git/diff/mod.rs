//! Differences: between revisions, of a branch, of a worktree, of the checkout.
//!
//! One git child gives names, counts and patch together. The patch is git's own text with the
//! prefixes that `git apply` expects, whatever the user's diff settings; no external diff and no
//! textconv runs. The index of a worktree is never touched. What a reviewer must see is flagged
//! (`flag`). A difference is held in memory, so it has a largest size ([`MOST`]).

mod flag;
mod patch;
mod record;
mod scratch;
mod summary;

pub use flag::Flag;
pub(super) use scratch::Scratch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;

use record::Raw;

use super::command::{Git, LONG, Place, exceeded, path, text};
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
    /// What an agent left: its commit, and what its worktree's folder has on top, for as long as that
    /// still stands on the commit.
    Work {
        /// The commit.
        commit: String,
        /// The folder, which may be gone.
        folder: PathBuf,
    },
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
    /// What a revision brought since it left another.
    Since {
        /// The other.
        left: String,
        /// The revision.
        rev: String,
    },
    /// The checkout: its known files against HEAD, or with `staged` its index against HEAD.
    Checkout {
        /// Whether to compare the index and not the files.
        staged: bool,
    },
}

impl Spec {
    /// Returns what work on a branch has brought since `base`: up to its commit and what its worktree has
    /// on top; without a commit, its files as they are, or the branch.
    pub fn brought(
        branch: &str,
        base: &str,
        head: Option<String>,
        worktree: Option<PathBuf>,
    ) -> Self {
        let to = match (head, worktree) {
            (Some(commit), Some(folder)) => Side::Work { commit, folder },
            (Some(commit), None) => Side::Rev(commit),
            (None, Some(folder)) if folder.exists() => Side::Folder(folder),
            (None, _) => Side::Rev(branch.to_owned()),
        };
        Self::Between { from: base.to_owned(), to }
    }
}

/// A file that differs. What is not UTF-8 in a path is shown with replacement characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Whether git takes it for binary.
    pub binary: bool,
    /// Its mode on the old side, such as `100644`; absent where there is no file.
    pub old_mode: Option<String>,
    /// Its mode on the new side; absent where there is no file.
    pub new_mode: Option<String>,
    /// Where it points, if it is a symlink on the new side.
    pub target: Option<String>,
    /// Why a reviewer must look at it.
    pub flags: Vec<Flag>,
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

/// The mode of a program, of a symlink, and of a submodule.
const PROGRAM: &str = "100755";
const LINK: &str = "120000";
const SUBMODULE: &str = "160000";

/// The most that a difference may have: names, counts and patch together, in bytes.
pub const MOST: u64 = 64 << 20;

/// How many of the largest files an error names.
const NAMED: usize = 3;

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
    "--patch",
    "--raw",
    "--numstat",
    "-z",
    "-M",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=dirty",
    "--no-abbrev",
];

/// [`FORM`] without the patch.
const COUNTS: &[&str] = FORM.split_at(1).1;

/// Compares what `spec` says; with `paths` only there (relative to the top, no patterns).
///
/// # Errors
/// [`Kind::Git`] when a side names nothing or cannot be read, or there is more than [`MOST`].
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
            of_folder(repo, checkout(repo, &folder)?, &from, paths).await
        }
        Spec::Between { from, to: Side::Work { commit, folder } } => {
            let from = revision(repo, &from).await?;
            if stands_on(repo, &folder, &commit).await {
                of_folder(repo, checkout(repo, &folder)?, &from, paths).await
            } else {
                let commit = revision(repo, &commit).await?;
                patch(repo, &repo.here(), &[&from, &commit], paths).await
            }
        }
        Spec::Branch(rev) => since(repo, ("HEAD", "HEAD"), &rev, paths).await?,
        Spec::Since { left, rev } => {
            since(repo, (&left, &format!("`{left}`")), &rev, paths).await?
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
    output.map_err(|error| match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::new(Kind::Git, "cannot compare").because(error),
    })
}

/// Compares a revision with where it left another, which messages call by the second name.
async fn since(
    repo: &Repo,
    (left, shown): (&str, &str),
    rev: &str,
    paths: &[String],
) -> Result<anyhow::Result<Diff>> {
    let (other, tip) = (repo.resolve(left).await?, repo.resolve(rev).await?);
    let base = repo.merge_base(&other, &tip).await.or_kind(Kind::Git, || "cannot compare")?;
    let Some(base) = base else {
        let cut = if repo.is_shallow() { " in this shallow clone" } else { "" };
        let why = format!("`{rev}` and {shown} have no common base{cut}");
        return Err(Error::new(Kind::Git, why).hint("name both sides: git.diff(a, b)"));
    };
    Ok(patch(repo, &repo.here(), &[&base, &tip], paths).await)
}

/// Returns the id of the commit, or else the tree, that `rev` names.
pub(super) async fn revision(repo: &Repo, rev: &str) -> Result<String> {
    match repo.resolve(rev).await {
        Ok(commit) => Ok(commit),
        Err(error) => {
            let git = repo.git("rev-parse").args(["--verify", "--quiet", "--end-of-options"]);
            git.arg(format!("{rev}^{{tree}}")).line().await.map_err(|_| error)
        }
    }
}

pub(super) async fn empty_tree(repo: &Repo) -> anyhow::Result<String> {
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

/// Tells whether the worktree at `folder` is there, and on `commit`.
async fn stands_on(repo: &Repo, folder: &Path, commit: &str) -> bool {
    let Ok(place) = checkout(repo, folder) else { return false };
    let head = repo.head_of(&place.git_dir).await.unwrap_or_default();
    folder.is_dir() && head.commit.as_deref() == Some(commit)
}

/// Compares a revision with the files of a checkout, all of them staged in a copy of its index.
async fn of_folder(
    repo: &Arc<Repo>,
    mut place: Place,
    from: &str,
    paths: &[String],
) -> anyhow::Result<Diff> {
    if let Some(folder) = &place.work_tree
        && let Some(worktree) = Worktree::entered_at(repo, folder, from)?
    {
        return of_worktree(repo, &worktree, from, paths).await;
    }
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
    let compared = |form: &[&str]| {
        let git = repo.git_at(place, "diff").limit(LONG).args(form);
        let git = git.args(["--src-prefix=a/", "--dst-prefix=b/"]).args(what).arg("--").args(paths);
        PINNED.iter().fold(git, |git: Git, setting| git.setting(setting)).most(MOST)
    };
    let bytes = match compared(&FORM).bytes().await {
        Err(error) if exceeded(&error) => bail!(too_large(compared(COUNTS)).await),
        bytes => bytes?,
    };
    let (mut diff, raw) = record::parse(&bytes)?;
    if diff.files.is_empty() {
        return Ok(diff);
    }
    name_targets(repo, place, &mut diff.files, &raw).await?;
    let hooks = hooks_folder(repo).await?;
    for file in &mut diff.files {
        file.flags = flag::flags(file, hooks.as_deref());
    }
    Ok(diff)
}

/// Says of each symlink where it points: as git has stored it, else as it is in the checkout.
async fn name_targets(
    repo: &Repo,
    place: &Place,
    files: &mut [FileDiff],
    raw: &[Raw],
) -> anyhow::Result<()> {
    let mut ids = String::new();
    let mut stored: Vec<&mut FileDiff> = Vec::new();
    for (file, raw) in files.iter_mut().zip(raw) {
        if file.new_mode.as_deref() != Some(LINK) {
            continue;
        }
        if raw.id.bytes().any(|digit| digit != b'0') {
            ids.push_str(&raw.id);
            ids.push('\n');
            stored.push(file);
        } else if let Some(top) = &place.work_tree {
            let target = std::fs::read_link(top.join(path(&raw.path)));
            file.target = target.ok().map(|target| target.to_string_lossy().into_owned());
        }
    }
    if stored.is_empty() {
        return Ok(());
    }
    let git = repo.git("cat-file").arg("--batch").stdin(ids.into_bytes()).most(MOST);
    let bytes = git.bytes().await?;
    let mut rest = bytes.as_slice();
    for file in stored {
        file.target = Some(text(record::object(&mut rest)?));
    }
    Ok(())
}

/// Returns the folder of the tree that the user's git runs hooks from, if it is one of the tree's.
async fn hooks_folder(repo: &Repo) -> anyhow::Result<Option<String>> {
    let git = repo.git("config").args(["--show-scope", "-z", "--type=path"]);
    let listed = git.args(["--get-all", "core.hooksPath"]).run().await?.stdout;
    let listed: Vec<&[u8]> = super::command::fields(&listed).collect();
    // The last one is ours, which turns hooks off.
    let configured = listed.chunks_exact(2).rfind(|pair| pair[0] != b"command");
    let Some(folder) = configured.map(|pair| path(pair[1])) else { return Ok(None) };
    let inside = folder.strip_prefix(repo.top()).or_else(|_| folder.strip_prefix("./"));
    let inside = inside.unwrap_or(&folder);
    let named = inside.to_string_lossy().trim_matches('/').to_owned();
    Ok(Some(named).filter(|named| !inside.is_absolute() && !named.is_empty() && named != "."))
}

/// Makes the error of a difference that has too much, which names the files with the most lines.
async fn too_large(counts: Git) -> Error {
    let counted = counts.bytes().await.and_then(|bytes| record::parse(&bytes));
    let mut files = counted.map(|(diff, _)| diff.files).unwrap_or_default();
    let lines =
        |file: &FileDiff| file.additions.unwrap_or_default() + file.deletions.unwrap_or_default();
    files.sort_by_key(|file| std::cmp::Reverse(lines(file)));
    let named = files.iter().take(NAMED);
    let named: Vec<_> =
        named.map(|file| format!("`{}` ({} lines)", file.path, lines(file))).collect();
    let most = if named.is_empty() {
        String::new()
    } else {
        format!(", most of it in {}", named.join(", "))
    };
    let why = format!("the difference has more than {} MiB{most}", MOST >> 20);
    Error::new(Kind::Git, why).hint("compare less at a time: git.diff { …, paths = { \"src/\" } }")
}
