//! What `git diff --raw --numstat --patch -z` writes: raw records, counts, a NUL, the patch.

use std::collections::HashMap;

use anyhow::{Context, bail};

use super::{Diff, FileDiff};
use crate::git::command::text;

/// The files of a diff as git names them: what the text of a path may have lost.
pub(super) struct Raw {
    /// The path on the new side.
    pub path: Vec<u8>,
    /// The object on the new side; zeros if it is a file of the checkout that git has not stored.
    pub id: String,
}

/// Reads what git wrote; flags and targets are not in it.
pub(super) fn parse(bytes: &[u8]) -> anyhow::Result<(Diff, Vec<Raw>)> {
    let mut rest = Fields(bytes);
    let mut diff = Diff::default();
    let mut raw: Vec<Raw> = Vec::new();
    let mut place: HashMap<&[u8], usize> = HashMap::new();
    while rest.0.first() == Some(&b':') {
        let record = text(&rest.next()?[1..]);
        let [old_mode, new_mode, _, id, letter] = record
            .split(' ')
            .collect::<Vec<_>>()
            .try_into()
            .ok()
            .with_context(|| format!("git diff wrote `{record}`"))?;
        let status = status(letter);
        let first = rest.next()?;
        let (path, old_path) = match status {
            "renamed" | "copied" => (rest.next()?, Some(text(first))),
            _ => (first, None),
        };
        // An unmerged path has a second record.
        if place.contains_key(path) {
            continue;
        }
        place.insert(path, diff.files.len());
        diff.files.push(FileDiff {
            path: text(path),
            old_path,
            status,
            old_mode: mode(old_mode),
            new_mode: mode(new_mode),
            ..FileDiff::default()
        });
        raw.push(Raw { path: path.to_vec(), id: id.to_owned() });
    }
    while !rest.0.is_empty() && rest.0[0] != 0 {
        let record = rest.next()?;
        let mut columns = record.splitn(3, |byte| *byte == b'\t');
        let mut column = || columns.next().unwrap_or_default();
        let (added, deleted, path) = (column(), column(), column());
        let path = if path.is_empty() {
            rest.next()?;
            rest.next()?
        } else {
            path
        };
        let (additions, deletions) = (number(added), number(deleted));
        diff.additions += additions.unwrap_or_default();
        diff.deletions += deletions.unwrap_or_default();
        if let Some(at) = place.get(path) {
            let file = &mut diff.files[*at];
            (file.additions, file.deletions) = (additions, deletions);
            file.binary = added == b"-";
        }
    }
    diff.patch = rest.0.get(1..).unwrap_or_default().to_vec();
    Ok((diff, raw))
}

/// Takes one object from what `git cat-file --batch` wrote: `id type size`, a line break, the bytes, a
/// line break.
pub(super) fn object<'b>(rest: &mut &'b [u8]) -> anyhow::Result<&'b [u8]> {
    let head = rest.iter().position(|byte| *byte == b'\n').context("git cat-file ended early")?;
    let line = text(&rest[..head]);
    let size = line.rsplit(' ').next().and_then(|size| size.parse::<usize>().ok());
    let size = size.with_context(|| format!("git cat-file wrote `{line}`"))?;
    let found = rest.get(head + 1..head + 1 + size).context("git cat-file ended early")?;
    *rest = rest.get(head + 2 + size..).unwrap_or_default();
    Ok(found)
}

fn mode(word: &str) -> Option<String> {
    Some(word).filter(|word| word.bytes().any(|digit| digit != b'0')).map(str::to_owned)
}

fn status(letter: &str) -> &'static str {
    match letter.bytes().next().unwrap_or_default() {
        b'A' => "added",
        b'D' => "deleted",
        b'R' => "renamed",
        b'C' => "copied",
        b'T' => "type_changed",
        b'U' => "unmerged",
        _ => "modified",
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn next(&mut self) -> anyhow::Result<&'b [u8]> {
        let Some(end) = self.0.iter().position(|byte| *byte == 0) else {
            bail!("git diff ended in the middle of a record");
        };
        let field = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Ok(field)
    }
}
