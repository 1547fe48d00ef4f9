//! A workspace on disk: one directory handle, through which everything is opened.
//!
//! Confinement is the kernel's (`openat2` with `RESOLVE_BENEATH`, or cap-std's walk where there is
//! none): no path is checked first and opened later. Files are replaced by a rename inside an open
//! directory, so a symlink or a hard link that appears meanwhile is replaced and never followed.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, FileType, FileTypeExt, OpenOptions, OpenOptionsExt, Permissions};
use rustix::fs::OFlags;

use super::walk::walk;
use super::{Denied, FileKind, Metadata, WorkPath, Workspace, path};
use crate::git::Scope;
use crate::git::worktree::UNWRITTEN;

/// The files beneath a directory.
pub struct Disk {
    dir: Dir,
    root: PathBuf,
    given: PathBuf,
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
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot open `{}`: {error}", root.display()))
        };
        let dir = Dir::open_ambient_dir(root, ambient_authority()).map_err(named)?;
        let canonical = root.canonicalize().map_err(named)?;
        let given = std::path::absolute(root).map_err(named)?;
        let (written, closed) = Default::default();
        Ok(Self { dir, root: canonical, given, written, closed, scope: None })
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

    /// Returns where `path` leads beneath the root once symlinks are followed. Names that do not
    /// exist yet are kept as they are.
    fn resolved(&self, path: &WorkPath) -> Result<PathBuf, Denied> {
        let mut there = path.as_path().to_owned();
        let mut missing = Vec::new();
        let mut real = loop {
            if there.as_os_str().is_empty() {
                break PathBuf::new();
            }
            match self.dir.canonicalize(&there) {
                Ok(real) => break real,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(denied(path, &error)),
            }
            if self.dir.symlink_metadata(&there).is_ok() {
                return Err(refused(path, "goes through a symlink to what does not exist"));
            }
            missing.extend(there.file_name().map(ToOwned::to_owned));
            there.pop();
        };
        real.extend(missing.iter().rev());
        if real.iter().any(path::is_git) {
            return Err(refused(path, "leads into `.git`, which tools do not touch"));
        }
        Ok(real)
    }

    /// Opens a regular file, or says what it is instead.
    fn file(&self, path: &WorkPath) -> Result<File, Denied> {
        let real = self.resolved(path)?;
        // Looked at first because opening a device can do things, and again once open because it
        // can have been swapped.
        let look = self.dir.metadata(name_of(&real)).map_err(|error| denied(path, &error))?;
        regular(path, look.file_type())?;
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags);
        let file = self.dir.open_with(&real, &options).map_err(|error| denied(path, &error))?;
        let look = file.metadata().map_err(|error| denied(path, &error))?;
        regular(path, look.file_type())?;
        Ok(file)
    }

    /// Opens the directory that `real` is in, made if need be, for a write to `path`.
    fn parent(&self, path: &WorkPath, real: &Path) -> Result<Dir, Denied> {
        let parent = real.parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() {
            return self.dir.try_clone().map_err(|error| denied(path, &error));
        }
        let made = self.dir.create_dir_all(parent).and_then(|()| self.dir.open_dir(parent));
        made.map_err(|error| denied(path, &error))
    }

    /// Returns the permissions of the regular file `name`, if there is one.
    fn replaced(dir: &Dir, path: &WorkPath, name: &Path) -> Result<Option<Permissions>, Denied> {
        match dir.symlink_metadata(name) {
            // A symlink here appeared after its target was looked up: it is replaced.
            Ok(look) if look.file_type().is_symlink() => Ok(None),
            Ok(look) => regular(path, look.file_type()).map(|()| Some(look.permissions())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(denied(path, &error)),
        }
    }
}

impl Workspace for Disk {
    fn root(&self) -> &Path {
        &self.root
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
        let inside = path.strip_prefix(&self.root).or_else(|_| path.strip_prefix(&self.given));
        let outside = |_| {
            let root = self.root.display();
            Denied::Refused(format!("`{text}` is outside the workspace `{root}`"))
        };
        WorkPath::new(inside.map_err(outside)?)
    }

    fn metadata(&self, path: &WorkPath) -> Result<Metadata, Denied> {
        let real = self.resolved(path)?;
        let look = self.dir.metadata(name_of(&real)).map_err(|error| denied(path, &error))?;
        let kind = match look.file_type() {
            kind if kind.is_file() => FileKind::File,
            kind if kind.is_dir() => FileKind::Directory,
            _ => FileKind::Other,
        };
        let modified = look.modified().ok().map(cap_std::time::SystemTime::into_std);
        Ok(Metadata { kind, len: look.len(), modified })
    }

    fn open(&self, path: &WorkPath) -> Result<Box<dyn Read + Send>, Denied> {
        Ok(Box::new(self.file(path)?))
    }

    fn write(&self, path: &WorkPath, content: &[u8]) -> Result<(), Denied> {
        let closed = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err(refused(path, "comes too late: the agent has ended"));
        }
        let real = self.resolved(path)?;
        let Some(name) = real.file_name().map(Path::new) else {
            return Err(refused(path, "is a directory"));
        };
        // Where it leads counts, not what it was called.
        if let Some(scope) = self.scope.as_ref().filter(|scope| !scope.allows(&real)) {
            let why = format!("is outside the scope of this agent, which may write {scope}");
            return Err(refused(path, &why));
        }
        let dir = self.parent(path, &real)?;
        let permissions = Self::replaced(&dir, path, name)?;
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
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(real.clone());
        outcome
    }

    fn walk(&self, base: &WorkPath, visit: &mut dyn FnMut(WorkPath) -> bool) -> Result<(), Denied> {
        match self.metadata(base)?.kind {
            FileKind::Directory => {
                walk(&self.dir, base, visit);
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

/// Names the root in the way that the system calls want it.
pub(super) fn name_of(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

fn refused(path: &WorkPath, rule: &str) -> Denied {
    Denied::Refused(format!("`{path}` {rule}"))
}

/// Lets regular files pass and says what the others are.
fn regular(path: &WorkPath, kind: FileType) -> Result<(), Denied> {
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "is a directory",
        _ if kind.is_fifo() => "is a FIFO: reading it could wait for ever",
        _ if kind.is_socket() => "is a socket",
        _ if kind.is_block_device() || kind.is_char_device() => "is a device",
        _ => "is not a regular file",
    };
    Err(refused(path, what))
}

/// Says what an error of the operating system means for `path`.
fn denied(path: &WorkPath, error: &io::Error) -> Denied {
    match error.kind() {
        io::ErrorKind::NotFound => Denied::NotFound(format!("there is no file `{path}`")),
        io::ErrorKind::NotADirectory => {
            refused(path, "goes through a file as if it were a directory")
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            refused(path, "goes through symlinks in a circle")
        }
        io::ErrorKind::InvalidFilename => refused(path, "is too long a name"),
        // How cap-std says that a path escapes; the system's own refusal has a number.
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
            refused(path, "leads out of the workspace by a symlink")
        }
        _ => Denied::Io(format!("`{path}`: {error}")),
    }
}
