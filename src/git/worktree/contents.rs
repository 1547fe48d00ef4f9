//! What a folder takes, and whether a repository of its own stands in it.

use std::io;
use std::path::{Path, PathBuf};

/// What is in a folder, ignored or not. Links are not followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The bytes of its files.
    pub bytes: u64,
    /// A folder beneath it that has a `.git`: its commits may exist nowhere else.
    pub repository: Option<PathBuf>,
}

impl Contents {
    /// Looks through a folder; one that is not there holds nothing.
    ///
    /// # Errors
    /// When a folder in it cannot be read.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let mut contents = Self::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(inner) = folders.pop() {
            let entries = match std::fs::read_dir(&inner) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let kind = entry.file_type()?;
                if entry.file_name() == ".git" && inner != folder {
                    contents.repository.get_or_insert_with(|| inner.clone());
                }
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    contents.bytes += entry.metadata().map_or(0, |file| file.len());
                }
            }
        }
        Ok(contents)
    }
}
