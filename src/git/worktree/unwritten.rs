//! Files that were about to be written when the process that wrote them was killed.

use std::path::Path;

/// What the name of a file begins with that is renamed to its own once it is written; 16 hexadecimal
/// digits follow.
pub const UNWRITTEN: &str = ".agentlua-tmp-";

/// Removes them from a folder and all below it; links are not followed, and a repository inside is not
/// looked into. Nobody may be writing there any more.
pub(in crate::git) fn discard_unwritten(folder: &Path) {
    // An agent may have put a link in its place.
    let is_folder = folder.symlink_metadata().is_ok_and(|found| found.is_dir());
    let mut folders: Vec<_> = is_folder.then(|| folder.to_owned()).into_iter().collect();
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(inner).into_iter().flatten().flatten() {
            let (Ok(kind), name) = (entry.file_type(), entry.file_name()) else { continue };
            if kind.is_dir() && name != ".git" {
                folders.push(entry.path());
            } else if kind.is_file() && name.to_str().is_some_and(is_unwritten) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

fn is_unwritten(name: &str) -> bool {
    let digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let digits = name.strip_prefix(UNWRITTEN);
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(digit))
}
