//! Reading what an agent may have put there: regular files only, no link followed in any part of a path,
//! no pipe waited for, sizes capped. A folder is held open, so that nothing moves beneath the reader.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, openat};

/// What a folder has under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::git) enum Entry {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, a pipe, a device or a socket.
    Other,
}

/// A folder, open.
#[derive(Debug)]
pub(in crate::git) struct Folder(OwnedFd);

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens a folder; the last part of the path is no link.
    pub(in crate::git) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(openat(CWD, path, FOLDER, Mode::empty())?))
    }

    /// Opens a folder beneath this one.
    pub(in crate::git) fn folder(&self, path: &Path) -> io::Result<Self> {
        let mut at = Self(openat(&self.0, ".", FOLDER, Mode::empty())?);
        for part in path.components() {
            let Component::Normal(name) = part else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            at = Self(openat(&at.0, name, FOLDER, Mode::empty())?);
        }
        Ok(at)
    }

    /// Reads a regular file beneath this folder that has at most `most` bytes; absent when there is none.
    pub(in crate::git) fn file(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        let (Some(name), parent) = (path.file_name(), path.parent().unwrap_or(Path::new("")))
        else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let found = self
            .folder(parent)
            .and_then(|folder| Ok(openat(&folder.0, name, FILE, Mode::empty())?));
        let file = match found {
            Ok(file) => File::from(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(bytes))
    }

    /// Tells what is under a name; absent when nothing is.
    pub(in crate::git) fn entry(&self, name: &OsStr) -> io::Result<Option<Entry>> {
        match rustix::fs::statat(&self.0, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(kind(FileType::from_raw_mode(found.st_mode)))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Lists what is in the folder, in no order.
    pub(in crate::git) fn entries(&self) -> io::Result<Vec<(Vec<u8>, Entry)>> {
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            // A file system may leave the type open.
            let entry = match entry.file_type() {
                FileType::Unknown => self.entry(OsStr::from_bytes(name))?.unwrap_or(Entry::Other),
                known => kind(known),
            };
            found.push((name.to_vec(), entry));
        }
        Ok(found)
    }

    /// Tells whether the folder is empty.
    pub(in crate::git) fn is_empty(&self) -> io::Result<bool> {
        Ok(self.entries()?.is_empty())
    }
}

fn kind(found: FileType) -> Entry {
    match found {
        FileType::RegularFile => Entry::File,
        FileType::Directory => Entry::Folder,
        _ => Entry::Other,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_fair_size_are_read_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("real/deep")).unwrap();
        std::fs::write(at("real/deep/file"), "12345").unwrap();
        std::os::unix::fs::symlink("real", at("link")).unwrap();
        std::os::unix::fs::symlink("file", at("real/deep/link")).unwrap();
        rustix::fs::mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let read = |name: &str, most| folder.file(Path::new(name), most);
        assert_eq!(read("real/deep/file", 5).unwrap().as_deref(), Some(&b"12345"[..]));
        assert!(read("real/deep/file", 4).is_err());
        assert!(read("real/deep/none", 5).unwrap().is_none());
        assert!(read("none/deep", 5).unwrap().is_none());
        for odd in ["link/deep/file", "real/deep/link", "pipe", "real", "../x", "/etc/passwd"] {
            assert!(read(odd, 1000).is_err(), "{odd}");
        }
        assert!(Folder::open(&at("link")).is_err());
    }
}
