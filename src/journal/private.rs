//! Files and folders that only their owner reads: what agents were told and said is in them.
//!
//! Those of an earlier version, which everybody could read, are tightened when they are written to; those
//! of somebody else stay as they are. Knows nothing of what is in them.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// Tells the files that this process makes apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Makes a folder, and those that it is in, unless they are there.
///
/// # Errors
/// When it cannot be made.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)?;
    tighten(path, FOLDER)
}

/// Opens a file as `options` say; one that is made is the owner's alone.
///
/// # Errors
/// When it cannot be opened.
pub fn file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(FILE).open(path)?;
    tighten(path, FILE)?;
    Ok(file)
}

/// Takes from everybody but the owner what `most` does not give them, where this user is the owner.
pub(super) fn tighten(path: &Path, most: u32) -> io::Result<()> {
    let known = path.metadata()?;
    let mode = known.mode() & 0o7777;
    let is_ours = known.uid() == rustix::process::geteuid().as_raw();
    if !is_ours || mode.trailing_zeros() >= 6 {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode & (most | 0o7000)))
}

/// Makes a journal's file the owner's alone, made if need be, with what lies beside it: what is made there
/// later has its mode. A file that is there is not opened: closing it would take from this process the
/// locks of every connection to it.
pub(super) fn journal(path: &Path) -> io::Result<()> {
    if !path.exists() {
        let made = path.with_file_name(format!(
            ".journal-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        drop(file(&made, File::options().create(true).append(true))?);
        let placed = std::fs::hard_link(&made, path);
        std::fs::remove_file(&made)?;
        match placed {
            Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => return Err(fault),
            _ => {}
        }
    }
    for end in ["", "-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(end);
        match tighten(Path::new(&beside), FILE) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            _ => {}
        }
    }
    Ok(())
}
