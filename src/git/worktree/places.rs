//! Where the parts of a worktree are: what git keeps about it, what its agent has, what only the host
//! touches.

use std::path::{Path, PathBuf};

use super::{Worktree, namespace};
use crate::git::command::Place;
use crate::git::private;

impl Worktree {
    /// Returns the place of snapshots: the shared git directory, which the agent's own files do not
    /// redirect, with the private index.
    pub(in crate::git) fn private(&self) -> Place {
        let common_dir = self.repo.common_dir();
        let mut place = self.repo.place(common_dir.to_owned(), Some(self.path.clone()));
        place.index = Some(self.index());
        place
    }

    /// Returns the place that git in the worktree itself sees.
    pub(in crate::git) fn own(&self) -> Place {
        self.repo.place(self.admin.clone(), Some(self.path.clone()))
    }

    /// Returns where git keeps what it knows about this worktree.
    pub(in crate::git) fn admin(&self) -> &Path {
        &self.admin
    }

    /// Returns the private index.
    pub(in crate::git) fn index(&self) -> PathBuf {
        self.repo.state_dir().join("index").join(&self.id)
    }

    /// Returns what refs for its work start with, without the last slash.
    pub(in crate::git) fn namespace(&self) -> String {
        namespace(&self.run, &self.id)
    }

    /// Returns the ref that holds the base while an agent works.
    pub(in crate::git) fn base_ref(&self) -> String {
        format!("{}/base", self.namespace())
    }

    /// Returns the git directory of the agent that works here, beside the folder. It need not exist.
    pub(in crate::git) fn private_dir(&self) -> PathBuf {
        self.path.with_added_extension("git")
    }

    /// Returns the file that is to stand for the user's own configuration in the commands of the agent
    /// that works here: what it reads there is the user's, what it writes there is gone with it.
    pub fn global_config(&self) -> Option<PathBuf> {
        self.is_entered().then(|| self.private_dir().join(private::GLOBAL))
    }

    /// Returns where that directory is while it is made.
    pub(in crate::git) fn unfinished_dir(&self) -> PathBuf {
        self.path.with_added_extension("making")
    }

    /// Returns where it is once all of it was taken in, until it is removed.
    pub(in crate::git) fn emptied_dir(&self) -> PathBuf {
        self.path.with_added_extension("taken")
    }

    /// Returns the folder that says that an agent is in the worktree, and what its repository started with.
    pub(in crate::git) fn mark(&self) -> PathBuf {
        // By the folder: who works there changes.
        let name = self.path.file_name().unwrap_or(self.id.as_ref());
        self.repo.state_dir().join("entered").join(name)
    }

    /// Tells whether an agent is in the worktree, or was and has not been taken out.
    pub(in crate::git) fn is_entered(&self) -> bool {
        self.mark().is_dir()
    }
}
