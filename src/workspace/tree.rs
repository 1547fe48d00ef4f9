//! One tree of files: a directory handle, through which everything in it is opened.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, FileType, FileTypeExt, OpenOptions, OpenOptionsExt, Permissions};
use rustix::fs::OFlags;

use super::{Denied, WorkPath, path};

/// The files beneath a directory.
pub(super) struct Tree {
    pub(super) dir: Dir,
    /// The directory with symlinks resolved.
    pub(super) root: PathBuf,
    given: PathBuf,
}

impl Tree {
    /// Opens the directory `root`.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot open `{}`: {error}", root.display()))
        };
        let dir = Dir::open_ambient_dir(root, ambient_authority()).map_err(named)?;
        let canonical = root.canonicalize().map_err(named)?;
        let given = std::path::absolute(root).map_err(named)?;
        Ok(Self { dir, root: canonical, given })
    }

    /// Returns an absolute path as one from the root, unless it does not begin with it.
    pub(super) fn relative<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.strip_prefix(&self.root).or_else(|_| path.strip_prefix(&self.given)).ok()
    }

    /// Returns where `path` leads beneath the root once symlinks are followed. Names that do not
    /// exist yet are kept as they are.
    pub(super) fn resolved(&self, path: &WorkPath) -> Result<PathBuf, Denied> {
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
    pub(super) fn file(&self, path: &WorkPath) -> Result<File, Denied> {
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
    pub(super) fn parent(&self, path: &WorkPath, real: &Path) -> Result<Dir, Denied> {
        let parent = real.parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() {
            return self.dir.try_clone().map_err(|error| denied(path, &error));
        }
        let made = self.dir.create_dir_all(parent).and_then(|()| self.dir.open_dir(parent));
        made.map_err(|error| denied(path, &error))
    }

    /// Returns the permissions of the regular file `name`, if there is one.
    pub(super) fn replaced(
        dir: &Dir,
        path: &WorkPath,
        name: &Path,
    ) -> Result<Option<Permissions>, Denied> {
        match dir.symlink_metadata(name) {
            // A symlink here appeared after its target was looked up: it is replaced.
            Ok(look) if look.file_type().is_symlink() => Ok(None),
            Ok(look) => regular(path, look.file_type()).map(|()| Some(look.permissions())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(denied(path, &error)),
        }
    }
}

/// Names the root in the way that the system calls want it.
pub(super) fn name_of(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

pub(super) fn refused(path: &WorkPath, rule: &str) -> Denied {
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
pub(super) fn denied(path: &WorkPath, error: &io::Error) -> Denied {
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
