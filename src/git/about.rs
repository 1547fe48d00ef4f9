//! What can be said of git and of a repository to someone who wonders whether agents can work with them.

use std::path::Path;

use super::command::{Environment, Program, text};
use super::repo::{Repo, require_version};
use crate::error::{Kind, Result, ResultExt};

/// What is peculiar about a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Words such as `bare`, `shallow`, `sparse checkout`, `sha256`.
    pub traits: Vec<&'static str>,
    /// Who commits, as `Ada <ada@example.com>`; nothing when git has not been told.
    pub author: Option<String>,
}

/// Returns the version of the git program, if it is one that can be used.
///
/// # Errors
/// [`Kind::Git`] when there is none, or it is too old.
pub async fn version(dir: &Path) -> Result<String> {
    let program = Program::new(Environment::inherited());
    let line = program.discovering(dir, "version").line().await;
    let line = line.or_kind(Kind::Git, || "git does not run here")?;
    require_version(&line)?;
    Ok(line.trim_start_matches("git version ").to_owned())
}

/// Tells whether the user may write in a folder, or in the one where it would be made.
pub fn may_write(folder: &Path) -> bool {
    let there = folder.ancestors().find(|above| above.exists());
    there.is_some_and(|there| {
        there.is_dir() && rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_ok()
    })
}

impl Repo {
    /// Tells what is peculiar about the repository, as git's own configuration has it.
    ///
    /// # Errors
    /// [`Kind::Git`] when that cannot be read.
    pub async fn about(&self) -> Result<About> {
        let trouble = || "cannot read the repository's configuration";
        let listed = self.git("config").args(["--list", "-z"]).bytes().await;
        let listed = listed.or_kind(Kind::Git, trouble)?;
        let mut traits = Vec::new();
        let mut add = |is_so: bool, word| {
            if is_so {
                traits.push(word);
            }
        };
        let settings = Settings::read(&listed);
        add(self.is_bare(), "bare");
        add(self.git_dir() != self.common_dir(), "linked worktree");
        add(self.is_shallow(), "shallow");
        add(settings.last("core.sparsecheckout") == Some("true"), "sparse checkout");
        add(settings.last("extensions.partialclone").is_some(), "partial clone");
        add(settings.last("extensions.objectformat") == Some("sha256"), "sha256");
        add(settings.last("extensions.refstorage") == Some("reftable"), "reftable");
        add(settings.last("core.fsmonitor").is_some_and(|value| value != "false"), "fsmonitor");
        add(self.top().join(".gitmodules").is_file(), "submodules");
        let author = settings.last("user.name").zip(settings.last("user.email"));
        let author = author.map(|(name, email)| format!("{name} <{email}>"));
        Ok(About { traits, author })
    }
}

/// Git's settings, each as often as it is given.
struct Settings(Vec<(String, String)>);

impl Settings {
    fn read(listed: &[u8]) -> Self {
        let one = |entry: &[u8]| {
            let entry = text(entry);
            // A name alone is true.
            let (name, value) = entry.split_once('\n').unwrap_or((&entry, "true"));
            (name.to_owned(), value.to_owned())
        };
        let entries = listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        Self(entries.map(one).collect())
    }

    /// Returns the value that stands.
    fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}
