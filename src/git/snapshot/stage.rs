//! The files of a worktree as a tree.
//!
//! Git adds what is on the disk, and it looks into repositories inside by running git there, with their
//! own configuration. So entries that name a repository are kept from it: where a submodule stands is
//! read as text, and the files of a repository that the agent made or cloned are added as files.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::index_file::{self, LINK, hex};
use super::nested::{self, Nested};
use super::sparse;
use crate::git::command::{LONG, Place, complaint, fields, path, text};
use crate::git::private::plain::{Entry, Folder};
use crate::git::private::refs::{self, Pointed};
use crate::git::repo::Repo;
use crate::git::worktree::Worktree;

/// The files of a worktree as they were at one moment.
#[derive(Debug, Default)]
pub(in crate::git) struct Snapshot {
    /// Their tree.
    pub tree: String,
    /// What git could not store.
    pub skipped: Vec<String>,
    /// The repositories inside whose files are in the tree.
    pub nested: Vec<String>,
}

/// Brings the index of `place` up to the files and writes its tree.
pub(in crate::git) async fn stage(worktree: &Worktree, place: &Place) -> anyhow::Result<Snapshot> {
    stage_on(worktree, place, None).await
}

/// As [`stage`], where the agent has its branch at `tip`: what is not on the disk because the checkout
/// leaves it out is as there.
pub(super) async fn stage_on(
    worktree: &Worktree,
    place: &Place,
    tip: Option<&str>,
) -> anyhow::Result<Snapshot> {
    let mut snapshot = brought_up(worktree, place, tip).await?;
    let tree = worktree.repo().git_at(place, "write-tree").line().await;
    snapshot.tree = if let Ok(tree) = tree {
        tree
    } else {
        // The user's `git gc` knows nothing of this index: what no ref held may be gone. The files are not.
        let index = place.index.as_deref().context("no index")?;
        std::fs::remove_file(index)
            .with_context(|| format!("cannot begin `{}` anew", index.display()))?;
        snapshot = brought_up(worktree, place, tip).await?;
        worktree.repo().git_at(place, "write-tree").line().await?
    };
    Ok(snapshot)
}

/// Brings the index of `place` up to the files; the tree is not written yet.
async fn brought_up(
    worktree: &Worktree,
    place: &Place,
    tip: Option<&str>,
) -> anyhow::Result<Snapshot> {
    let repo = worktree.repo();
    let index = place.index.as_deref().context("no index")?;
    if !index.exists() {
        repo.git_at(place, "read-tree").arg(worktree.base_commit()).bytes().await?;
    }
    let digits = worktree.base_commit().len();
    let submodules: BTreeSet<_> = links(index, digits)?.into_keys().collect();
    if let Some(tip) = tip {
        let read = repo.git_at(place, "read-tree").setting("core.sparseCheckout=false");
        // The sides of a conflict that an earlier index had are dropped: what became of it is in the files.
        read.args(["-i", "--reset", tip]).bytes().await?;
    }
    let sparse = sparse::carry(worktree, place).await?;
    let mut snapshot = Snapshot::default();
    let named = links(index, digits)?;
    let folder = Folder::open(worktree.path())?;
    let top = Top { repo, place, folder: &folder, digits, sparse };
    snapshot.skipped.extend(top.add(named.keys()).await?);
    let mut new = top.settle(&named, &submodules, &mut snapshot.skipped).await?;
    new.extend(links(index, digits)?.into_keys().filter(|name| !named.contains_key(name)));
    if !snapshot.skipped.is_empty() {
        new.extend(top.without_commit().await?);
    }
    let new = top.undeclared(new).await?;
    if !new.is_empty() {
        let Nested { names, skipped } = nested::take(repo, place, new, digits).await?;
        // Git refuses a repository without a commit, whose files are there now.
        let is_nested = |said: &String| said.contains("does not have a commit checked out");
        snapshot.skipped.retain(|said| !is_nested(said) || names.is_empty());
        snapshot.skipped.extend(skipped);
        snapshot.nested = names;
    }
    snapshot.nested.extend(top.repositories()?);
    snapshot.nested.sort();
    snapshot.nested.dedup();
    Ok(snapshot)
}

