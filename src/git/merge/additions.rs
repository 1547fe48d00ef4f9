//! Conflicts that need nobody's mind: both sides added lines at the same place and changed nothing
//! there. Both additions stay, the target's first.
//!
//! That is right for lists, imports and functions that come to stand beside each other, and wrong where
//! the two say the same thing twice. So it is done only where nothing of the base is touched, no line is
//! in both, no two lines name the same thing, none leaves the block, and brackets close; and for a file
//! only if all of its conflicts are such. Everything else is left to whoever resolves conflicts.

use std::collections::{BTreeSet, HashMap};

use anyhow::Context;

use super::attempt::HalfMerged;
use super::hunk::{Hunk, Piece, pieces};
use super::sides::{Sides, contents};
use crate::git::command::{fields, text};
use crate::git::diff::Scratch;
use crate::git::repo::Repo;

/// Words that begin a line after which the rest of its block does not run.
const LEAVING: [&str; 8] =
    ["return", "break", "continue", "raise", "throw", "goto", "panic", "exit"];

/// Puts both additions into the files in which that settles everything; returns what is left, and the
/// paths that are settled.
pub(super) async fn settle(
    repo: &Repo,
    half: HalfMerged,
    ours: &str,
) -> anyhow::Result<(HalfMerged, Vec<String>)> {
    let sides: Vec<Sides> = half.sides().into_iter().filter(|one| is_plain(&half, one)).collect();
    let odd = odd_paths(repo, ours, &sides).await?;
    let sides: Vec<Sides> = sides.into_iter().filter(|one| !odd.contains(&one.path)).collect();
    let contents = contents(repo, &sides).await?;
    let mut settled = Vec::new();
    for one in sides {
        if let Some(merged) = merged(repo, &one, &contents).await? {
            settled.push((one, merged));
        }
    }
    if settled.is_empty() {
        return Ok((half, Vec::new()));
    }
    let paths = settled.iter().map(|(one, _)| text(&one.path)).collect();
    Ok((without(repo, half, settled).await?, paths))
}

/// Tells whether a path is a file of one mode on all sides, with no other trouble than its lines.
fn is_plain(half: &HalfMerged, sides: &Sides) -> bool {
    let (Some(base), Some(ours), Some(theirs)) = (&sides.base, &sides.ours, &sides.theirs) else {
        return false;
    };
    let name = text(&sides.path);
    let mut told = half.conflicts.iter().filter(|conflict| conflict.path == name);
    base.is_file()
        && base.mode == ours.mode
        && base.mode == theirs.mode
        && told.all(|conflict| conflict.kind == "contents")
}

/// Returns the paths whose attributes say that they are not merged line by line as text.
async fn odd_paths(repo: &Repo, tree: &str, sides: &[Sides]) -> anyhow::Result<BTreeSet<Vec<u8>>> {
    if sides.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut names = Vec::new();
    for one in sides {
        names.extend_from_slice(&one.path);
        names.push(0);
    }
    let git = repo.git("check-attr").arg(format!("--source={tree}"));
    let git = git.args(["-z", "--stdin", "merge", "text", "filter"]).stdin(names);
    let bytes = git.bytes().await?;
    let fields: Vec<&[u8]> = fields(&bytes).collect();
    let odd = fields.chunks_exact(3).filter(|field| match (field[1], field[2]) {
        (_, b"unspecified") => false,
        (b"merge", value) => value != b"set" && value != b"text",
        (b"text", value) => value == b"unset",
        _ => true,
    });
    Ok(odd.map(|field| field[0].to_vec()).collect())
}

/// Returns a file with all of its additions, if there is nothing else to decide about.
async fn merged(
    repo: &Repo,
    sides: &Sides,
    contents: &HashMap<String, Vec<u8>>,
) -> anyhow::Result<Option<Vec<u8>>> {
    let version = |side: &Option<super::sides::Version>| {
        side.as_ref().and_then(|version| contents.get(&version.id)).filter(|it| it.ends_with(b"\n"))
    };
    let (Some(base), Some(ours), Some(theirs)) =
        (version(&sides.base), version(&sides.ours), version(&sides.theirs))
    else {
        return Ok(None);
    };
    let Some(pieces) = pieces(repo, base, ours, theirs).await? else { return Ok(None) };
    let mut merged = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Lines(lines) => merged.extend(lines),
            Piece::Clash(hunk) if stand_beside(&hunk) => {
                merged.extend(hunk.ours);
                merged.extend(hunk.theirs);
            }
            Piece::Clash(_) => return Ok(None),
        }
    }
    Ok(Some(merged))
}

/// Tells whether two additions can both stay.
fn stand_beside(hunk: &Hunk) -> bool {
    let (Ok(ours), Ok(theirs)) =
        (std::str::from_utf8(&hunk.ours), std::str::from_utf8(&hunk.theirs))
    else {
        return false;
    };
    if !hunk.base.is_empty() || ours.trim().is_empty() || theirs.trim().is_empty() {
        return false;
    }
    let lines = |text| -> BTreeSet<&str> { telling(text).map(str::trim).collect() };
    let names = |text| -> BTreeSet<&str> { telling(text).filter_map(name).collect() };
    lines(ours).is_disjoint(&lines(theirs))
        && names(ours).is_disjoint(&names(theirs))
        && [ours, theirs].into_iter().all(|text| is_closed(text) && !leaves(text))
}

