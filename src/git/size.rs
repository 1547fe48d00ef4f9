//! How large a checkout will be, and how much room there is.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::command::{LONG, fields, text};
use super::reader::Reader;
use super::repo::Repo;
use super::worktree::Cone;
use crate::error::{Kind, Result, ResultExt};

/// What a file takes on the disk beside its bytes, at least: half a block, and its record.
const PER_FILE: u64 = 2048;

/// What is known of the sizes of commits; a fan-out asks for the same one again and again.
pub(super) type Sizes = Mutex<HashMap<(String, Option<Cone>), Option<u64>>>;

impl Repo {
    /// Returns about how many bytes the files of a commit take, all or those of a cone; `None` where
    /// looking would fetch them (a partial clone). Filters and submodules are not counted.
    ///
    /// # Errors
    /// [`Kind::Git`] when the commit cannot be read.
    pub async fn checkout_bytes(&self, commit: &str, cone: Option<&Cone>) -> Result<Option<u64>> {
        let key = (commit.to_owned(), cone.cloned());
        let known = || self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = known().get(&key) {
            return Ok(*bytes);
        }
        let sizes = async {
            if self.reader() == Reader::Library {
                let (commit, cone) = (commit.to_owned(), cone.cloned());
                let ask = move |r: &git2::Repository| tree_bytes(r, &commit, cone.as_ref());
                return self.library(self.common_dir(), ask).await.map(Some);
            }
            if self.is_partial().await? {
                return Ok(None);
            }
            let git = self.git("ls-tree").args(["-r", "-l", "-z", "--full-tree", commit]);
            let listed = git.limit(LONG).bytes().await?;
            let size = |entry: &[u8]| {
                let at = entry.iter().position(|byte| *byte == b'\t')?;
                let bytes: u64 = text(&entry[..at]).split_whitespace().last()?.parse().ok()?;
                let there = cone.is_none_or(|cone| cone.holds(&text(&entry[at + 1..])));
                there.then_some(bytes + PER_FILE)
            };
            anyhow::Ok(Some(fields(&listed).filter_map(size).sum()))
        };
        let trouble = || format!("cannot look at the files of `{commit}`");
        let bytes = sizes.await.or_kind(Kind::Git, trouble)?;
        known().insert(key, bytes);
        Ok(bytes)
    }

    async fn is_partial(&self) -> anyhow::Result<bool> {
        let keys = "^(extensions\\.partialclone|remote\\..*\\.promisor)$";
        Ok(self.git("config").args(["--get-regexp", keys]).run().await?.code == Some(0))
    }
}

/// Returns the bytes of a commit's files, each with what it takes beside them.
fn tree_bytes(
    repository: &git2::Repository,
    commit: &str,
    cone: Option<&Cone>,
) -> anyhow::Result<u64> {
    let odb = repository.odb()?;
    let tree = repository.find_commit(git2::Oid::from_str(commit)?)?.tree_id();
    let mut pending = vec![(String::new(), tree)];
    let mut sum = 0;
    while let Some((folder, tree)) = pending.pop() {
        for entry in &repository.find_tree(tree)? {
            let name = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
            match entry.kind() {
                Some(git2::ObjectType::Tree) => pending.push((name + "/", entry.id())),
                Some(git2::ObjectType::Blob) if cone.is_none_or(|cone| cone.holds(&name)) => {
                    sum += odb.read_header(entry.id())?.0 as u64 + PER_FILE;
                }
                _ => {}
            }
        }
    }
    Ok(sum)
}

/// Returns how many bytes the file system of `path` (or of what there is of it) has left for us.
pub fn free(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|above| above.exists())?;
    let room = rustix::fs::statvfs(there).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Returns a size as people read it.
pub fn shown(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{size:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [(12, "12 B"), (1500, "1.5 KB"), (2_000_000_000, "2.0 GB")] {
            assert_eq!(shown(bytes), text);
        }
    }
}
