//! Files that git ignores and an agent needs all the same: a `.env`, installed packages, caches.
//!
//! Only files are taken that git ignores in the checkout *and* that a pattern names, in the syntax of
//! `.gitignore`: those of `.worktreeinclude` at the top of the repository (it being there is enough, as
//! with Claude Code), or a list. They are copied, by reference where the file system can (Btrfs, XFS),
//! and never linked: through a link into the main checkout an agent would change it. A file that the
//! worktree's own ignore rules would not ignore is left out: it would be committed.
//!
//! Nothing is overwritten. Links are copied as links and never followed. A `.git` inside a copied
//! folder is left out: git in the copy would act on what belongs to the original.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::Worktree;
use crate::error::{Error, Result};
use crate::git::command::{LONG, fields, path};
use crate::git::repo::Repo;

/// The file that lists what to include.
const FILE: &str = ".worktreeinclude";

/// Which ignored files a worktree gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Include {
    /// Those that `.worktreeinclude` names, where there is one.
    #[default]
    File,
    /// None.
    None,
    /// Those that these patterns name.
    Patterns(Vec<String>),
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Included {
    /// Files and links.
    pub files: u64,
    /// Bytes, of which a reference takes no room.
    pub bytes: u64,
    /// Files that were named and left out: the worktree does not ignore them.
    pub exposed: u64,
}

impl Include {
    /// Checks patterns as a script gives them.
    ///
    /// # Errors
    /// Usage, naming the pattern.
    pub fn patterns(patterns: Vec<String>) -> Result<Self> {
        matcher(Path::new("/"), &patterns)
            .map_err(|why| Error::usage(format!("`include` has a pattern that is none: {why}")))?;
        Ok(Self::Patterns(patterns))
    }
}

fn matcher(top: &Path, patterns: &[String]) -> std::result::Result<Gitignore, ignore::Error> {
    let mut builder = GitignoreBuilder::new(top);
    for pattern in patterns {
        builder.add_line(None, pattern)?;
    }
    builder.build()
}

/// Copies what is to be included from the checkout that the repository was opened from.
pub(super) async fn copy(worktree: &Worktree, include: &Include) -> anyhow::Result<Included> {
    let repo = worktree.repo();
    let Some(patterns) = wanted(repo, include)? else { return Ok(Included::default()) };
    let git = repo.git("ls-files").limit(LONG).args(["-z", "--others", "--ignored"]);
    let listed = git.args(["--exclude-standard", "--directory"]).bytes().await?;
    let top = repo.top().to_owned();
    let found = tokio::task::spawn_blocking(move || {
        let ignored = fields(&listed).filter(|name| !name.is_empty()).map(path);
        select(&top, ignored, &patterns)
    });
    let found = found.await.context("looking for files to include ended early")?;
    if found.is_empty() {
        return Ok(Included::default());
    }
    let (found, exposed) = hidden(worktree, found).await?;
    let (from, to) = (repo.top().to_owned(), worktree.path().to_owned());
    let copied = tokio::task::spawn_blocking(move || copy_all(&from, &to, &found));
    let copied = copied.await.context("copying ended early")??;
    Ok(Included { exposed, ..copied })
}

