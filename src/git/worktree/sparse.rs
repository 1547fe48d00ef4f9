//! Sparse worktrees: which directories are checked out.
//!
//! `git sparse-checkout set` in a linked worktree turns on `extensions.worktreeConfig` for the whole
//! repository. Here the patterns are written where git looks for those of one worktree, and the one
//! checkout is told of them by its command line: what it leaves out is marked in the index, and git
//! honours the marks without any setting. So the repository's configuration stays as it is, and
//! `git status` in the worktree is clean.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Component, Path};

use anyhow::Context;

use crate::error::{Error, Result};

/// The directories that a sparse worktree has, with all below them. Files in the directories above
/// them, the top included, are there too: it is a cone of `git sparse-checkout`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cone(BTreeSet<String>);

impl Cone {
    /// Reads directories as a script names them, from the top of the repository.
    ///
    /// # Errors
    /// Usage, naming what is no directory of a repository.
    pub fn parse(directories: &[String]) -> Result<Self> {
        let mut cone = BTreeSet::new();
        for directory in directories {
            let refuse =
                |why: &str| Error::usage(format!("`{directory}` of a sparse worktree {why}"));
            if directory.contains(['*', '?', '\n']) || directory.starts_with('!') {
                return Err(refuse("is a pattern: name directories"));
            }
            let mut parts = Vec::new();
            for part in Path::new(directory).components() {
                match part {
                    Component::CurDir => {}
                    Component::Normal(part) => parts.push(part.to_string_lossy()),
                    _ => return Err(refuse("is no directory from the top of the repository")),
                }
            }
            if parts.is_empty() {
                return Err(refuse("is no directory below the top"));
            }
            cone.insert(parts.join("/"));
        }
        let within = |inner: &str, outer: &String| {
            inner.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let outermost = cone.iter().filter(|inner| !cone.iter().any(|outer| within(inner, outer)));
        Ok(Self(outermost.cloned().collect()))
    }

    /// Tells whether a path from the top is checked out.
    pub(in crate::git) fn holds(&self, path: &str) -> bool {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let below = |outer: &str, inner: &str| {
            outer.is_empty()
                || inner == outer
                || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
        };
        parent.is_empty() || self.0.iter().any(|dir| below(dir, parent) || below(parent, dir))
    }

    /// Returns the patterns, as git writes them for a cone.
    fn patterns(&self) -> String {
        let mut text = "/*\n!/*/\n".to_owned();
        let mut parents = BTreeSet::new();
        for directory in &self.0 {
            let slashes = directory.match_indices('/').map(|(at, _)| &directory[..at]);
            parents.extend(slashes);
        }
        // Writing to a string cannot fail.
        for parent in parents {
            let parent = escaped(parent);
            let _ = write!(text, "/{parent}/\n!/{parent}/*/\n");
        }
        for directory in &self.0 {
            let _ = writeln!(text, "/{}/", escaped(directory));
        }
        text
    }

    /// Writes the patterns where git looks for those of the worktree of this git directory.
    pub(super) fn write(&self, admin: &Path) -> anyhow::Result<()> {
        let info = admin.join("info");
        std::fs::create_dir_all(&info)
            .and_then(|()| std::fs::write(info.join("sparse-checkout"), self.patterns()))
            .with_context(|| format!("cannot write the sparse patterns in `{}`", info.display()))
    }
}

fn escaped(directory: &str) -> String {
    directory.replace('\\', "\\\\").replace('[', "\\[")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn cone(directories: &[&str]) -> Result<Cone> {
        Cone::parse(&directories.iter().map(|dir| (*dir).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn patterns_are_those_of_a_cone() {
        let cone = cone(&["src/auth/", "./docs", "src/auth/deep", "app/[id]"]).unwrap();
        assert_eq!(
            cone.patterns(),
            "/*\n!/*/\n/app/\n!/app/*/\n/src/\n!/src/*/\n/app/\\[id]/\n/docs/\n/src/auth/\n"
        );
        for (path, holds) in [
            ("top", true),
            ("src/file", true),
            ("src/auth/a/b", true),
            ("src/authors/a", false),
            ("docs/a", true),
            ("other/a", false),
        ] {
            assert_eq!(cone.holds(path), holds, "{path}");
        }
    }

    #[test]
    fn only_directories_are_taken() {
        for directory in ["src/*", "!src", "../x", "/x", ".", ""] {
            assert!(cone(&[directory]).is_err(), "{directory}");
        }
        assert!(cone(&[]).unwrap().holds("top"));
        assert!(!cone(&[]).unwrap().holds("src/a"));
    }
}
