//! Taking over objects: packed by git in the user's repository, with the agent's objects as an alternate,
//! and taken in by git with every check it has. The agent's git directory is never git's.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::plain::{Entry, Folder};
use super::quote::alternate;
use crate::git::command::{Git, LONG, Place, path, text};
use crate::git::diff::Scratch;
use crate::git::repo::Repo;

/// A pack with fewer objects than this becomes loose objects, as `git fetch` has it: a pack for each agent
/// would slow the user's git down.
const FEW: u32 = 100;

/// The most files that are looked at.
const MOST: usize = 5_000_000;

/// Refuses objects that git should not read: what is borrowed from elsewhere than `borrowed` says, links
/// to elsewhere, pipes.
pub(super) fn check(git_dir: &Folder, borrowed: &[u8]) -> anyhow::Result<()> {
    let top = git_dir.folder(Path::new("objects")).context("`objects`")?;
    let alternates = top.file(Path::new("info/alternates"), 1 << 20);
    if alternates.context("`objects/info/alternates`")?.as_deref() != Some(borrowed) {
        bail!("its objects are borrowed from elsewhere than before");
    }
    if top.folder(Path::new("info"))?.entry(OsStr::new("http-alternates"))?.is_some() {
        bail!("its objects are borrowed from elsewhere than before");
    }
    let mut open = vec![(top, 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = open.pop() {
        for (name, entry) in folder.entries()? {
            seen += 1;
            match entry {
                _ if seen > MOST => bail!("it has too many files"),
                Entry::File => {}
                Entry::Folder if depth < 3 => open.push((folder.folder(&path(&name))?, depth + 1)),
                _ => bail!("`{}` among its objects is no file", text(&name)),
            }
        }
    }
    Ok(())
}

/// Takes what `ids` need and `known` do not reach from `objects` into the repository.
pub(super) async fn take_in(
    repo: &Repo,
    objects: &Path,
    ids: &[String],
    known: &[String],
) -> anyhow::Result<()> {
    let partial = repo.settings().await?.is_partial();
    let scratch = Scratch::new(repo)?;
    let shared = repo.place(repo.common_dir().to_owned(), None);
    if let Some(pack) = packed(repo, &shared, &scratch, objects, ids, known, partial).await? {
        let mut header = [0; 12];
        let mut file = File::open(&pack).context("cannot read the pack")?;
        file.read_exact(&mut header).context("cannot read the pack")?;
        let count = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        let git = match (partial, count < FEW) {
            // What the agent's objects name may be with the remote only.
            (true, _) => git(repo, &shared, "index-pack").args(["--stdin", "--fsck-objects"]),
            (false, true) => git(repo, &shared, "unpack-objects").args(["-q", "--strict"]),
            (false, false) => git(repo, &shared, "index-pack").args(["--stdin", "--strict"]),
        };
        git.input(File::open(&pack).context("cannot read the pack")?).bytes().await?;
    }
    // All of it is there now, or it is not taken over.
    let mut check = git(repo, &shared, "rev-list").args(["--objects", "--quiet", "--stdin"]);
    if partial {
        check = check.arg("--exclude-promisor-objects");
    }
    // Against the refs that were listed: those of other agents come and go meanwhile.
    check.stdin(with_known(ids, known)).bytes().await.map(drop)
}

/// Packs objects into the scratch folder; none when there are none.
async fn packed(
    repo: &Repo,
    shared: &Place,
    scratch: &Scratch,
    objects: &Path,
    ids: &[String],
    known: &[String],
    partial: bool,
) -> anyhow::Result<Option<PathBuf>> {
    // The agent's index of its packs and its graph of commits are only claims.
    let pack = git(repo, shared, "pack-objects")
        .setting("core.commitGraph=false")
        .setting("core.multiPackIndex=false")
        .setting("pack.packSizeLimit=0")
        .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", OsStr::new(&os(alternate(objects))));
    let pack = pack.args(["--revs", "--non-empty", "--quiet", "--no-use-bitmap-index"]);
    let pack = if partial { pack.arg("--exclude-promisor-objects") } else { pack };
    let name = pack.arg(scratch.path("taken")).stdin(with_known(ids, known)).line().await?;
    let file = scratch.path(&format!("taken-{name}.pack"));
    Ok((!name.is_empty()).then_some(file))
}

/// Prepares a child that fetches nothing.
fn git(repo: &Repo, shared: &Place, verb: &str) -> Git {
    repo.git_at(shared, verb).env("GIT_NO_LAZY_FETCH", "1").limit(LONG)
}

/// Names what is wanted and what is there already, for `--stdin` and `--revs`.
fn with_known(ids: &[String], known: &[String]) -> Vec<u8> {
    let wanted = ids.iter().map(|id| format!("{id}\n"));
    wanted.chain(known.iter().map(|id| format!("^{id}\n"))).collect::<String>().into_bytes()
}

fn os(bytes: Vec<u8>) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes)
}