fn wanted(repo: &Repo, include: &Include) -> anyhow::Result<Option<Gitignore>> {
    if repo.is_bare() {
        return Ok(None);
    }
    let patterns = match include {
        Include::None => return Ok(None),
        Include::Patterns(patterns) => patterns.clone(),
        Include::File => match std::fs::read(repo.top().join(FILE)) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{FILE}`")),
        },
    };
    let patterns = matcher(repo.top(), &patterns).context("cannot read what to include")?;
    Ok(Some(patterns).filter(|patterns| !patterns.is_empty()))
}

/// Returns the files among those that git ignores (of folders that it ignores whole, what is in them)
/// that the patterns name.
fn select(
    top: &Path,
    ignored: impl Iterator<Item = PathBuf>,
    patterns: &Gitignore,
) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = ignored.collect();
    while let Some(name) = pending.pop() {
        // What cannot be read, or goes away meanwhile, is passed over.
        let Ok(look) = top.join(&name).symlink_metadata() else { continue };
        if name.file_name().is_some_and(|last| last.eq_ignore_ascii_case(".git")) {
            continue;
        }
        if look.is_dir() {
            let entries = std::fs::read_dir(top.join(&name)).into_iter().flatten().flatten();
            pending.extend(entries.map(|entry| name.join(entry.file_name())));
        } else if (look.is_file() || look.is_symlink())
            && patterns.matched_path_or_any_parents(&name, false).is_ignore()
        {
            // Without the slash that git ends a folder with.
            found.push(name.components().collect());
        }
    }
    found.sort();
    found
}

/// Returns those that the worktree ignores too, and how many it does not.
async fn hidden(
    worktree: &Worktree,
    mut found: Vec<PathBuf>,
) -> anyhow::Result<(Vec<PathBuf>, u64)> {
    found.retain(|name| worktree.path().join(name).symlink_metadata().is_err());
    let mut names = Vec::new();
    for name in &found {
        // A name may begin with what git reads as magic.
        names.extend_from_slice(b"./");
        names.extend_from_slice(name.as_os_str().as_bytes());
        names.push(0);
    }
    let git = worktree.repo().git_at(&worktree.private(), "check-ignore").limit(LONG);
    let git = git.env("GIT_LITERAL_PATHSPECS", "0").args(["-z", "--stdin"]);
    let output = git.stdin(names).run().await?;
    anyhow::ensure!(
        matches!(output.code, Some(0 | 1)),
        "git check-ignore: {}",
        crate::git::command::complaint(&output)
    );
    let hidden: Vec<PathBuf> =
        fields(&output.stdout).filter_map(|name| name.strip_prefix(b"./")).map(path).collect();
    let exposed = (found.len() - hidden.len()) as u64;
    Ok((hidden, exposed))
}

fn copy_all(from: &Path, to: &Path, names: &[PathBuf]) -> anyhow::Result<Included> {
    let open = |path: &Path| {
        Dir::open_ambient_dir(path, ambient_authority())
            .with_context(|| format!("cannot open `{}`", path.display()))
    };
    // Both sides are opened beneath their tops: a link in the way leads nowhere else.
    let (from, to) = (open(from)?, open(to)?);
    let mut copied = Included::default();
    for name in names {
        match copy_one(&from, &to, name) {
            Ok(bytes) => {
                copied.files += 1;
                copied.bytes += bytes;
            }
            // It went away meanwhile, or is there already: the base has it.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                ) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot copy `{}`", name.display()));
            }
        }
    }
    Ok(copied)
}

/// Copies a file or a link, with mode and time; returns its bytes.
fn copy_one(from: &Dir, to: &Dir, name: &Path) -> io::Result<u64> {
    if let Some(parent) = name.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        to.create_dir_all(parent)?;
    }
    let look = from.symlink_metadata(name)?;
    if look.is_symlink() {
        to.symlink_contents(from.read_link_contents(name)?, name)?;
        return Ok(0);
    }
    let source = from.open(name)?.into_std();
    let options = &mut OpenOptions::new();
    let target = to.open_with(name, options.write(true).create_new(true))?.into_std();
    let meta = source.metadata()?;
    if !reflink(&source, &target) {
        io::copy(&mut &source, &mut &target)?;
    }
    target.set_permissions(meta.permissions())?;
    // Build tools compare times.
    target.set_modified(meta.modified()?)?;
    Ok(meta.len())
}

/// Tells whether copies in a folder share their blocks with what they were made of; tried with two files
/// that go at once.
///
/// # Errors
/// When nothing can be written there.
pub fn shares_blocks(folder: &Path) -> io::Result<bool> {
    let name = |end: &str| folder.join(format!(".agentlua-{}-{end}", std::process::id()));
    let (from, to) = (name("from"), name("to"));
    let tried = (|| {
        std::fs::write(&from, [0; 4096])?;
        Ok(reflink(&File::open(&from)?, &File::create(&to)?))
    })();
    for file in [from, to] {
        // What was not made cannot be removed.
        let _ = std::fs::remove_file(file);
    }
    tried
}

/// Makes `target` share the blocks of `source`; `false` where the file system cannot.
#[cfg(target_os = "linux")]
fn reflink(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

/// Makes `target` share the blocks of `source`; `false` where the file system cannot.
#[cfg(not(target_os = "linux"))]
fn reflink(_source: &File, _target: &File) -> bool {
    false
}
