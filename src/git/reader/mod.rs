//! The questions that are asked for every agent, and the two that answer them alike.
//!
//! libgit2 answers in the process; it cannot open partial clones, reftable and SHA-256 repositories,
//! so the program is its twin. Lists for people (branches, log, worktrees) are the program's alone.

mod library;
mod program;

use std::path::Path;

use anyhow::Context;

use super::repo::Repo;
use crate::error::{Error, Kind, Result, ResultExt};

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// libgit2, in this process.
    Library,
    /// The git program.
    Program,
}

/// What HEAD points to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The branch that is checked out, absent when HEAD is detached.
    pub branch: Option<String>,
    /// The commit, absent when the branch has none yet.
    pub commit: Option<String>,
}

/// A path that differs between two trees. A rename is two of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    /// The path from the top.
    pub path: Vec<u8>,
    /// Whether only the second tree has it.
    pub added: bool,
}

/// A ref and what it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its full name.
    pub name: Vec<u8>,
    /// The object it points to; empty for a symbolic ref.
    pub id: String,
    /// The ref it points to, if it is symbolic.
    pub symbolic: Option<Vec<u8>>,
}

impl Reader {
    /// Chooses who answers for the repository at `git_dir`.
    pub(super) async fn for_git_dir(git_dir: &Path) -> Self {
        let git_dir = git_dir.to_owned();
        let opens = move || git2::Repository::open(git_dir).is_ok_and(|r| library::serves(&r));
        match tokio::task::spawn_blocking(opens).await {
            Ok(true) => Self::Library,
            _ => Self::Program,
        }
    }
}

impl Repo {
    /// Returns what HEAD points to in the worktree that this was opened from.
    ///
    /// # Errors
    /// [`Kind::Git`] when the repository cannot be read.
    pub async fn head(&self) -> Result<Head> {
        self.head_of(self.git_dir()).await.or_kind(Kind::Git, || "cannot read HEAD")
    }

    /// Returns what HEAD points to in the worktree whose own git directory is `git_dir`.
    pub(super) async fn head_of(&self, git_dir: &Path) -> anyhow::Result<Head> {
        match self.reader() {
            Reader::Library => self.library(git_dir, library::head).await,
            Reader::Program => program::head(self, git_dir).await,
        }
    }

    /// Returns the id of the commit that `rev` names.
    ///
    /// # Errors
    /// [`Kind::Git`], naming the revision, when it names no commit.
    pub async fn resolve(&self, rev: &str) -> Result<String> {
        if let Some(snapshot) = self.resolve_turn(rev).await? {
            return Ok(snapshot);
        }
        if let Some(commit) = self.resolve_elsewhere(rev).await? {
            return Ok(commit);
        }
        let rev = &*self.really(rev);
        let named = rev.to_owned();
        if self.reader() == Reader::Library
            && let Ok(id) = self.library(self.git_dir(), move |r| library::resolve(r, &named)).await
        {
            return Ok(id);
        }
        match program::resolve(self, rev).await {
            Ok(id) => Ok(id),
            Err(_) if self.head().await?.commit.is_none() => Err(Error::new(
                Kind::Git,
                format!("the repository `{}` has no commit yet", self.top().display()),
            )
            .hint("git commit --allow-empty -m start")),
            Err(_) => {
                let error = Error::new(Kind::Git, format!("`{rev}` names no commit"));
                let digits = rev.strip_prefix("agent-").filter(|rest| !rest.is_empty());
                if digits.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit())) {
                    let hint = "name the agent's branch, its outcome, or a turn of it: ";
                    return Err(error.hint(format!("{hint}`{rev}@turn:1`")));
                }
                Err(error.hint("`git branch --all` and `git tag` list what there is"))
            }
        }
    }

    /// Returns the commit that a full ref name points to, if there is such a ref.
    pub(super) async fn tip(&self, full_name: &str) -> anyhow::Result<Option<String>> {
        if let Some(commit) = self.pretended(full_name) {
            return Ok(Some(commit));
        }
        let name = full_name.to_owned();
        match self.reader() {
            Reader::Library => {
                self.library(self.common_dir(), move |r| library::tip(r, &name)).await
            }
            Reader::Program => program::tip(self, full_name).await,
        }
    }

    /// Lists all refs, sorted by name.
    pub(super) async fn all_refs(&self) -> anyhow::Result<Vec<Listed>> {
        let mut refs = match self.reader() {
            Reader::Library => self.library(self.common_dir(), library::refs).await?,
            Reader::Program => program::refs(self).await?,
        };
        refs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(refs)
    }

    /// Returns the tree of a commit, by its full id.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such commit.
    pub async fn tree_of(&self, commit: &str) -> Result<String> {
        self.tree(commit).await.or_kind(Kind::Git, || format!("there is no commit `{commit}`"))
    }

    /// Returns the tree of a commit.
    pub(super) async fn tree(&self, commit: &str) -> anyhow::Result<String> {
        let id = commit.to_owned();
        match self.reader() {
            Reader::Library => {
                self.library(self.common_dir(), move |r| library::tree(r, &id)).await
            }
            Reader::Program => program::tree(self, commit).await,
        }
    }

    /// Returns what differs between two commits or trees, sorted by path.
    pub(super) async fn changes(&self, a: &str, b: &str) -> anyhow::Result<Vec<Change>> {
        let (from, to) = (a.to_owned(), b.to_owned());
        let mut changes = match self.reader() {
            Reader::Library => {
                self.library(self.common_dir(), move |r| library::changes(r, &from, &to)).await?
            }
            Reader::Program => program::changes(self, a, b).await?,
        };
        changes.sort();
        Ok(changes)
    }

    /// Tells whether `ancestor` is `commit` or one of its ancestors.
    pub(super) async fn is_ancestor(&self, ancestor: &str, commit: &str) -> anyhow::Result<bool> {
        if ancestor == commit {
            return Ok(true);
        }
        let (old, new) = (ancestor.to_owned(), commit.to_owned());
        match self.reader() {
            Reader::Library => {
                self.library(self.common_dir(), move |r| library::is_ancestor(r, &old, &new)).await
            }
            Reader::Program => program::is_ancestor(self, ancestor, commit).await,
        }
    }

    /// Returns a best common ancestor of two commits, if they have one.
    pub(super) async fn merge_base(&self, a: &str, b: &str) -> anyhow::Result<Option<String>> {
        let (one, two) = (a.to_owned(), b.to_owned());
        match self.reader() {
            Reader::Library => {
                self.library(self.common_dir(), move |r| library::merge_base(r, &one, &two)).await
            }
            Reader::Program => program::merge_base(self, a, b).await,
        }
    }

    pub(super) async fn library<T: Send + 'static>(
        &self,
        git_dir: &Path,
        ask: impl FnOnce(&git2::Repository) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let git_dir = git_dir.to_owned();
        let answer = tokio::task::spawn_blocking(move || {
            let repository = git2::Repository::open(&git_dir)
                .with_context(|| format!("cannot open `{}`", git_dir.display()))?;
            ask(&repository)
        });
        answer.await.context("a reader of the repository ended early")?
    }
}