/// Brings the index of `place` up to these files alone and returns its tree.
pub(in crate::git) async fn stage_paths(
    worktree: &Worktree,
    place: &Place,
    paths: &[PathBuf],
) -> anyhow::Result<String> {
    if !place.index.as_ref().is_some_and(|index| index.exists()) {
        return Ok(stage(worktree, place).await?.tree);
    }
    let mut names = Vec::new();
    for path in paths {
        names.extend_from_slice(path.as_os_str().as_bytes());
        names.push(0);
    }
    let repo = worktree.repo();
    let git = repo.git_at(place, "add").args(["--all", "--sparse", "--ignore-errors"]);
    let git = git.args(["--pathspec-from-file=-", "--pathspec-file-nul"]).stdin(names);
    match git.limit(LONG).run().await?.code {
        // Ignored files are told by code 1 and left out.
        Some(0 | 1) => match repo.git_at(place, "write-tree").line().await {
            Ok(tree) => Ok(tree),
            Err(_) => Ok(stage(worktree, place).await?.tree),
        },
        _ => Ok(stage(worktree, place).await?.tree),
    }
}

/// Returns the entries of an index that name a repository, and at which commit.
pub(super) fn links(index: &Path, digits: usize) -> anyhow::Result<HashMap<Vec<u8>, String>> {
    let mut found = HashMap::new();
    index_file::entries(index, digits, |entry| {
        if entry.mode == LINK {
            found.insert(entry.name.to_vec(), hex(entry.id));
        }
    })?;
    Ok(found)
}

/// The top of a worktree, being staged.
struct Top<'t> {
    repo: &'t Repo,
    place: &'t Place,
    folder: &'t Folder,
    digits: usize,
    sparse: bool,
}

