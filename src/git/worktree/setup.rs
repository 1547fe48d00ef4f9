//! Whether a worktree was set up: a mark beside the repository, which the agent's files do not hold.

use std::path::PathBuf;

use anyhow::Context;

use super::Worktree;
use crate::error::{Kind, Result, ResultExt};

impl Worktree {
    /// Tells whether `command` was the last to set this worktree up, and went well.
    pub fn was_set_up_by(&self, command: &str) -> bool {
        std::fs::read_to_string(self.setup_mark()).is_ok_and(|mark| mark == hash(command))
    }

    /// Notes that `command` has set the worktree up.
    ///
    /// # Errors
    /// [`Kind::Io`] when that cannot be written.
    pub fn note_setup(&self, command: &str) -> Result<()> {
        let mark = self.setup_mark();
        let parent = mark.parent().unwrap_or(&mark);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&mark, hash(command)))
            .with_context(|| format!("cannot write `{}`", mark.display()))
            .or_kind(Kind::Io, || "cannot note that the worktree is set up")
    }

    /// Removes the mark of an earlier worktree of this name.
    pub(super) fn forget_setup(&self) {
        let _ = std::fs::remove_file(self.setup_mark());
    }

    fn setup_mark(&self) -> PathBuf {
        // By the folder: who works there changes, what was set up does not.
        let name = self.path.file_name().unwrap_or(self.id.as_ref());
        self.repo.state_dir().join("setup").join(name)
    }
}

/// Returns a name for a command's text.
fn hash(command: &str) -> String {
    git2::Oid::hash_object(git2::ObjectType::Blob, command.as_bytes())
        .map_or_else(|_| command.to_owned(), |id| id.to_string())
}
