//! The places of a file at which two sides changed it differently, with what the base has there: what
//! `git merge-file --diff3` writes, read.

use anyhow::{Context, bail};

use crate::git::command::{LONG, complaint};
use crate::git::diff::Scratch;
use crate::git::repo::Repo;

/// How many characters a marker has: more than any file has in a row, or it is not looked at.
const MARKER: usize = 60;

/// A place that two sides changed differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hunk {
    pub base: Vec<u8>,
    pub ours: Vec<u8>,
    pub theirs: Vec<u8>,
}

/// A part of a merged file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Lines that are settled.
    Lines(Vec<u8>),
    /// Lines that are not.
    Clash(Hunk),
}

/// Merges three versions of a file; `None` where that cannot be told apart from their own text.
pub(super) async fn pieces(
    repo: &Repo,
    base: &[u8],
    ours: &[u8],
    theirs: &[u8],
) -> anyhow::Result<Option<Vec<Piece>>> {
    let scratch = Scratch::new(repo)?;
    let mut files = Vec::new();
    for (name, bytes) in [("ours", ours), ("base", base), ("theirs", theirs)] {
        if bytes.contains(&0) || bytes.split(|byte| *byte == b'\n').any(is_marker) {
            return Ok(None);
        }
        let file = scratch.path(name);
        std::fs::write(&file, bytes).with_context(|| format!("cannot write `{name}`"))?;
        files.push(file);
    }
    let git = repo.git("merge-file").args(["-p", "-q", "--diff3"]).limit(LONG);
    let git = git.arg(format!("--marker-size={MARKER}")).args(&files);
    let output = git.run().await?;
    match output.code {
        Some(0..128) => parse(&output.stdout).map(Some),
        _ => bail!("git merge-file: {}", complaint(&output)),
    }
}

fn is_marker(line: &[u8]) -> bool {
    marker(line).is_some()
}

/// Returns which marker a line is.
fn marker(line: &[u8]) -> Option<u8> {
    let first = *line.first()?;
    let long = line.len() >= MARKER && line[..MARKER].iter().all(|byte| *byte == first);
    (long && b"<|=>".contains(&first)).then_some(first)
}

fn parse(bytes: &[u8]) -> anyhow::Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let (mut lines, mut open): (Vec<u8>, Option<(Hunk, u8)>) = (Vec::new(), None);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match (marker(line), &mut open) {
            (None, None) => lines.extend_from_slice(line),
            (None, Some((hunk, part))) => match part {
                b'<' => hunk.ours.extend_from_slice(line),
                b'|' => hunk.base.extend_from_slice(line),
                _ => hunk.theirs.extend_from_slice(line),
            },
            (Some(b'<'), None) => {
                if !lines.is_empty() {
                    pieces.push(Piece::Lines(std::mem::take(&mut lines)));
                }
                open = Some((Hunk::default(), b'<'));
            }
            (Some(b'>'), Some(_)) => pieces.extend(open.take().map(|(hunk, _)| Piece::Clash(hunk))),
            (Some(next), Some((_, part))) => *part = next,
            (Some(_), None) => bail!("git merge-file wrote something new"),
        }
    }
    if open.is_some() {
        bail!("git merge-file was cut short");
    }
    if !lines.is_empty() {
        pieces.push(Piece::Lines(lines));
    }
    Ok(pieces)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn clashes_are_told_from_lines() {
        let line = |first: &str, label: &str| format!("{}{label}\n", first.repeat(MARKER));
        let text = [
            "1\n<<<<<<< not ours\n",
            &line("<", " ours"),
            "a\n",
            &line("|", " base"),
            &line("=", ""),
            "b\n",
            &line(">", " theirs"),
            "2",
        ]
        .concat();
        let hunk = Hunk { base: Vec::new(), ours: b"a\n".to_vec(), theirs: b"b\n".to_vec() };
        let lines = |text: &str| Piece::Lines(text.as_bytes().to_vec());
        let expected = [lines("1\n<<<<<<< not ours\n"), Piece::Clash(hunk), lines("2")];
        assert_eq!(parse(text.as_bytes()).unwrap(), expected);
    }
}