impl Top<'_> {
    /// Adds every file but what is at `links`; returns what git complained about.
    async fn add(&self, links: impl Iterator<Item = &Vec<u8>>) -> anyhow::Result<Option<String>> {
        let mut spec = Vec::new();
        for link in links.filter(|link| self.kind(link) == Some(Entry::Folder)) {
            for part in [b":(top,exclude,literal)", &link[..], b"\0"] {
                spec.extend_from_slice(part);
            }
        }
        let add = |more: &[&str]| {
            let mut git = self.repo.git_at(self.place, "add").limit(LONG);
            git = git.args(["--all", "--sparse"]).args(more);
            if self.sparse {
                git = git.setting("core.sparseCheckout=true");
            }
            if spec.is_empty() {
                return git;
            }
            git = git.env("GIT_LITERAL_PATHSPECS", "0");
            git = git.args(["--pathspec-from-file=-", "--pathspec-file-nul"]);
            git.stdin([b":(top)\0", &spec[..]].concat())
        };
        let output = add(&[]).run().await?;
        if output.code == Some(0) {
            return Ok(None);
        }
        // One file that cannot be stored must not cost all the others.
        let output = add(&["--ignore-errors"]).run().await?;
        Ok(Some(complaint(&output)))
    }

    /// Tells what is at a path; absent when nothing is.
    fn kind(&self, name: &[u8]) -> Option<Entry> {
        let name = path(name);
        let parent = self.folder.folder(name.parent()?).ok()?;
        parent.entry(name.file_name()?).ok().flatten()
    }

    /// Brings the entries that named a repository before up to what is there. Returns those that the agent
    /// has committed as such.
    async fn settle(
        &self,
        named: &HashMap<Vec<u8>, String>,
        submodules: &BTreeSet<Vec<u8>>,
        skipped: &mut Vec<String>,
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut update = Vec::new();
        let mut new = Vec::new();
        for (name, id) in named {
            // Anything but a folder was added.
            if self.kind(name) != Some(Entry::Folder) {
                continue;
            }
            if !submodules.contains(name) {
                new.push(name.clone());
                continue;
            }
            match self.at(name) {
                At::Nothing => {}
                At::Files => skipped.push(format!(
                    "`{}` is a submodule, and no repository is there but files",
                    text(name)
                )),
                At::Unreadable(why) => {
                    skipped.push(format!("the submodule `{}`: {why}", text(name)));
                }
                At::Commit(now) if now == *id => {}
                At::Commit(now) => update.extend(entry(LINK, &now, name)),
            }
        }
        if !update.is_empty() {
            let git = self.repo.git_at(self.place, "update-index").args(["-z", "--index-info"]);
            git.stdin(update).bytes().await?;
        }
        Ok(new)
    }

    /// Tells where a submodule stands, without git.
    fn at(&self, name: &[u8]) -> At {
        let name = path(name);
        let read = || -> anyhow::Result<At> {
            let folder = self.folder.folder(&name)?;
            let dir = match folder.entry(".git".as_ref())? {
                None if folder.is_empty()? => return Ok(At::Nothing),
                None => return Ok(At::Files),
                Some(Entry::Folder) => folder.folder(Path::new(".git"))?,
                Some(_) => {
                    let pointer = folder.file(Path::new(".git"), 1 << 16)?.unwrap_or_default();
                    let pointer = pointer.strip_prefix(b"gitdir:").context("`.git` is odd")?;
                    let top = self.place.work_tree.as_deref().unwrap_or(Path::new("/"));
                    Folder::open(&top.join(&name).join(path(pointer.trim_ascii())))?
                }
            };
            match refs::head(&dir, self.digits)? {
                Pointed::Commit(id) => Ok(At::Commit(id)),
                Pointed::Ref(name) => {
                    let refs = refs::read(&dir, self.digits, None)?;
                    let id = refs.get(&name).cloned().context("it has no commit")?;
                    Ok(At::Commit(id))
                }
            }
        };
        read().unwrap_or_else(|why| At::Unreadable(format!("{why:#}")))
    }

    /// Lists repositories that git did not add because they have no commit.
    async fn without_commit(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        nested::unadded(self.repo, self.place).await
    }

    /// Lists the folders of the index that are repositories.
    fn repositories(&self) -> anyhow::Result<Vec<String>> {
        let index = self.place.index.as_deref().context("no index")?;
        let mut folders = HashSet::new();
        index_file::entries(index, self.digits, |entry| {
            let mut name = entry.name;
            while let Some(slash) = memchr::memrchr(b'/', name) {
                name = &name[..slash];
                if !folders.insert(name.to_vec()) {
                    break;
                }
            }
        })?;
        let marked = |name: &Vec<u8>| self.kind(&[name, &b"/.git"[..]].concat()).is_some();
        Ok(folders.iter().filter(|name| marked(name)).map(|name| text(name)).collect())
    }

    /// Leaves out what `.gitmodules` declares: a new submodule is one on purpose.
    async fn undeclared(&self, mut new: Vec<Vec<u8>>) -> anyhow::Result<Vec<Vec<u8>>> {
        if new.is_empty() {
            return Ok(new);
        }
        let mut modules = None;
        let index = self.place.index.as_deref().context("no index")?;
        index_file::entries(index, self.digits, |entry| {
            if entry.name == b".gitmodules" {
                modules = Some(hex(entry.id));
            }
        })?;
        let Some(modules) = modules else { return Ok(new) };
        let git = self.repo.git_at(self.place, "config").args(["--blob", &modules, "-z"]);
        let listed = git.args(["--get-regexp", r"^submodule\..*\.path$"]).run().await?;
        let declared: BTreeSet<&[u8]> = fields(&listed.stdout)
            .filter_map(|record| record.splitn(2, |byte| *byte == b'\n').nth(1))
            .collect();
        new.retain(|name| !declared.contains(&**name));
        Ok(new)
    }
}

/// Where a submodule stands.
enum At {
    /// The folder is empty.
    Nothing,
    /// There are files and no repository.
    Files,
    /// At a commit.
    Commit(String),
    /// It cannot be told.
    Unreadable(String),
}

/// Returns an entry as `update-index -z --index-info` reads it.
pub(super) fn entry(mode: u32, id: &str, name: &[u8]) -> Vec<u8> {
    [format!("{mode:06o} {id}\t").as_bytes(), name, b"\0"].concat()
}
