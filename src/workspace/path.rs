//! Paths inside a workspace.
//!
//! A [`WorkPath`] is relative, without `.` and `..`, and never names `.git`: what git keeps there
//! decides what the host's later git runs, so no tool touches it. Whether a symlink leads there, or
//! out, is for the workspace to see when it opens the path.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use super::Denied;

/// A path beneath the root of a workspace; the empty path is the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkPath(PathBuf);

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
        let text = text.as_ref();
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
        Ok(Self(path))
    }

    /// Returns it for the operating system; empty for the root.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// Reports whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.as_os_str().is_empty()
    }

    /// Returns the directory it is in; the root has none.
    pub fn parent(&self) -> Option<Self> {
        self.0.parent().map(|parent| Self(parent.to_owned()))
    }

    /// Returns its last name; the root has none.
    pub fn file_name(&self) -> Option<&OsStr> {
        self.0.file_name()
    }
}

impl fmt::Display for WorkPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_str(".") } else { self.0.display().fmt(f) }
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
