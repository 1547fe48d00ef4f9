//! Paths against rules: `Read(//abs/**)`, `Edit(~/x)`, `Edit(/from-the-workspace)`, `Read(./x)`,
//! `Edit(src/**)`, in the syntax of `.gitignore`.
//!
//! A path is judged as it is written and as it is on disk: a refusal holds if it holds for either, an
//! allowance only if it holds for both, so a symbolic link leads round no rule.

use std::path::{Component, Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// What stands in the parentheses of a rule about files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathRule {
    base: Base,
    pattern: String,
}

/// What a pattern is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Root,
    Home,
    Workspace,
}

impl PathRule {
    /// Reads what stands in the parentheses.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (base, pattern) = if let Some(rest) = text.strip_prefix("//") {
            (Base::Root, format!("/{rest}"))
        } else if let Some(rest) = text.strip_prefix("~/") {
            (Base::Home, format!("/{rest}"))
        } else if let Some(rest) = text.strip_prefix("./") {
            (Base::Workspace, format!("/{rest}"))
        } else {
            (Base::Workspace, text.to_owned())
        };
        if pattern.trim_matches('/').is_empty() {
            return Err("names no path".to_owned());
        }
        if pattern.starts_with('!') || pattern.starts_with('#') {
            return Err(format!("begins with `{}`: write `\\` before it", &pattern[..1]));
        }
        if pattern.split('/').any(|part| part == "..") {
            return Err("has `..` in it".to_owned());
        }
        let rule = Self { base, pattern };
        rule.matcher(Path::new("/")).map_err(|why| format!("is no pattern: {why}"))?;
        Ok(rule)
    }

    /// Returns it as people read it.
    pub(super) fn shown(&self) -> String {
        match self.base {
            Base::Root => format!("`/{}`", self.pattern),
            Base::Home => format!("`~{}`", self.pattern),
            Base::Workspace => format!("`{}`", self.pattern),
        }
    }

    /// Reports whether it covers a path, which is absolute and without `..`.
    fn covers(&self, path: &Path, root: &Path) -> bool {
        let base = match self.base {
            Base::Root => PathBuf::from("/"),
            Base::Workspace => root.to_owned(),
            Base::Home => match home() {
                Some(home) => home,
                None => return false,
            },
        };
        path.starts_with(&base)
            && self.matcher(&base).is_ok_and(|matcher| {
                let is_dir = path.is_dir();
                matcher.matched_path_or_any_parents(path, is_dir).is_ignore()
            })
    }

    fn matcher(&self, base: &Path) -> Result<Gitignore, ignore::Error> {
        let mut builder = GitignoreBuilder::new(base);
        builder.add_line(None, &self.pattern)?;
        builder.build()
    }
}

/// A path that a call names: as it is written, and as it is on disk.
pub(super) struct Place {
    written: PathBuf,
    real: PathBuf,
    root: PathBuf,
    real_root: PathBuf,
}

impl Place {
    /// Finds out about a path, relative to `dir` in the workspace at `root`.
    pub(super) fn new(path: &str, dir: &Path, root: &Path) -> Self {
        let path = match (path, path.strip_prefix("~/"), home()) {
            ("~", _, Some(home)) => home,
            (_, Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        };
        let written = plain(&dir.join(path));
        Self { real: on_disk(&written), written, root: root.to_owned(), real_root: on_disk(root) }
    }

    /// Reports whether there is something.
    pub(super) fn exists(&self) -> bool {
        self.written.symlink_metadata().is_ok()
    }

    /// Reports whether it lies in the workspace.
    pub(super) fn is_inside(&self) -> bool {
        self.written.starts_with(&self.root) && self.real.starts_with(&self.real_root)
    }

    /// Reports whether a rule covers it, by any of its names.
    pub(super) fn could_be(&self, rule: &PathRule) -> bool {
        rule.covers(&self.written, &self.root)
            || rule.covers(&self.real, &self.real_root)
            || rule.covers(&self.real, &self.root)
    }

    /// Reports whether one of the rules covers it, by all of its names.
    pub(super) fn is_under<'a>(
        &self,
        mut rules: impl Iterator<Item = &'a PathRule> + Clone,
    ) -> bool {
        let mut again = rules.clone();
        rules.any(|rule| rule.covers(&self.written, &self.root))
            && again.any(|rule| rule.covers(&self.real, &self.real_root))
    }
}

fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

/// Takes `.` and `..` out of a path, without looking at the disk.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// Returns where a path leads: what exists of it resolved, and the rest as it is.
fn on_disk(path: &Path) -> PathBuf {
    for existing in path.ancestors() {
        if let Ok(real) = existing.canonicalize() {
            let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
            // Joined with nothing it would end in a slash.
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}
