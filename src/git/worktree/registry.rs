//! git's record of a worktree, put in place whole.
//!
//! `git worktree add` writes its record file by file where every git sees it, and a `git fetch` of the
//! user's that looks through the worktrees at that moment dies over what is not there yet. Here the
//! record is written beside and renamed. Its format is that of gitrepository-layout(5).

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::git::diff::Scratch;
use crate::git::repo::Repo;

/// How many records of the same name there may be.
const MOST: u32 = 1000;

/// Makes the folder of a worktree and git's record of it, locked for `reason`, with `head` as the
/// content of its HEAD and no file checked out. Returns `false`, with nothing made, where records hold
/// more than that: the caller lets git make it.
pub(in crate::git) async fn make(
    repo: &Repo,
    path: &Path,
    reason: &str,
    head: &str,
) -> anyhow::Result<bool> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&b'\n') || !repo.settings().await?.keeps_plain_records() {
        return Ok(false);
    }
    let scratch = Scratch::new(repo)?;
    let record = scratch.path("record");
    let link = [bytes, b"/.git\n"].concat();
    std::fs::create_dir(&record).context("cannot make a record")?;
    for (name, content) in [
        ("locked", format!("{reason}\n").as_bytes()),
        ("gitdir", &link),
        ("commondir", b"../..\n"),
        ("HEAD", format!("{head}\n").as_bytes()),
    ] {
        std::fs::write(record.join(name), content)
            .with_context(|| format!("cannot write `{name}` of a record"))?;
    }
    std::fs::create_dir_all(path).with_context(|| format!("cannot make `{}`", path.display()))?;
    let admin = put(repo, &record, path)?;
    drop(scratch);
    crate::crash::point("create.recorded");
    let pointer = [b"gitdir: ", admin.as_os_str().as_bytes(), b"\n"].concat();
    let file = path.join(".git");
    std::fs::write(&file, pointer).with_context(|| format!("cannot write `{}`", file.display()))?;
    Ok(true)
}

/// Moves a record to where git looks for it, under the first free name; returns that.
fn put(repo: &Repo, record: &Path, path: &Path) -> anyhow::Result<PathBuf> {
    let folder = repo.common_dir().join("worktrees");
    let name = path.file_name().context("a worktree without a name")?;
    for number in 0..MOST {
        let mut name = name.to_owned();
        if number > 0 {
            name.push(number.to_string());
        }
        let admin = folder.join(name);
        // A person who removes the last worktree removes the folder.
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
        // A record is a folder with files in it, so nothing of the kind is replaced.
        match std::fs::rename(record, &admin) {
            Ok(()) => return Ok(admin),
            Err(error)
                if [
                    ErrorKind::DirectoryNotEmpty,
                    ErrorKind::AlreadyExists,
                    ErrorKind::NotADirectory,
                ]
                .contains(&error.kind()) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot make `{}`", admin.display()));
            }
        }
    }
    bail!("there are too many worktrees named `{}`", name.display())
}
