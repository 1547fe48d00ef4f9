//! Refs as plain text: the one file that an agent's repository starts with, and what is read back from
//! there at the end. Whatever is not a name and an id in hexadecimal digits is an error.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, bail};

use super::plain::{Entry, Folder};
use crate::git::command::{path, text};

/// The most bytes of a file that lists refs.
const LARGEST: u64 = 256 << 20;

/// The most refs that are read, loose ones and stashes each.
const MOST: usize = 200_000;

/// How deep folders of refs go.
const DEEPEST: usize = 64;

/// Names with the ids they point to.
pub(in crate::git) type Refs = BTreeMap<Vec<u8>, String>;

/// A `packed-refs` file, read.
#[derive(Debug)]
pub(in crate::git) struct Packed {
    pub bytes: Vec<u8>,
    pub refs: Refs,
}

/// Writes refs as a `packed-refs` file. Peeled ids are left out: git finds them when it needs them.
pub(super) fn packed(refs: &Refs) -> Vec<u8> {
    let mut text = b"# pack-refs with: sorted \n".to_vec();
    for (name, id) in refs {
        text.extend_from_slice(id.as_bytes());
        text.push(b' ');
        text.extend_from_slice(name);
        text.push(b'\n');
    }
    text
}

/// Reads a `packed-refs` file with ids of `digits` digits.
pub(super) fn unpacked(bytes: &[u8], digits: usize) -> anyhow::Result<Refs> {
    let mut refs = Refs::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.is_empty() || matches!(line[0], b'#' | b'^') {
            continue;
        }
        let (id, name) = line.split_at_checked(digits).context("`packed-refs` is cut short")?;
        let Some(name) = name.strip_prefix(b" ") else { bail!("`packed-refs` is malformed") };
        refs.insert(named(name)?, hex(id, digits)?);
    }
    Ok(refs)
}

/// Reads all refs of a git directory: the packed ones, and over them the loose ones. A symbolic ref counts
/// as what it points to. With `start`, what the file of packed ones was before, that is not read again.
pub(in crate::git) fn read(
    git_dir: &Folder,
    digits: usize,
    start: Option<&Packed>,
) -> anyhow::Result<Refs> {
    let packed = git_dir.file(Path::new("packed-refs"), LARGEST).context("`packed-refs`")?;
    let packed = packed.unwrap_or_default();
    let mut refs = match start {
        Some(start) if start.bytes == packed => start.refs.clone(),
        _ => unpacked(&packed, digits)?,
    };
    let mut symbolic = Vec::new();
    let top = git_dir.folder(Path::new("refs")).context("`refs`")?;
    let mut open = vec![(b"refs".to_vec(), top, 0)];
    let mut seen = 0;
    while let Some((above, folder, depth)) = open.pop() {
        for (part, entry) in folder.entries()? {
            let name = [&above[..], b"/", &part].concat();
            seen += 1;
            if seen > MOST {
                bail!("there are more than {MOST} refs");
            }
            match entry {
                Entry::Folder if depth < DEEPEST => {
                    let inner = folder.folder(&path(&part)).with_context(|| quoted(&name))?;
                    open.push((name, inner, depth + 1));
                }
                // What git does not take for a ref either.
                Entry::File if named(&name).is_err() => {}
                Entry::File => {
                    let read = folder.file(&path(&part), 4096).with_context(|| quoted(&name))?;
                    let value = read.unwrap_or_default();
                    match value.trim_ascii().strip_prefix(b"ref: ") {
                        Some(target) => symbolic.push((name, named(target)?)),
                        // Git leaves an empty file behind a crash.
                        None if value.trim_ascii().is_empty() => {}
                        None => {
                            refs.insert(name, hex(value.trim_ascii(), digits)?);
                        }
                    }
                }
                _ => bail!("{} is no file", quoted(&name)),
            }
        }
    }
    for (name, target) in symbolic {
        match refs.get(&target).cloned() {
            Some(id) => refs.insert(name, id),
            None => refs.remove(&name),
        };
    }
    Ok(refs)
}

/// Where a HEAD points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::git) enum Pointed {
    /// At a ref.
    Ref(Vec<u8>),
    /// At a commit.
    Commit(String),
}

