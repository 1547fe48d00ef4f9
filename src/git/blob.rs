//! The contents of many objects, by two git children.

use std::collections::HashMap;

use anyhow::{Context, bail};

use super::command::{LONG, fields, text};
use super::repo::Repo;

/// The most bytes of one object; a larger one is left out.
const LARGEST: u64 = 4 << 20;

/// The most bytes of all of them.
const MOST: u64 = 256 << 20;

/// How many paths one child is given.
const AT_ONCE: usize = 500;

impl Repo {
    /// Returns the contents of objects by their ids; those that are too large to be read, or are no
    /// blobs, are left out.
    pub(super) async fn blobs(&self, ids: &[&str]) -> anyhow::Result<HashMap<String, Vec<u8>>> {
        let asked = |ids: &mut dyn Iterator<Item = &str>| {
            ids.flat_map(|id| [id, "\n"]).collect::<String>().into_bytes()
        };
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let git =
            self.git("cat-file").arg("--batch-check=%(objectname) %(objecttype) %(objectsize)");
        let sizes = text(&git.stdin(asked(&mut ids.iter().copied())).bytes().await?);
        let small = sizes.lines().filter_map(|line| {
            let mut words = line.split(' ');
            let (id, kind, size) = (words.next()?, words.next()?, words.next()?);
            (kind == "blob" && size.parse::<u64>().ok()? <= LARGEST).then_some(id)
        });
        let small: Vec<&str> = small.collect();
        let git = self.git("cat-file").arg("--batch").limit(LONG).most(MOST);
        parse(&git.stdin(asked(&mut small.iter().copied())).bytes().await?)
    }

    /// Returns mode and id of the paths that a tree has.
    pub(super) async fn entries(
        &self,
        tree: &str,
        paths: &[&[u8]],
    ) -> anyhow::Result<HashMap<Vec<u8>, (String, String)>> {
        let mut found = HashMap::new();
        for some in paths.chunks(AT_ONCE) {
            let git = self.git("ls-tree").args(["-r", "-z", "--full-tree", tree, "--"]);
            let git = git.args(some.iter().map(|name| super::command::path(name)));
            for record in fields(&git.bytes().await?).filter(|record| !record.is_empty()) {
                let at = record.iter().position(|byte| *byte == b'\t');
                let at = at.context("git ls-tree wrote something new")?;
                let head = text(&record[..at]);
                let words: Vec<&str> = head.split(' ').collect();
                let [mode, _, id] = words[..] else { bail!("git ls-tree wrote something new") };
                found.insert(record[at + 1..].to_vec(), (mode.to_owned(), id.to_owned()));
            }
        }
        Ok(found)
    }
}

/// Reads, for each object: its id, type and size on a line, its bytes, a line break.
fn parse(mut bytes: &[u8]) -> anyhow::Result<HashMap<String, Vec<u8>>> {
    let mut found = HashMap::new();
    while !bytes.is_empty() {
        let end = memchr::memchr(b'\n', bytes).context("git cat-file was cut short")?;
        let head = text(&bytes[..end]);
        let mut words = head.split(' ');
        let (id, size) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        let size: usize = size.parse().with_context(|| format!("git cat-file said `{head}`"))?;
        let rest = &bytes[end + 1..];
        let content = rest.get(..size).context("git cat-file was cut short")?;
        found.insert(id.to_owned(), content.to_vec());
        bytes = rest.get(size + 1..).unwrap_or_default();
    }
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn contents_are_cut_by_their_sizes() {
        let found = parse(b"aa blob 3\na\nb\nbb blob 0\n\n").unwrap();
        assert_eq!((&*found["aa"], &*found["bb"]), (&b"a\nb"[..], &b""[..]));
        assert!(parse(b"aa blob 9\na").is_err());
    }
}
