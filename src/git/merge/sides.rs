//! The sides of the paths in conflict: what the base, the target and the branch have there.

use std::collections::HashMap;

use super::attempt::HalfMerged;
use crate::git::command::{fields, text};
use crate::git::repo::Repo;

/// What one side has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// The mode, as git writes it.
    pub mode: String,
    /// The object.
    pub id: String,
}

impl Version {
    /// Tells a file from a link and from a repository.
    pub fn is_file(&self) -> bool {
        self.mode.starts_with("100")
    }
}

/// A path in conflict with its sides; absent where a side does not have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sides {
    pub path: Vec<u8>,
    pub base: Option<Version>,
    pub ours: Option<Version>,
    pub theirs: Option<Version>,
}

impl Sides {
    /// Returns those that are files.
    pub fn files(&self) -> impl Iterator<Item = &Version> {
        [&self.base, &self.ours, &self.theirs].into_iter().flatten().filter(|it| it.is_file())
    }
}

impl HalfMerged {
    /// Returns the sides of the paths in conflict, in git's order.
    pub fn sides(&self) -> Vec<Sides> {
        let mut found: Vec<Sides> = Vec::new();
        for record in fields(&self.stages) {
            let mut halves = record.splitn(2, |byte| *byte == b'\t');
            let (Some(head), Some(path)) = (halves.next(), halves.next()) else { continue };
            let head = text(head);
            let words: Vec<&str> = head.split(' ').collect();
            // Of two words: what takes the half-merged entry out of an index.
            let [mode, id, stage] = words[..] else { continue };
            if found.last().is_none_or(|sides| sides.path != path) {
                found.push(Sides { path: path.to_vec(), ..Sides::default() });
            }
            let version = Some(Version { mode: mode.to_owned(), id: id.to_owned() });
            if let Some(sides) = found.last_mut() {
                match stage {
                    "1" => sides.base = version,
                    "2" => sides.ours = version,
                    _ => sides.theirs = version,
                }
            }
        }
        found
    }
}

/// Returns the contents of the files among the sides.
pub(super) async fn contents(
    repo: &Repo,
    sides: &[Sides],
) -> anyhow::Result<HashMap<String, Vec<u8>>> {
    let ids: Vec<&str> = sides.iter().flat_map(Sides::files).map(|file| &*file.id).collect();
    repo.blobs(&ids).await
}
