//! Reading an index file without git: which entries are left out of the checkout, and which name a
//! repository. An index that an agent has written is read only like this.

use std::path::Path;

use anyhow::{Context, bail};

use crate::git::private::plain::Folder;

/// The largest index that is read.
const LARGEST: u64 = 1 << 30;

/// The mode of an entry that names a repository.
pub(super) const LINK: u32 = 0o160_000;

/// The mode of an entry that stands for a whole folder, in a sparse index.
pub(super) const FOLDER: u32 = 0o040_000;

/// An entry of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'i> {
    pub name: &'i [u8],
    pub mode: u32,
    pub id: &'i [u8],
    /// Whether the checkout leaves it out.
    pub left_out: bool,
}

/// Calls `each` for every entry of an index file; of a file that is absent, never. `digits` is the length
/// of an id in text.
pub(super) fn entries(
    file: &Path,
    digits: usize,
    mut each: impl FnMut(Entry<'_>),
) -> anyhow::Result<()> {
    let (Some(parent), Some(name)) = (file.parent(), file.file_name()) else {
        bail!("`{}` is no file", file.display());
    };
    let trouble = || format!("cannot read `{}`", file.display());
    let bytes = Folder::open(parent)
        .and_then(|folder| folder.file(Path::new(name), LARGEST))
        .with_context(trouble)?;
    match bytes {
        Some(bytes) => parse(&bytes, digits / 2, &mut each).with_context(trouble),
        None => Ok(()),
    }
}

fn parse(bytes: &[u8], hash: usize, each: &mut impl FnMut(Entry<'_>)) -> anyhow::Result<()> {
    let cut = "it is cut short";
    let number = |at: usize| -> anyhow::Result<u32> {
        let four = bytes.get(at..at + 4).context(cut)?;
        Ok(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
    };
    let version = number(4)?;
    if bytes.get(..4) != Some(b"DIRC") || !(2..=4).contains(&version) {
        bail!("it is no index that is known here");
    }
    let mut at = 12;
    let mut name = Vec::new();
    for _ in 0..number(8)? {
        let start = at;
        let mode = number(start + 24)?;
        let id = bytes.get(start + 40..start + 40 + hash).context(cut)?;
        at = start + 40 + hash;
        let flags = bytes.get(at..at + 2).context(cut)?;
        let extended = flags[0] & 0x40 != 0;
        at += 2;
        let mut left_out = false;
        if extended {
            left_out = bytes.get(at).context(cut)? & 0x40 != 0;
            at += 2;
        }
        if version == 4 {
            let (strip, length) = varint(bytes.get(at..).context(cut)?).context(cut)?;
            at += length;
            name.truncate(name.len().checked_sub(strip).context("a name in it is malformed")?);
        } else {
            name.clear();
        }
        let rest = bytes.get(at..).context(cut)?;
        let end = memchr::memchr(0, rest).context(cut)?;
        name.extend_from_slice(&rest[..end]);
        at += end + 1;
        if version < 4 {
            // One to eight zeros, up to a multiple of eight.
            at = start + (at - start).next_multiple_of(8);
        }
        each(Entry { name: &name, mode, id, left_out });
    }
    // What follows are extensions and a checksum. A split index has its entries elsewhere.
    let end = bytes.len().saturating_sub(hash);
    while at + 8 <= end {
        if bytes.get(at..at + 4) == Some(b"link") {
            bail!("its entries are in another file");
        }
        at = at.saturating_add(8).saturating_add(number(at + 4)? as usize);
    }
    Ok(())
}

/// Reads a number as packs and indexes have it, and how long it is.
fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(8) {
        if at > 0 {
            value = value.checked_add(1)?;
        }
        value = value.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

/// Returns an id in text.
pub(super) fn hex(id: &[u8]) -> String {
    use std::fmt::Write as _;
    id.iter().fold(String::with_capacity(id.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fmt::Write as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn every_version_reads_as_git_lists_it_and_what_is_cut_is_an_error() {
        for (format, digits) in [("sha1", 40), ("sha256", 64)] {
            let dir = tempfile::tempdir().unwrap();
            let git = |args: &[&str]| {
                let done = Command::new("git").args(args).current_dir(dir.path()).output().unwrap();
                assert!(done.status.success(), "{args:?}");
                done.stdout
            };
            git(&["init", "-q", "--object-format", format]);
            for name in ["a", "abcdefgh", "dir/one", "dir/two-and-more", "z é"] {
                let path = dir.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, name).unwrap();
            }
            git(&["add", "-A"]);
            git(&["update-index", "--skip-worktree", "dir/one"]);
            for version in ["2", "3", "4"] {
                git(&["update-index", "--index-version", version]);
                let index = dir.path().join(".git/index");
                let mut listed = String::new();
                entries(&index, digits, |entry| {
                    let (mode, id) = (entry.mode, hex(entry.id));
                    let tag = if entry.left_out { 'S' } else { 'H' };
                    let name = String::from_utf8_lossy(entry.name);
                    write!(listed, "{tag} {mode:o} {id} 0\t{name}\0").unwrap();
                })
                .unwrap();
                let expected = git(&["ls-files", "-z", "-t", "--stage"]);
                assert_eq!(listed.as_bytes(), expected, "{format} {version}");
                let bytes = std::fs::read(&index).unwrap();
                for end in 0..bytes.len() - digits {
                    let _ = parse(&bytes[..end], digits / 2, &mut |_| {});
                }
                assert!(parse(&bytes[..100], digits / 2, &mut |_| {}).is_err());
            }
        }
    }
}
