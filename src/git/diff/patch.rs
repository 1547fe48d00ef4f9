//! A patch that somebody else's git has written, read back: which files, and how many lines.
//!
//! The form is that of `git diff` with the prefixes `a/` and `b/`; paths with special characters are
//! quoted as in C. Lines are counted by the lengths that hunks name, so that a removed line `-- a` is
//! none of a header.

use super::{Diff, FileDiff, flag};
use crate::error::{Error, Kind, Result};

impl Diff {
    /// Reads a patch.
    ///
    /// # Errors
    /// [`Kind::Git`] when it is none of git's.
    pub fn of_patch(patch: Vec<u8>) -> Result<Self> {
        let mut diff = Self::default();
        let mut hunk = (0u64, 0u64);
        for line in patch.split(|byte| *byte == b'\n') {
            if hunk != (0, 0) {
                count(line, &mut hunk, diff.files.last_mut());
                continue;
            }
            let line = String::from_utf8_lossy(line);
            if let Some(names) = line.strip_prefix("diff --git ") {
                let (old, new) = both(names).ok_or_else(|| {
                    Error::new(
                        Kind::Git,
                        format!("the patch has a file that nobody can name: `{names}`"),
                    )
                })?;
                let old_path = (old != new).then_some(old);
                let (additions, deletions) = (Some(0), Some(0));
                diff.files.push(FileDiff {
                    path: new,
                    old_path,
                    status: "modified",
                    additions,
                    deletions,
                    ..FileDiff::default()
                });
            } else if let Some(file) = diff.files.last_mut() {
                hunk = header(file, &line);
            } else if !line.is_empty() {
                return Err(Error::new(Kind::Git, format!("`{line}` begins no patch")));
            }
        }
        let hooks = None;
        for file in &mut diff.files {
            if !matches!(file.status, "renamed" | "copied") {
                file.old_path = None;
            }
            file.flags = flag::flags(file, hooks);
            diff.additions += file.additions.unwrap_or_default();
            diff.deletions += file.deletions.unwrap_or_default();
        }
        diff.patch = patch;
        Ok(diff)
    }
}

/// Counts a line of a hunk, of which so many are left on the old and on the new side.
fn count(line: &[u8], left: &mut (u64, u64), file: Option<&mut FileDiff>) {
    let Some(file) = file else { return };
    match line.first() {
        Some(b'+') => {
            left.1 = left.1.saturating_sub(1);
            file.additions = file.additions.map(|count| count + 1);
        }
        Some(b'-') => {
            left.0 = left.0.saturating_sub(1);
            file.deletions = file.deletions.map(|count| count + 1);
        }
        // "\ No newline at end of file"
        Some(b'\\') => {}
        _ => *left = (left.0.saturating_sub(1), left.1.saturating_sub(1)),
    }
}

/// Takes in a line between two hunks; returns how many lines of both sides follow.
fn header(file: &mut FileDiff, line: &str) -> (u64, u64) {
    let mode = |text: &str| Some(text.trim().to_owned());
    if let Some(rest) = line.strip_prefix("@@ ") {
        let mut ranges = rest.split(' ');
        let mut length = |sign: char| {
            let range = ranges.next()?.strip_prefix(sign)?;
            range.split_once(',').map_or(Some(1), |(_, length)| length.parse().ok())
        };
        return (length('-').unwrap_or_default(), length('+').unwrap_or_default());
    }
    if let Some(text) = line.strip_prefix("new file mode ") {
        (file.status, file.new_mode) = ("added", mode(text));
    } else if let Some(text) = line.strip_prefix("deleted file mode ") {
        (file.status, file.old_mode) = ("deleted", mode(text));
    } else if let Some(text) = line.strip_prefix("old mode ") {
        file.old_mode = mode(text);
    } else if let Some(text) = line.strip_prefix("new mode ") {
        file.new_mode = mode(text);
    } else if let Some(text) = line.strip_prefix("rename from ") {
        (file.status, file.old_path) = ("renamed", Some(unquoted(text)));
    } else if let Some(text) = line.strip_prefix("copy from ") {
        (file.status, file.old_path) = ("copied", Some(unquoted(text)));
    } else if let Some(text) = line.strip_prefix("rename to ").or(line.strip_prefix("copy to ")) {
        file.path = unquoted(text);
    } else if let Some((_, text)) = line.strip_prefix("index ").and_then(|ids| ids.split_once(' '))
    {
        (file.old_mode, file.new_mode) = (mode(text), mode(text));
    } else if line.starts_with("Binary files ") || line == "GIT binary patch" {
        file.binary = true;
        (file.additions, file.deletions) = (None, None);
    }
    (0, 0)
}

/// Reads `a/x b/x`, where either may be quoted; nothing else says where one path ends, but they are the
/// same unless lines that follow name both.
fn both(names: &str) -> Option<(String, String)> {
    let (old, new) = if names.starts_with('"') {
        let end = closing(names)?;
        (names.get(..=end)?, names.get(end + 2..)?)
    } else if names.ends_with('"') {
        names.split_once(" \"").map(|(old, _)| (old, &names[old.len() + 1..]))?
    } else {
        let middle = names.len() / 2;
        let halves = names.is_char_boundary(middle).then(|| names.split_at(middle));
        let same = halves.filter(|(old, new)| {
            new.strip_prefix(' ').is_some_and(|new| new.get(2..) == old.get(2..))
        });
        same.map(|(old, new)| (old, &new[1..])).or_else(|| {
            let at = names.find(" b/")?;
            Some((&names[..at], &names[at + 1..]))
        })?
    };
    let plain = |name: &str| unquoted(name).get(2..).map(str::to_owned);
    Some((plain(old)?, plain(new)?))
}

/// Returns where the quotation ends that a text begins with.
fn closing(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().enumerate().skip(1).find_map(|(at, byte)| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends.then_some(at)
    })
}

/// Takes the quotes off a path.
fn unquoted(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return name.to_owned();
    };
    let (mut bytes, mut rest) = (Vec::new(), inner.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'r') => bytes.push(b'\r'),
            Some(first @ b'0'..=b'7') => {
                let digits = [Some(first), rest.next(), rest.next()];
                let value = digits.into_iter().flatten();
                bytes.push(value.fold(0u8, |all, digit| {
                    all.wrapping_mul(8).wrapping_add(digit.wrapping_sub(b'0'))
                }));
            }
            Some(other) => bytes.push(other),
            None => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_patch_is_refused() {
        assert!(Diff::of_patch(b"<html>".to_vec()).is_err());
        assert_eq!(Diff::of_patch(Vec::new()).unwrap(), Diff::default());
    }

    #[test]
    fn names_are_told_apart() {
        for (names, old, new) in [
            ("a/x y b/x y", "x y", "x y"),
            ("a/x b/y", "x", "y"),
            (r#""a/\303\244 \"q\"" "b/\303\244 \"q\"""#, "ä \"q\"", "ä \"q\""),
            (r#"a/x "b/\ty""#, "x", "\ty"),
        ] {
            assert_eq!(both(names).unwrap(), (old.to_owned(), new.to_owned()), "{names}");
        }
    }
}