/// Reads the HEAD of a git directory.
pub(in crate::git) fn head(git_dir: &Folder, digits: usize) -> anyhow::Result<Pointed> {
    let bytes = git_dir.file(Path::new("HEAD"), 4096).context("`HEAD`")?.context("no `HEAD`")?;
    match bytes.trim_ascii().strip_prefix(b"ref:") {
        Some(name) => Ok(Pointed::Ref(named(name.trim_ascii())?)),
        None => Ok(Pointed::Commit(hex(bytes.trim_ascii(), digits)?)),
    }
}

/// Reads the stashes, newest first.
pub(super) fn stashes(git_dir: &Folder, refs: &Refs, digits: usize) -> anyhow::Result<Vec<String>> {
    let newest = refs.get(&b"refs/stash"[..]);
    let log = git_dir.file(Path::new("logs/refs/stash"), LARGEST).context("`logs/refs/stash`")?;
    let mut found = Vec::new();
    for line in log.unwrap_or_default().split(|byte| *byte == b'\n').filter(|l| !l.is_empty()) {
        let id = line.get(digits + 1..2 * digits + 1).context("`logs/refs/stash` is malformed")?;
        found.push(hex(id, digits)?);
    }
    found.reverse();
    if let Some(newest) = newest
        && found.first() != Some(newest)
    {
        found.insert(0, newest.clone());
    }
    if newest.is_none() {
        found.clear();
    }
    found.truncate(MOST);
    Ok(found)
}

/// Returns an id of `digits` lower-case digits.
pub(super) fn hex(bytes: &[u8], digits: usize) -> anyhow::Result<String> {
    let fits = bytes.len() == digits
        && bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && bytes.iter().any(|byte| *byte != b'0');
    if !fits {
        bail!("{} is no object id", quoted(bytes));
    }
    Ok(text(bytes))
}

/// Returns the name of a ref if git takes it for one, by the rules of `git check-ref-format`.
fn named(name: &[u8]) -> anyhow::Result<Vec<u8>> {
    let part =
        |part: &[u8]| !part.is_empty() && !part.starts_with(b".") && !part.ends_with(b".lock");
    let pair = |pair: &[u8]| pair == b".." || pair == b"@{";
    let fits = name.starts_with(b"refs/")
        && name.len() <= 4000
        && !name.ends_with(b".")
        && name.split(|byte| *byte == b'/').all(part)
        && !name.windows(2).any(pair)
        && !name.iter().any(|byte| byte.is_ascii_control() || b" ~^:?*[\\".contains(byte));
    if !fits {
        bail!("{} is no name of a ref", quoted(name));
    }
    Ok(name.to_vec())
}

/// Shows bytes of somebody else's, cut and on one line.
fn quoted(bytes: &[u8]) -> String {
    let shown: String = text(bytes).chars().filter(|c| !c.is_control()).take(80).collect();
    format!("`{shown}`")
}

/// Returns a path of git's as the text of a file name.
pub(super) fn named_file(name: &[u8]) -> &std::ffi::OsStr {
    std::ffi::OsStr::from_bytes(name)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_the_rest_is_refused() {
        let id = "0123456789".repeat(4);
        let refs = Refs::from([
            (b"refs/heads/a".to_vec(), id.clone()),
            (b"refs/tags/v\xff1".to_vec(), id.clone()),
        ]);
        assert_eq!(unpacked(&packed(&refs), 40).unwrap(), refs);
        let mut peeled = packed(&refs);
        peeled.extend_from_slice(format!("^{id}\n").as_bytes());
        assert_eq!(unpacked(&peeled, 40).unwrap(), refs);
        let odd = ["x", "-refs/heads/a", "refs/../x", "refs/heads/.a", "refs/heads/a.lock"];
        for name in odd.iter().chain(&["refs/heads/a b", "refs/heads//a", "refs/heads/a@{1}"]) {
            assert!(unpacked(format!("{id} {name}\n").as_bytes(), 40).is_err(), "{name}");
        }
        for id in ["0".repeat(40), "A".repeat(40), "1".repeat(39), "-".repeat(40)] {
            assert!(unpacked(format!("{id} refs/heads/a\n").as_bytes(), 40).is_err(), "{id}");
        }
    }
}
