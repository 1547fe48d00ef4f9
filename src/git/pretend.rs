//! Branches that are not there and are answered for as if they were: those of agents that are planned
//! and not asked. They live in a handle and never on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::branch::Branch;
use super::command::{LONG, fields, text};
use super::repo::Repo;
use super::scope::Scope;
use crate::error::{Kind, Result, ResultExt};

/// Names and the commits that they stand for.
#[derive(Debug, Default)]
pub(super) struct Pretended {
    names: Mutex<BTreeMap<String, String>>,
    /// Branches that are taken to be there no more.
    gone: Mutex<BTreeSet<String>>,
}

impl Repo {
    /// Answers from now on as if there was a branch, or an agent with that id whose turns left nothing.
    pub fn pretend(&self, name: &str, commit: &str) {
        self.names().insert(name.to_owned(), commit.to_owned());
    }

    /// Lets a branch that is there be taken for gone: its name is free.
    pub fn pretend_gone(&self, branch: &str) {
        self.gone().insert(branch.to_owned());
    }

    /// Reports whether a branch is taken for gone, and no other stands in its place.
    pub(super) fn is_pretended_gone(&self, branch: &str) -> bool {
        self.gone().contains(branch) && self.pretended(branch).is_none()
    }

    /// Returns the first path of a commit that a scope allows.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such commit.
    pub async fn first_path(&self, commit: &str, scope: Option<&Scope>) -> Result<Option<String>> {
        let git = self.git("ls-tree").args(["-r", "-z", "--name-only", "--full-tree", commit]);
        let bytes = git.limit(LONG).bytes().await;
        let bytes =
            bytes.or_kind(Kind::Git, || format!("cannot look at the files of `{commit}`"))?;
        let allowed = |path: &String| scope.is_none_or(|scope| scope.allows(Path::new(path)));
        Ok(fields(&bytes).map(text).filter(|path| !path.is_empty()).find(allowed))
    }

    /// Reports whether a commit has all that a revision has.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such revision.
    pub async fn holds(self: &Arc<Self>, commit: &str, rev: &str) -> Result<bool> {
        let other = self.resolve_base(rev).await?;
        let held = self.is_ancestor(&other, commit).await;
        held.or_kind(Kind::Git, || format!("cannot compare `{rev}` with `{commit}`"))
    }

    /// Returns the commit of a branch or an agent that is not there, if it was told of.
    pub fn pretended(&self, name: &str) -> Option<String> {
        let name = name.strip_prefix("refs/heads/").unwrap_or(name);
        self.names().get(name).cloned()
    }

    /// Returns a revision with such a name in it replaced by its commit.
    pub(super) fn really(&self, rev: &str) -> String {
        if self.names().is_empty() {
            return rev.to_owned();
        }
        if let Some((from, to)) = rev.split_once("..") {
            let dots = if to.starts_with('.') { "..." } else { ".." };
            return format!(
                "{}{dots}{}",
                self.really(from),
                self.really(to.trim_start_matches('.'))
            );
        }
        let end = rev.find(['~', '^', ':', '@']).unwrap_or(rev.len());
        match self.pretended(&rev[..end]) {
            Some(commit) => format!("{commit}{}", &rev[end..]),
            None => rev.to_owned(),
        }
    }

    /// Lists such branches.
    pub(super) fn pretended_branches(&self) -> Vec<Branch> {
        let branch = |(name, commit): (&String, &String)| Branch {
            name: name.clone(),
            commit: commit.clone(),
            current: false,
            worktree: None,
            upstream: None,
        };
        let names = self.names();
        names.iter().filter(|(name, _)| !is_id(name)).map(branch).collect()
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.pretended.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.pretended.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whether a name is an agent's id, or a commit's.
fn is_id(name: &str) -> bool {
    let digits = name.strip_prefix("agent-").unwrap_or(if name.len() >= 40 { name } else { "" });
    digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
