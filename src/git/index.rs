//! Copies of an index.
//!
//! Git takes a file for unchanged when its size and time are those in the index, unless its time is
//! not older than the index file's own, to the second: then it looks inside. A copy must therefore
//! keep the time of its source, or an edit in the second of a checkout would never be seen.

use std::fs::File;
use std::path::Path;

use anyhow::Context;

/// Copies an index to where there is none, time included.
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = std::fs::copy(from, to).and_then(|_| {
        let time = from.metadata()?.modified()?;
        File::options().write(true).open(to)?.set_modified(time)
    });
    copied.with_context(|| format!("cannot copy `{}`", from.display()))
}

/// Puts a copy of an index in place of another, whole: a file beside it, then a rename.
pub(super) fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = to.with_file_name(name);
    let renamed = copy(from, &fresh).and_then(|()| {
        std::fs::rename(&fresh, to).with_context(|| format!("cannot write `{}`", to.display()))
    });
    renamed.inspect_err(|_| {
        let _ = std::fs::remove_file(&fresh);
    })
}
