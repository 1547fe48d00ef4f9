//! Which branches would conflict: every pair merged in memory by one git child.
//!
//! The merges write objects; they go into a folder that is thrown away, and no ref moves.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, bail};

use super::command::{LONG, fields, text};
use super::diff::Scratch;
use super::repo::Repo;
use crate::error::{Kind, Result, ResultExt};

/// Two branches that would conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The one, as it was named.
    pub a: String,
    /// The other, as it was named.
    pub b: String,
    /// The paths in conflict, sorted.
    pub paths: Vec<String>,
}

/// Returns the pairs of `revs` that would conflict. Histories without a common base are merged as if
/// from nothing, so they clash where they have the same paths.
///
/// # Errors
/// [`Kind::Git`] when a revision names no commit.
pub async fn conflicts(repo: &Repo, revs: &[String]) -> Result<Vec<Clash>> {
    let mut ids = Vec::with_capacity(revs.len());
    for rev in revs {
        ids.push(repo.resolve(rev).await?);
    }
    let pairs: Vec<(usize, usize)> =
        (0..ids.len()).flat_map(|a| (a + 1..ids.len()).map(move |b| (a, b))).collect();
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let verdicts =
        probe(repo, &ids, &pairs).await.or_kind(Kind::Git, || "cannot look for conflicts")?;
    let clashes = pairs.iter().zip(verdicts).filter_map(|((a, b), paths)| {
        Some(Clash { a: revs[*a].clone(), b: revs[*b].clone(), paths: paths? })
    });
    Ok(clashes.collect())
}

/// Merges every pair; of a conflict returns the paths.
async fn probe(
    repo: &Repo,
    ids: &[String],
    pairs: &[(usize, usize)],
) -> anyhow::Result<Vec<Option<Vec<String>>>> {
    let scratch = Scratch::new(repo)?;
    let objects = scratch.path("objects");
    std::fs::create_dir(&objects).context("cannot make a folder for trial merges")?;
    let lines: Vec<String> =
        pairs.iter().map(|(a, b)| format!("{} {}\n", ids[*a], ids[*b])).collect();
    let git = repo.git("merge-tree").args(["--write-tree", "--stdin", "--name-only"]);
    let bytes = git
        .args(["--no-messages", "--allow-unrelated-histories"])
        .env("GIT_OBJECT_DIRECTORY", &objects)
        .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&repo.common_dir().join("objects")))
        .stdin(lines.concat().into_bytes())
        .limit(LONG)
        .bytes()
        .await?;
    let verdicts = parse(&bytes)?;
    if verdicts.len() != pairs.len() {
        bail!("git merge-tree answered {} of {} merges", verdicts.len(), pairs.len());
    }
    Ok(verdicts)
}

/// Quotes a path for a list of paths that colons separate.
fn quoted(path: &Path) -> OsString {
    let mut quoted = OsString::from("\"");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'"' | b'\\' => {
                quoted.push("\\");
                quoted.push(std::ffi::OsStr::from_bytes(&[*byte]));
            }
            b'\n' => quoted.push("\\n"),
            _ => quoted.push(std::ffi::OsStr::from_bytes(&[*byte])),
        }
    }
    quoted.push("\"");
    quoted
}

/// Reads, for each merge: `1` or `0`, the tree, the paths in conflict, an empty field; all ended by
/// NULs.
fn parse(bytes: &[u8]) -> anyhow::Result<Vec<Option<Vec<String>>>> {
    let mut verdicts = Vec::new();
    let mut fields = fields(bytes).peekable();
    while let Some(verdict) = fields.next() {
        let clean = match verdict {
            b"1" => true,
            b"0" => false,
            b"" | b"\n" if fields.peek().is_none() => break,
            _ => bail!("git merge-tree answered `{}`", text(verdict)),
        };
        fields.next();
        let mut paths: Vec<String> =
            fields.by_ref().take_while(|path| !path.is_empty()).map(text).collect();
        paths.sort();
        paths.dedup();
        verdicts.push(if clean { None } else { Some(paths) });
    }
    Ok(verdicts)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_batch_are_told_apart() {
        let said = b"0\0bd0f\0b\0a\0\x001\08558\0\x000\0f2d4\0c d\0\0";
        let verdicts = parse(said).unwrap();
        let paths = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(verdicts, [paths(&["a", "b"]), None, paths(&["c d"])]);
    }
}
