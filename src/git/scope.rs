//! What an agent may write: paths of its worktree, as the script named them.
//!
//! A path stands for a file, or for a directory and all below it; with a final slash for the
//! directory alone. With `*`, `?`, `[…]` or `{…}` it is a glob over the whole path, in which `*` does
//! not cross a slash and `**` does; what a glob names is covered with all below it. Paths are those
//! from the worktree's top, and no path at all stands for nothing.
//!
//! The tools ask before they write. What commands write elsewhere is found at the end: [`within`]
//! gives those paths the entries that the base has.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::command::{LONG, Place, fields};
use super::repo::Repo;
use super::worktree::Worktree;
use crate::error::{Error, Result};

/// The paths that may be written.
#[derive(Clone, Debug)]
pub struct Scope {
    written: Vec<String>,
    globs: GlobSet,
}

impl Scope {
    /// Reads paths and globs as a script writes them.
    ///
    /// # Errors
    /// Usage, naming the path that leads out, is absolute, or is no glob.
    pub fn parse(paths: &[String]) -> Result<Self> {
        let mut globs = GlobSetBuilder::new();
        for path in paths {
            let refuse = |why: &str| Error::usage(format!("the path `{path}` of a scope {why}"));
            if path.starts_with('!') {
                return Err(refuse("is an exception: a scope lists what may be written"));
            }
            let mut parts = Vec::new();
            for part in Path::new(path).components() {
                match part {
                    Component::CurDir => {}
                    Component::Normal(part) => parts.push(part.to_string_lossy()),
                    Component::ParentDir => return Err(refuse("leads out of the worktree")),
                    _ => return Err(refuse("must be relative to the worktree's top")),
                }
            }
            if path.is_empty() {
                return Err(refuse("is empty"));
            }
            let stem = parts.join("/");
            let mut add = |glob: &str| match GlobBuilder::new(glob).literal_separator(true).build()
            {
                Ok(glob) => {
                    globs.add(glob);
                    Ok(())
                }
                Err(fault) => Err(refuse(&format!("is no glob: {}", fault.kind()))),
            };
            match stem.as_str() {
                "" => add("**")?,
                stem => {
                    if !path.ends_with('/') {
                        add(stem)?;
                    }
                    add(&format!("{stem}/**"))?;
                }
            }
        }
        let globs = globs.build().map_err(|fault| Error::usage(fault.to_string()))?;
        Ok(Self { written: paths.to_vec(), globs })
    }

    /// Tells whether a path from the worktree's top may be written.
    pub fn allows(&self, path: &Path) -> bool {
        self.globs.is_match(path)
    }

    /// Returns the paths as they were written.
    pub fn written(&self) -> &[String] {
        &self.written
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.written.is_empty() {
            return f.write_str("nothing");
        }
        let named: Vec<_> = self.written.iter().map(|path| format!("`{path}`")).collect();
        f.write_str(&named.join(", "))
    }
}

/// A tree in which only paths of a scope differ from the base.
pub(super) struct Within {
    /// The tree.
    pub tree: String,
    /// The paths that were taken out, sorted.
    pub outside: Vec<Vec<u8>>,
}

/// Reduces the tree of a worktree's files to its scope: what may be committed.
/// Nothing, where there is none.
pub(super) async fn within(worktree: &Worktree, tree: &str) -> anyhow::Result<Option<Within>> {
    let Some(scope) = worktree.scope() else { return Ok(None) };
    let mut place = worktree.private();
    let index = worktree.index().with_file_name(format!("{}.scope", worktree.id()));
    place.index = Some(index.clone());
    let within = reduced(worktree.repo(), &place, scope, worktree.base_commit(), tree).await;
    let _ = std::fs::remove_file(index);
    within.map(Some)
}

/// Gives the paths of `tree` that lie outside `scope` the entries that `base` has. `place` names the
/// repository; its index is replaced, and must be nobody's.
async fn reduced(
    repo: &Repo,
    place: &Place,
    scope: &Scope,
    base: &str,
    tree: &str,
) -> anyhow::Result<Within> {
    let changes = repo.changes(base, tree).await?;
    let outside: Vec<Vec<u8>> = changes
        .into_iter()
        .map(|change| change.path)
        .filter(|path| !scope.allows(Path::new(OsStr::from_bytes(path))))
        .collect();
    if outside.is_empty() {
        return Ok(Within { tree: tree.to_owned(), outside });
    }
    let listed = repo.git_at(place, "ls-tree").args(["-r", "-z", "--full-tree", base]);
    let listed = listed.limit(LONG).bytes().await?;
    let entries: BTreeMap<&[u8], &[u8]> = fields(&listed)
        .filter_map(|entry| Some((entry.splitn(2, |byte| *byte == b'\t').nth(1)?, entry)))
        .collect();
    // Removals come first: a folder may stand where the base has a file.
    let (mut gone, mut back) = (Vec::new(), Vec::new());
    let nothing = "0".repeat(tree.len());
    for path in &outside {
        gone.extend_from_slice(format!("0 {nothing}\t").as_bytes());
        gone.extend_from_slice(path);
        gone.push(0);
        if let Some(entry) = entries.get(path.as_slice()) {
            back.extend_from_slice(entry);
            back.push(0);
        }
    }
    gone.append(&mut back);
    repo.git_at(place, "read-tree").arg(tree).bytes().await?;
    let update = repo.git_at(place, "update-index").args(["--replace", "-z", "--index-info"]);
    update.stdin(gone).bytes().await?;
    let tree = repo.git_at(place, "write-tree").line().await?;
    Ok(Within { tree, outside })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn scope(paths: &[&str]) -> Result<Scope> {
        Scope::parse(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn paths_directories_and_globs() {
        for (paths, inside, outside) in [
            (
                &["src/auth/"][..],
                &["src/auth/a", "src/auth/b/c"][..],
                &["src/auth", "src/a", "x"][..],
            ),
            (&["src/auth"], &["src/auth", "src/auth/b"], &["src/authors", "other/src/auth"]),
            (&["./docs//"], &["docs/a"], &["doc"]),
            (&["src/*.rs"], &["src/a.rs"], &["src/b/a.rs", "a.rs"]),
            (&["**/*.md", "x"], &["a.md", "b/c.md", "x"], &["a.mdx"]),
            (&["packages/*/test"], &["packages/a/test/b"], &["packages/a/b/test"]),
            (&["."], &["a", "b/c"], &[]),
            (&[], &[], &["a"]),
        ] {
            let scope = scope(paths).unwrap();
            for path in inside {
                assert!(scope.allows(Path::new(path)), "{paths:?} {path}");
            }
            for path in outside {
                assert!(!scope.allows(Path::new(path)), "{paths:?} {path}");
            }
        }
    }

    #[test]
    fn what_is_no_path_of_a_worktree_is_refused() {
        for (path, why) in [
            ("../x", "leads out"),
            ("/etc", "relative"),
            ("!a", "exception"),
            ("", "is empty"),
            ("a[", "no glob"),
        ] {
            let error = scope(&[path]).unwrap_err();
            assert!(error.message.contains(why), "{path}: {}", error.message);
        }
    }
}
