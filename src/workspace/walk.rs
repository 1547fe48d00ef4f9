//! Which files of a tree version control would not ignore.
//!
//! Directories and ignore files are opened through the root's handle like everything else, so a
//! `.gitignore` that is a FIFO, a device or a symlink out does no harm. What is outside the root
//! (parents' ignore files, the user's global one, `.git/info/exclude`) does not count. Symlinks are
//! not listed: what they name inside the tree is listed under its own name.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::OFlags;

use super::tree::name_of;
use super::{WorkPath, path};

/// The most bytes of an ignore file that are read.
const IGNORE_FILE_MAX: u64 = 1024 * 1024;

/// The rules that hold in a directory: its own, then those of the directories above it.
#[derive(Default)]
struct Rules {
    own: Option<Gitignore>,
    above: Option<Arc<Rules>>,
}

impl Rules {
    /// Returns the rules inside `dir`, which is beneath the directory where `self` holds.
    fn inside(self: &Arc<Self>, root: &Dir, dir: &Path) -> Arc<Self> {
        match ignore_file(root, dir) {
            Some(own) => Arc::new(Self { own: Some(own), above: Some(Arc::clone(self)) }),
            None => Arc::clone(self),
        }
    }

    /// Reports whether `path` is ignored: the nearest rule that says something decides.
    fn ignore(&self, path: &Path, is_dir: bool) -> bool {
        let own = self.own.as_ref().map_or(Match::None, |own| own.matched(path, is_dir));
        match own {
            Match::Ignore(_) => true,
            Match::Whitelist(_) => false,
            Match::None => self.above.as_ref().is_some_and(|above| above.ignore(path, is_dir)),
        }
    }
}

/// Lists the files beneath the directory `base` until `visit` returns `false`.
///
/// What cannot be read is passed over, as a file that vanishes meanwhile is. A `base` that is itself
/// ignored was named on purpose: then only rules beneath it count.
pub(super) fn walk(root: &Dir, base: &WorkPath, visit: &mut dyn FnMut(WorkPath) -> bool) {
    let mut pending = vec![(base.as_path().to_owned(), rules_above(root, base.as_path()))];
    while let Some((dir, rules)) = pending.pop() {
        let rules = rules.inside(root, &dir);
        let Ok(entries) = root.read_dir(name_of(&dir)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Ok(kind) = entry.file_type() else { continue };
            let path = dir.join(&name);
            if path::is_git(&name) || rules.ignore(&path, kind.is_dir()) {
                continue;
            }
            if kind.is_dir() {
                pending.push((path, Arc::clone(&rules)));
            } else if kind.is_file() && !base.with(&path).is_ok_and(&mut *visit) {
                return;
            }
        }
    }
}

/// Returns the rules of the directories from the root down to, and without, `base`.
fn rules_above(root: &Dir, base: &Path) -> Arc<Rules> {
    let mut rules = Arc::<Rules>::default();
    let mut dir = PathBuf::new();
    for name in base {
        rules = rules.inside(root, &dir);
        dir.push(name);
        if rules.ignore(&dir, true) {
            return Arc::default();
        }
    }
    rules
}

/// Reads the ignore file of `dir`, if it is a regular file.
fn ignore_file(root: &Dir, dir: &Path) -> Option<Gitignore> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = root.open_with(dir.join(".gitignore"), &options).ok()?;
    file.metadata().ok().filter(cap_std::fs::Metadata::is_file)?;
    let mut bytes = Vec::new();
    file.take(IGNORE_FILE_MAX).read_to_end(&mut bytes).ok()?;
    let mut builder = GitignoreBuilder::new(dir);
    for line in String::from_utf8_lossy(&bytes).trim_start_matches('\u{FEFF}').lines() {
        // Git passes over a line that is no pattern, too.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok()
}
