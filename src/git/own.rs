//! Commits of agentlua's own, each put on one of its refs as it is made: no child for each turn of each
//! agent.
//!
//! They are nobody else's, so libgit2 may write them, where it serves the repository; a repository that
//! several users share is the program's, which gives what it writes the rights that were asked for.

use anyhow::bail;
use git2::{ErrorCode, Oid, Repository, Signature};

use super::reader::Reader;
use super::repo::{NOBODY, Repo};

/// A commit to make.
#[derive(Clone, Debug)]
pub(super) struct OwnCommit {
    /// Its tree.
    pub tree: String,
    /// Its parent.
    pub parent: String,
    /// Its message.
    pub message: String,
    /// The full name of the ref that is put on it.
    pub name: String,
    /// What the ref points to until then; absent if there is none.
    pub old: Option<String>,
    /// What the ref's log says, if it has one.
    pub reason: &'static str,
}

impl OwnCommit {
    /// Writes it and moves the ref, by compare-and-swap. Returns its id.
    pub async fn write(self, repo: &Repo) -> anyhow::Result<String> {
        if !self.name.starts_with("refs/agentlua/") {
            bail!("`{}` is not a ref of agentlua's", self.name);
        }
        if repo.reader() == Reader::Library {
            let own = self.clone();
            if let Some(id) = repo.library(repo.common_dir(), move |r| own.in_process(r)).await? {
                return Ok(id);
            }
        }
        let mut git = repo.git("commit-tree").args(["-F", "-", "-p", &self.parent, &self.tree]);
        for role in ["AUTHOR", "COMMITTER"] {
            git = git.env(&format!("GIT_{role}_NAME"), NOBODY.0);
            git = git.env(&format!("GIT_{role}_EMAIL"), NOBODY.1);
        }
        let id = git.stdin(self.message.into_bytes()).line().await?;
        repo.move_ref(&self.name, &id, self.old.as_deref(), self.reason).await?;
        Ok(id)
    }

    /// Does it in this process; nothing in a shared repository.
    fn in_process(self, repository: &Repository) -> anyhow::Result<Option<String>> {
        match repository.config()?.get_entry("core.sharedRepository") {
            Err(error) if error.code() == ErrorCode::NotFound => {}
            _ => return Ok(None),
        }
        let tree = repository.find_tree(Oid::from_str(&self.tree)?)?;
        let parent = repository.find_commit(Oid::from_str(&self.parent)?)?;
        let who = Signature::now(NOBODY.0, NOBODY.1)?;
        let id = repository.commit(None, &who, &who, &self.message, &tree, &[&parent])?;
        match &self.old {
            None => repository.reference(&self.name, id, false, self.reason)?,
            Some(old) => {
                let old = Oid::from_str(old)?;
                repository.reference_matching(&self.name, id, true, old, self.reason)?
            }
        };
        Ok(Some(id.to_string()))
    }
}
