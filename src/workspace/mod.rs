//! The files an agent's tools see: a tree of regular files beneath one root, those of directories
//! that the script adds, and nothing else.
//!
//! A tool names files by [`WorkPath`], a relative path that cannot climb; a [`Workspace`] opens them
//! beneath its root without a moment in which a swapped symlink could lead out. On disk that is
//! [`disk::Disk`]; later a base tree with an overlay, with no checkout at all. Methods block; callers
//! run them off the async threads.

pub mod checkout;
pub mod disk;
pub mod path;
mod tree;
mod walk;

use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

pub use checkout::Checkouts;
pub use path::WorkPath;

/// Why a workspace said no. The text is for the model: it names the path and the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// There is no such file.
    NotFound(String),
    /// The path leads out, or is a kind of file that tools do not open.
    Refused(String),
    /// The operating system failed: disk full, permission.
    Io(String),
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound(text) | Self::Refused(text) | Self::Io(text) => f.write_str(text),
        }
    }
}

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// The kind, symlinks followed (beneath the root only).
    pub kind: FileKind,
    /// The size in bytes.
    pub len: u64,
    /// The last change.
    pub modified: Option<SystemTime>,
}

/// The files of one agent.
pub trait Workspace: Send + Sync {
    /// Returns the directory that commands run in and that absolute paths of the model start with.
    fn root(&self) -> &Path;

    /// Turns what a model wrote (absolute beneath the root or an added directory, or relative to the
    /// root) into a path.
    ///
    /// # Errors
    /// [`Denied::Refused`] for paths that lead out.
    fn path(&self, text: &str) -> Result<WorkPath, Denied>;

    /// Looks at a file.
    fn metadata(&self, path: &WorkPath) -> Result<Metadata, Denied>;

    /// Opens a regular file for reading; refuses everything that could block or never end.
    fn open(&self, path: &WorkPath) -> Result<Box<dyn Read + Send>, Denied>;

    /// Replaces or creates a file whole (temporary file, then rename), with its parents; keeps the
    /// mode of a file that was there.
    fn write(&self, path: &WorkPath, content: &[u8]) -> Result<(), Denied>;

    /// Lists the files beneath `base` that version control would not ignore (`.git` never), in no
    /// particular order, by calling `visit` until it returns `false`.
    fn walk(&self, base: &WorkPath, visit: &mut dyn FnMut(WorkPath) -> bool) -> Result<(), Denied>;
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