/// Returns the lines that say something.
fn telling(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| super::loss::says_something(line))
}

/// Returns what a line of the outermost level defines or sets: what stands before the first `=`, `:` or
/// `(`.
fn name(line: &str) -> Option<&str> {
    let bytes = line.as_bytes();
    let at = (0..bytes.len()).find(|at| match bytes[*at] {
        b'=' | b'(' => true,
        // A path such as `a::b` is one word.
        b':' => bytes.get(at + 1) != Some(&b':') && (*at == 0 || bytes[at - 1] != b':'),
        _ => false,
    })?;
    Some(line[..at].trim()).filter(|name| !name.is_empty())
}

/// Tells whether as many brackets close as open.
fn is_closed(text: &str) -> bool {
    let count = |wanted: char| text.matches(wanted).count();
    [('(', ')'), ('[', ']'), ('{', '}')].iter().all(|(open, close)| count(*open) == count(*close))
}

/// Tells whether a line of the outermost level ends the run of its block.
fn leaves(text: &str) -> bool {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let outermost = telling(text).map(depth).min().unwrap_or_default();
    telling(text).filter(|line| depth(line) == outermost).any(|line| {
        let word: &str =
            line.trim().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        LEAVING.contains(&word)
    })
}

/// Puts files into the half-merged tree, and takes them from what is in conflict.
async fn without(
    repo: &Repo,
    half: HalfMerged,
    settled: Vec<(Sides, Vec<u8>)>,
) -> anyhow::Result<HalfMerged> {
    let mut entries = Vec::new();
    let mut gone = BTreeSet::new();
    for (sides, content) in settled {
        let git = repo.git("hash-object").args(["-w", "--stdin"]).stdin(content);
        let id = git.line().await?;
        let mode = sides.ours.context("a side is missing")?.mode;
        entries.extend_from_slice(format!("{mode} {id}\t").as_bytes());
        entries.extend_from_slice(&sides.path);
        entries.push(0);
        gone.insert(sides.path);
    }
    let scratch = Scratch::new(repo)?;
    let index = scratch.path("index");
    let git = |verb: &str| repo.git(verb).env("GIT_INDEX_FILE", &index);
    git("read-tree").arg(&half.tree).bytes().await?;
    git("update-index").args(["-z", "--index-info"]).stdin(entries).bytes().await?;
    let tree = git("write-tree").line().await?;
    let is_gone = |record: &[u8]| {
        record.splitn(2, |byte| *byte == b'\t').nth(1).is_some_and(|path| gone.contains(path))
    };
    let left = fields(&half.stages).filter(|record| !record.is_empty() && !is_gone(record));
    let stages = left.flat_map(|record| [record, b"\0"].concat()).collect();
    let names: BTreeSet<String> = gone.iter().map(|name| text(name)).collect();
    Ok(HalfMerged {
        tree,
        stages,
        unmerged: half.unmerged.into_iter().filter(|name| !gone.contains(name)).collect(),
        conflicts: half
            .conflicts
            .into_iter()
            .filter(|conflict| !names.contains(&conflict.path))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both_stay(ours: &str, theirs: &str) -> bool {
        let (ours, theirs) = (ours.as_bytes().to_vec(), theirs.as_bytes().to_vec());
        stand_beside(&Hunk { base: Vec::new(), ours, theirs })
    }

    #[test]
    fn additions_that_say_different_things_stay() {
        for (ours, theirs) in [
            ("import a\n", "import b\n"),
            ("use a::b;\n", "use a::c;\n"),
            ("- one\n", "- two\n- three\n"),
            ("  \"left\": 1,\n", "  \"right\": 2,\n"),
            ("fn a() {\n    return 1;\n}\n\n", "fn b() {\n    return 2;\n}\n\n"),
            // A function that git cut in the middle, on both sides in the same way.
            ("}\n\nfn a() {\n    x();\n", "}\n\nfn b() {\n    y();\n"),
        ] {
            assert!(both_stay(ours, theirs), "{ours} {theirs}");
        }
    }

    #[test]
    fn additions_about_the_same_thing_do_not() {
        for (ours, theirs) in [
            ("import a\nimport b\n", "import b\nimport c\n"),
            ("timeout = 1\n", "timeout = 2\n"),
            ("timeout: 1\n", "timeout: 2\n"),
            ("def f(a):\n    pass\n", "def f(b):\n    pass\n"),
            ("if (a) {\n  b();\n}\n", "if (c) {\n  d();\n}\n"),
            ("  return 1\n", "  log()\n"),
            ("open {\n", "other\n"),
            ("\n", "x\n"),
        ] {
            assert!(!both_stay(ours, theirs), "{ours} {theirs}");
        }
        let base = b"x\n".to_vec();
        assert!(!stand_beside(&Hunk { base, ours: b"a\n".to_vec(), theirs: b"b\n".to_vec() }));
    }
}
