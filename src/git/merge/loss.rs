//! What a resolved merge has lost: lines that a side had added to a path in conflict and that the result
//! lacks.
//!
//! Lines are compared without the space around them and counted, so that one which stood there twice may
//! not come out once. Blank lines and those that only close or go on with a block say nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::sides::{Sides, Version, contents};
use crate::git::command::text;
use crate::git::repo::Repo;

/// How many lost lines are listed.
const LISTED: usize = 200;

/// How much of a line is shown.
const SHOWN: usize = 200;

/// Words that alone on a line only hold a block together.
const JOINTS: [&str; 9] = ["else", "end", "fi", "done", "esac", "pass", "begin", "do", "then"];

/// A line that a side had added and that is not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The path.
    pub path: String,
    /// `ours`, the target's, or `theirs`, the branch's.
    pub side: &'static str,
    /// The line, without the space around it.
    pub line: String,
}

/// The lines that a result has lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// The first of them.
    pub lines: Vec<Loss>,
    /// The paths of all of them.
    pub paths: BTreeSet<String>,
    /// How many there are.
    pub total: usize,
}

impl Losses {
    /// Counts, and lists what there is room for.
    fn add(&mut self, path: &str, side: &'static str, line: &str, times: usize) {
        self.total += times;
        self.paths.insert(path.to_owned());
        let room = LISTED.saturating_sub(self.lines.len());
        let cut = line.floor_char_boundary(SHOWN);
        let loss = Loss { path: path.to_owned(), side, line: line[..cut].to_owned() };
        self.lines.extend(std::iter::repeat_n(loss, times.min(room)));
    }
}

/// Compares the paths in conflict with what a tree has there.
pub(super) async fn losses(repo: &Repo, sides: &[Sides], tree: &str) -> anyhow::Result<Losses> {
    let contents = contents(repo, sides).await?;
    let paths: Vec<&[u8]> = sides.iter().map(|one| &*one.path).collect();
    let entries = repo.entries(tree, &paths).await?;
    let ids: Vec<&str> = entries.values().map(|(_, id)| &**id).collect();
    let results = repo.blobs(&ids).await?;
    let mut losses = Losses::default();
    for one in sides {
        let result = entries.get(&one.path).and_then(|(_, id)| results.get(id));
        let (Some(file), gone) = (file_of(one, &contents), !entries.contains_key(&one.path)) else {
            continue;
        };
        match result {
            Some(result) if !result.contains(&0) => {
                file.lost(&text(&one.path), result, &mut losses);
            }
            None if gone => file.lost(&text(&one.path), b"", &mut losses),
            // Made another kind of thing, or too large to be read.
            _ => {}
        }
    }
    Ok(losses)
}

/// Returns the sides of a file with lines; of links, repositories and binary files there are none.
fn file_of<'c>(sides: &Sides, contents: &'c HashMap<String, Vec<u8>>) -> Option<File<'c>> {
    let read = |version: &Option<Version>| match version {
        None => Some(&b""[..]),
        Some(version) if !version.is_file() => None,
        Some(version) => {
            contents.get(&version.id).map(|bytes| &**bytes).filter(|bytes| !bytes.contains(&0))
        }
    };
    let (base, ours, theirs) = (read(&sides.base)?, read(&sides.ours)?, read(&sides.theirs)?);
    Some(File { base: counted(base), ours: counted(ours), theirs: counted(theirs) })
}

type Counts<'c> = BTreeMap<Cow<'c, str>, usize>;

/// The lines of a file's sides, with how often each is there.
struct File<'c> {
    base: Counts<'c>,
    ours: Counts<'c>,
    theirs: Counts<'c>,
}

impl File<'_> {
    /// Adds what a result has lost.
    fn lost(&self, path: &str, result: &[u8], losses: &mut Losses) {
        let result = counted(result);
        for (side, own, other) in
            [("ours", &self.ours, &self.theirs), ("theirs", &self.theirs, &self.ours)]
        {
            for (line, count) in own {
                let of = |counts: &Counts<'_>| counts.get(line).copied().unwrap_or_default();
                let added = count.saturating_sub(of(&self.base));
                // The copies that the other side took away need not be there.
                let wanted = of(&self.base).min(of(other)) + added;
                let lacking = added.min(wanted.saturating_sub(of(&result)));
                if lacking > 0 {
                    losses.add(path, side, line, lacking);
                }
            }
        }
    }
}

fn counted(bytes: &[u8]) -> Counts<'_> {
    let mut counts = Counts::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line.trim_ascii());
        if says_something(&line) {
            *counts.entry(line).or_default() += 1;
        }
    }
    counts
}

/// Tells whether a line is more than space, brackets and the words that hold a block together.
pub(super) fn says_something(line: &str) -> bool {
    let word = line.trim_matches(|c: char| !c.is_alphanumeric());
    !word.is_empty() && !JOINTS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(base: &str, ours: &str, theirs: &str, result: &str) -> Vec<(&'static str, String)> {
        let file = File {
            base: counted(base.as_bytes()),
            ours: counted(ours.as_bytes()),
            theirs: counted(theirs.as_bytes()),
        };
        let mut losses = Losses::default();
        file.lost("f", result.as_bytes(), &mut losses);
        assert_eq!(losses.total, losses.lines.len());
        losses.lines.into_iter().map(|loss| (loss.side, loss.line)).collect()
    }

    #[test]
    fn what_a_side_added_has_to_be_there() {
        let none: Vec<(&str, String)> = Vec::new();
        assert_eq!(lost("a\n", "a\nb\n", "a\nc\n", "a\n  c\nb\n"), none);
        assert_eq!(lost("a\n", "a\nb\n", "a\nc\n", "a\nc\n"), [("ours", "b".to_owned())]);
        assert_eq!(lost("a\n", "b\n", "c\n", "d\n").len(), 2, "one of each");
        assert_eq!(lost("a\n", "a\n}\n\n", "c\n", "c\n"), none, "brackets say nothing");
        // The same line from both sides once is enough.
        assert_eq!(lost("", "x\n", "x\n", "x\n"), none);
        // A copy that was there before does not stand for the one that was added, unless the other
        // side took it away.
        assert_eq!(lost("x\n", "x\nx\n", "x\ny\n", "x\ny\n"), [("ours", "x".to_owned())]);
        assert_eq!(lost("x\n", "x\nx\n", "y\n", "x\ny\n"), none);
    }
}
