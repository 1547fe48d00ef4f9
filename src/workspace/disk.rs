//! A workspace on disk: a directory handle, through which everything is opened, and one for each
//! directory that was added.
//!
//! Confinement is the kernel's (`openat2` with `RESOLVE_BENEATH`, or cap-std's walk where there is
//! none): no path is checked first and opened later. Files are replaced by a rename inside an open
//! directory, so a symlink or a hard link that appears meanwhile is replaced and never followed.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cap_std::fs::OpenOptions;

use super::checkout::Checkouts;
use super::tree::{Tree, denied, name_of, refused};
use super::walk::walk;
use super::{Denied, FileKind, Metadata, WorkPath, Workspace};
use crate::git::Scope;
use crate::git::worktree::UNWRITTEN;

/// The files beneath a directory, and beneath others that were added to it.
pub struct Disk {
    tree: Tree,
    added: Vec<(Arc<Path>, Tree)>,
    /// What of the added directories is only read.
    guarded: Checkouts,
    written: Mutex<Vec<PathBuf>>,
    /// Whether the time of writing is over; held while something is written.
    closed: RwLock<bool>,
    scope: Option<Arc<Scope>>,
}

impl Disk {
    /// Opens the workspace whose root is the directory `root`.
    ///
    /// # Errors
    /// When it is not a directory that can be opened.
    pub fn open(root: &Path) -> io::Result<Self> {
        let tree = Tree::open(root)?;
        let (written, closed) = Default::default();
        let (added, guarded) = (Vec::new(), Checkouts::All);
        Ok(Self { tree, added, guarded, written, closed, scope: None })
    }

    /// Opens further directories, which are named by their absolute paths. Nothing that lies in a
    /// guarded checkout is written there, and nothing at all by an agent with a scope.
    ///
    /// # Errors
    /// When one is not a directory that can be opened.
    pub fn adding(mut self, dirs: &[PathBuf], guarded: Checkouts) -> io::Result<Self> {
        self.guarded = guarded;
        for dir in dirs {
            let tree = Tree::open(dir)?;
            self.added.push((tree.root.as_path().into(), tree));
        }
        // The innermost first: a path belongs to the nearest directory around it.
        self.added.sort_by_key(|(root, _)| std::cmp::Reverse(root.components().count()));
        Ok(self)
    }

    /// Lets only paths of a scope be written.
    #[must_use]
    pub fn scoped(mut self, scope: Option<Arc<Scope>>) -> Self {
        self.scope = scope;
        self
    }

    /// Lets nothing be written from now on, and waits for what is being written. Blocks.
    pub fn close(&self) {
        *self.closed.write().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Returns the files written since it was last asked, from the root and with symlinks resolved.
    pub fn take_written(&self) -> Vec<PathBuf> {
        std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the tree that a path is in.
    fn tree(&self, path: &WorkPath) -> Result<&Tree, Denied> {
        let Some(base) = path.base() else { return Ok(&self.tree) };
        let found = self.added.iter().find(|(root, _)| **root == *base);
        found.map(|(_, tree)| tree).ok_or_else(|| refused(path, "is outside the workspace"))
    }

    /// Checks that the rules let `real` in `tree` be written.
    fn permit(&self, path: &WorkPath, tree: &Tree, real: &Path) -> Result<(), Denied> {
        let outside = |scope: &Scope| {
            let why = format!("is outside the scope of this agent, which may write {scope}");
            refused(path, &why)
        };
        match &self.scope {
            Some(scope) if path.base().is_some() || !scope.allows(real) => {
                return Err(outside(scope));
            }
            _ if path.base().is_none() => return Ok(()),
            _ => {}
        }
        match self.guarded.around(&tree.root.join(real)) {
            Some(top) => {
                let why = format!("is only read: it is in the checkout `{}`", top.display());
                Err(refused(path, &why))
            }
            None => Ok(()),
        }
    }
}

impl Workspace for Disk {
    fn root(&self) -> &Path {
        &self.tree.root
    }

    fn path(&self, text: &str) -> Result<WorkPath, Denied> {
        if text == "~" || text.starts_with("~/") {
            let why = "is not expanded: name a path inside the workspace";
            return Err(Denied::Refused(format!("`{text}` {why}")));
        }
        let path = Path::new(text);
        if !path.is_absolute() {
            return WorkPath::new(path);
        }
        if let Some(inside) = self.tree.relative(path) {
            return WorkPath::new(inside);
        }
        for (root, tree) in &self.added {
            if let Some(inside) = tree.relative(path) {
                return WorkPath::beneath(Arc::clone(root), inside);
            }
        }
        let root = self.tree.root.display();
        Err(Denied::Refused(format!("`{text}` is outside the workspace `{root}`")))
    }

    fn metadata(&self, path: &WorkPath) -> Result<Metadata, Denied> {
        let tree = self.tree(path)?;
        let real = tree.resolved(path)?;
        let look = tree.dir.metadata(name_of(&real)).map_err(|error| denied(path, &error))?;
        let kind = match look.file_type() {
            kind if kind.is_file() => FileKind::File,
            kind if kind.is_dir() => FileKind::Directory,
            _ => FileKind::Other,
        };
        let modified = look.modified().ok().map(cap_std::time::SystemTime::into_std);
        Ok(Metadata { kind, len: look.len(), modified })
    }

    fn open(&self, path: &WorkPath) -> Result<Box<dyn Read + Send>, Denied> {
        Ok(Box::new(self.tree(path)?.file(path)?))
    }

    fn write(&self, path: &WorkPath, content: &[u8]) -> Result<(), Denied> {
        let closed = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err(refused(path, "comes too late: the agent has ended"));
        }
        let tree = self.tree(path)?;
        let real = tree.resolved(path)?;
        let Some(name) = real.file_name().map(Path::new) else {
            return Err(refused(path, "is a directory"));
        };
        // Where it leads counts, not what it was called.
        self.permit(path, tree, &real)?;
        let dir = tree.parent(path, &real)?;
        let permissions = Tree::replaced(&dir, path, name)?;
        let temporary = format!("{UNWRITTEN}{:016x}", RandomState::new().hash_one(()));
        let write = || {
            let mut file =
                dir.open_with(&temporary, OpenOptions::new().write(true).create_new(true))?;
            file.write_all(content)?;
            if let Some(permissions) = permissions {
                file.set_permissions(permissions)?;
            }
            dir.rename(&temporary, &dir, name)
        };
        let outcome = write().map_err(|error| {
            // What is left of it is of no use; that it may never have been made is no news.
            let _ = dir.remove_file(&temporary);
            denied(path, &error)
        });
        if path.base().is_none() {
            self.written.lock().unwrap_or_else(PoisonError::into_inner).push(real.clone());
        }
        outcome
    }

    fn walk(&self, base: &WorkPath, visit: &mut dyn FnMut(WorkPath) -> bool) -> Result<(), Denied> {
        match self.metadata(base)?.kind {
            FileKind::Directory => {
                walk(&self.tree(base)?.dir, base, visit);
                Ok(())
            }
            FileKind::File => {
                visit(base.clone());
                Ok(())
            }
            FileKind::Other => Err(refused(base, "is neither a file nor a directory")),
        }
    }
}
