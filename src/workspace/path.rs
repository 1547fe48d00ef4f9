//! Paths inside a workspace.
//!
//! A [`WorkPath`] is relative, without `.` and `..`, and never names `.git`: what git keeps there
//! decides what the host's later git runs, so no tool touches it. Whether a symlink leads there, or
//! out, is for the workspace to see when it opens the path.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::Denied;

/// A path beneath the root of a workspace, or beneath a directory that was added to it; the empty
/// path is the root, or that directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkPath {
    /// The added directory.
    base: Option<Arc<Path>>,
    path: PathBuf,
}

impl WorkPath {
    /// Returns the root.
    pub fn root() -> Self {
        Self::default()
    }

    /// Makes a path of a relative one, which may contain `.` and `..` as long as it stays inside.
    ///
    /// # Errors
    /// [`Denied::Refused`] for paths that are absolute, climb out, or name `.git`.
    pub fn new(text: impl AsRef<Path>) -> Result<Self, Denied> {
        Self::of(None, text.as_ref())
    }

    /// Makes a path beneath an added directory, as [`WorkPath::new`] does beneath the root.
    ///
    /// # Errors
    /// [`Denied::Refused`] for the same paths.
    pub fn beneath(base: Arc<Path>, text: impl AsRef<Path>) -> Result<Self, Denied> {
        Self::of(Some(base), text.as_ref())
    }

    /// Makes a path beneath the directory that this one is beneath.
    ///
    /// # Errors
    /// [`Denied::Refused`] for the same paths.
    pub fn with(&self, text: impl AsRef<Path>) -> Result<Self, Denied> {
        Self::of(self.base.clone(), text.as_ref())
    }

    fn of(base: Option<Arc<Path>>, text: &Path) -> Result<Self, Denied> {
        let refuse = |rule: &str| Denied::Refused(format!("`{}` {rule}", text.display()));
        if text.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(refuse("contains a NUL byte"));
        }
        let mut path = PathBuf::new();
        for component in text.components() {
            match component {
                Component::CurDir => {}
                Component::Normal(name) if is_git(name) => {
                    return Err(refuse("is inside `.git`, which tools do not touch"));
                }
                Component::Normal(name) => path.push(name),
                Component::ParentDir if path.pop() => {}
                _ => return Err(refuse("leads out of the workspace")),
            }
        }
        Ok(Self { base, path })
    }

    /// Returns it from the root or the added directory, for the operating system.
    pub fn as_path(&self) -> &Path {
        &self.path
    }

    /// Returns the added directory that it is beneath.
    pub fn base(&self) -> Option<&Path> {
        self.base.as_deref()
    }

    /// Returns the whole path, in a workspace with this root.
    pub fn whole(&self, root: &Path) -> PathBuf {
        self.base().unwrap_or(root).join(&self.path)
    }

    /// Returns the root, or the added directory.
    #[must_use]
    pub fn top(&self) -> Self {
        Self { base: self.base.clone(), path: PathBuf::new() }
    }

    /// Reports whether it is the root.
    pub fn is_root(&self) -> bool {
        self.base.is_none() && self.path.as_os_str().is_empty()
    }

    /// Returns the directory it is in; the root has none.
    pub fn parent(&self) -> Option<Self> {
        let path = self.path.parent()?.to_owned();
        Some(Self { base: self.base.clone(), path })
    }

    /// Returns its last name; the root has none.
    pub fn file_name(&self) -> Option<&OsStr> {
        self.path.file_name()
    }
}

impl fmt::Display for WorkPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.base {
            // Those who read it know the root, and not every directory beside it.
            Some(base) if self.path.as_os_str().is_empty() => base.display().fmt(f),
            Some(base) => base.join(&self.path).display().fmt(f),
            None if self.is_root() => f.write_str("."),
            None => self.path.display().fmt(f),
        }
    }
}

/// Reports whether a name is git's own on some file system: case does not count on all of them.
pub(super) fn is_git(name: &OsStr) -> bool {
    name.eq_ignore_ascii_case(".git")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn normalises() {
        for (text, path) in [("a/./b//c/", "a/b/c"), ("a/../b", "b"), ("", "."), ("a/..", ".")] {
            assert_eq!(WorkPath::new(text).unwrap().to_string(), path, "{text}");
        }
        for fine in [".gitignore", ".github/x", "a.git/x", ".gitmodules"] {
            assert!(WorkPath::new(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn refuses_with_the_path_and_the_rule() {
        for (text, rule) in [
            ("../x", "leads out"),
            ("a/../../x", "leads out"),
            ("/etc/passwd", "leads out"),
            (".git", "`.git`"),
            ("sub/.GIT/config", "`.git`"),
            (".git/../a", "`.git`"),
            ("a\0b", "NUL"),
        ] {
            let Err(Denied::Refused(why)) = WorkPath::new(text) else { panic!("{text}") };
            assert!(why.contains(rule) && why.contains(text), "{why}");
        }
    }
}
