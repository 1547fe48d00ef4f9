//! Taking in what an agent did to refs: where its branch is, and what else it made or moved, which goes
//! under a name of agentlua's. Nothing of the user's moves here.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::plain::Folder;
use super::refs::{self, Packed, Pointed, Refs};
use super::{borrowed, objects, started_with};
use crate::git::command::text;
use crate::git::repo::Repo;
use crate::git::worktree::Worktree;

/// A ref that holds something an agent made beside its branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The full name of the ref.
    pub name: String,
    /// What it was in the agent's repository, in words.
    pub what: String,
}

/// A git directory of an agent's that stays, because something in it is nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it, or why it could not be read.
    pub why: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stands = if self.path.symlink_metadata().is_ok() { "is kept" } else { "is gone" };
        write!(f, "`{}` {stands}: {}", self.path.display(), self.why)
    }
}

/// What an agent did to refs.
#[derive(Debug, Default)]
pub(in crate::git) struct Brought {
    /// What the branch was when the agent entered.
    pub start: Option<String>,
    /// Where the agent has its branch; absent when it did not move it, or deleted it.
    pub tip: Option<String>,
    /// What else it made, as refs that are there now.
    pub kept: Vec<Kept>,
    /// What could not be taken in.
    pub left: Option<Left>,
    /// Whether HEAD is on the branch.
    pub on_branch: bool,
}

/// Something to put a ref on.
struct Wanted {
    name: Vec<u8>,
    id: String,
    what: String,
}

/// What was read in an agent's git directory.
struct Found {
    tip: Option<String>,
    head: Pointed,
    wanted: Vec<Wanted>,
    /// Why the directory has to stay, if it does.
    left: Option<String>,
}

/// Takes in what the agent of a worktree made, and says where its branch is. Done again it changes nothing.
pub(in crate::git) async fn take(worktree: &Worktree) -> anyhow::Result<Brought> {
    if !worktree.is_entered() {
        return beside(worktree).await;
    }
    let digits = worktree.base_commit().len();
    let start = Arc::new(started_with(worktree, digits)?);
    let branch = format!("refs/heads/{}", worktree.branch()).into_bytes();
    let mut brought =
        Brought { start: start.refs.get(&branch).cloned(), on_branch: true, ..Brought::default() };
    let dir = worktree.private_dir();
    let unused = [worktree.unfinished_dir(), worktree.emptied_dir()];
    if !dir.exists() && unused.iter().any(|dir| dir.is_dir()) {
        return Ok(brought); // A crash came before it was used, or after all was taken in.
    }
    let left = |why: String| Some(Left { path: dir.clone(), why });
    if dir.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        brought.left = left("the agent deleted it, with what it had committed there".to_owned());
        return Ok(brought);
    }
    let looked = {
        let (worktree, start) = (worktree.clone(), Arc::clone(&start));
        let read = move || look(&worktree, &start, digits);
        tokio::task::spawn_blocking(read).await.context("a reader of refs ended early")?
    };
    let mut found = match looked {
        Ok(found) => found,
        Err(why) => {
            brought.left = left(format!("it could not be read: {why:#}"));
            return Ok(brought);
        }
    };
    brought.left = found.left.take().and_then(left);
    if found.tip.is_none() && found.wanted.is_empty() {
        return Ok(brought);
    }
    let listed = worktree.repo().all_refs().await?;
    let here: Refs = listed.into_iter().map(|listed| (listed.name, listed.id)).collect();
    if let Err(why) = bring(worktree, &mut found, &start.refs, &here).await {
        brought.left = left(format!("its commits could not be taken in: {why:#}"));
        return Ok(brought);
    }
    brought.tip = found.tip;
    brought.kept = keep(worktree.repo(), &worktree.namespace(), found.wanted, &here).await?;
    Ok(brought)
}

/// Reads the agent's git directory.
fn look(worktree: &Worktree, start: &Packed, digits: usize) -> anyhow::Result<Found> {
    let dir = Folder::open(&worktree.private_dir())?;
    if dir.entry("reftable".as_ref())?.is_some() {
        anyhow::bail!("its refs are kept in a table");
    }
    let (head, refs) = (refs::head(&dir, digits)?, refs::read(&dir, digits, Some(start))?);
    let branch = format!("refs/heads/{}", worktree.branch()).into_bytes();
    let moved = |name: &[u8]| refs.get(name).filter(|id| start.refs.get(name) != Some(*id));
    let namespace = worktree.namespace();
    let mut wanted = Vec::new();
    for name in refs.keys().filter(|name| **name != branch) {
        let (Some(id), Some((place, what))) = (moved(name), beside_branch(name)) else { continue };
        let name = [namespace.as_bytes(), b"/", &place].concat();
        wanted.push(Wanted { name, id: id.clone(), what });
    }
    for (number, id) in refs::stashes(&dir, &refs, digits)?.into_iter().enumerate() {
        let name = format!("{namespace}/stash/{number}").into_bytes();
        wanted.push(Wanted { name, id, what: format!("`stash@{{{number}}}`") });
    }
    for (number, id) in put_aside(&dir, digits).into_iter().enumerate() {
        let number = if number == 0 { String::new() } else { format!("-{}", number + 1) };
        let name = format!("{namespace}/autostash{number}").into_bytes();
        wanted.push(Wanted { name, id, what: "what git had put aside (autostash)".to_owned() });
    }
    let tip = moved(&branch).cloned();
    if let Pointed::Commit(id) = &head
        && Some(id) != refs.get(&branch)
        && !start
            .refs
            .values()
            .chain(wanted.iter().map(|wanted| &wanted.id))
            .any(|known| known == id)
    {
        let name = format!("{namespace}/HEAD").into_bytes();
        wanted.push(Wanted { name, id: id.clone(), what: "HEAD".to_owned() });
    }
    if tip.is_some() || !wanted.is_empty() {
        objects::check(&dir, &borrowed(worktree))?;
    }
    Ok(Found { tip, head, wanted, left: rest(&dir)? })
}

/// Says under which name a ref of the agent's is kept, and what it is; nothing for those that hold what
/// others have made, or that only say how to look at it.
fn beside_branch(name: &[u8]) -> Option<(Vec<u8>, String)> {
    let rest = name.strip_prefix(b"refs/")?;
    for (prefix, kind) in [("heads/", "branch"), ("tags/", "tag"), ("notes/", "notes")] {
        if let Some(short) = rest.strip_prefix(prefix.as_bytes()) {
            return Some((rest.to_vec(), format!("{kind} `{}`", text(short))));
        }
    }
    let others: [&[u8]; 6] =
        [b"remotes/", b"stash", b"replace/", b"bisect/", b"rewritten/", b"prefetch/"];
    if others.iter().any(|other| rest.starts_with(other)) {
        return None;
    }
    Some((name.to_vec(), format!("ref `{}`", text(name))))
}

/// Returns what git has put aside for an operation that did not end: no ref has it.
fn put_aside(dir: &Folder, digits: usize) -> Vec<String> {
    let mut found = Vec::new();
    for name in ["rebase-merge/autostash", "rebase-apply/autostash", "MERGE_AUTOSTASH"] {
        if let Ok(Some(bytes)) = dir.file(Path::new(name), 4096)
            && let Ok(id) = refs::hex(bytes.trim_ascii(), digits)
        {
            found.push(id);
        }
    }
    found
}

/// Says what is in a git directory beside objects and refs that is nowhere else.
fn rest(dir: &Folder) -> anyhow::Result<Option<String>> {
    for (name, what) in
        [("modules", "repositories of submodules"), ("worktrees", "worktrees that the agent made")]
    {
        if dir.entry(name.as_ref())?.is_some() && !dir.folder(Path::new(name))?.is_empty()? {
            return Ok(Some(format!("it has {what}")));
        }
    }
    Ok(None)
}

/// Takes over the objects.
async fn bring(
    worktree: &Worktree,
    found: &mut Found,
    start: &Refs,
    here: &Refs,
) -> anyhow::Result<()> {
    let repo = worktree.repo();
    let ids: BTreeSet<_> =
        found.wanted.iter().map(|wanted| &wanted.id).chain(&found.tip).cloned().collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let known: BTreeSet<_> = here.values().filter(|id| !id.is_empty()).cloned().collect();
    let known: Vec<_> = known.into_iter().collect();
    objects::take_in(repo, &worktree.private_dir().join("objects"), &ids, &known).await?;
    if let Some(tip) = &found.tip
        && repo.git("cat-file").args(["-t", tip]).line().await? != "commit"
    {
        let name = format!("{}/branch", worktree.namespace()).into_bytes();
        let what = format!("branch `{}`", worktree.branch());
        found.wanted.extend(found.tip.take().map(|id| Wanted { name, id, what }));
    }
    // A detached HEAD on the branch's own history needs no ref.
    if let Pointed::Commit(head) = &found.head {
        let branch = format!("refs/heads/{}", worktree.branch()).into_bytes();
        let own = found.tip.as_ref().or(start.get(&branch));
        if let Some(own) = own
            && repo.is_ancestor(head, own).await?
        {
            found.wanted.retain(|wanted| !wanted.name.ends_with(b"/HEAD") || wanted.what != "HEAD");
        }
    }
    Ok(())
}

/// Puts refs on what is wanted: all of them at once, or each under its id where a name cannot be.
async fn keep(
    repo: &Repo,
    namespace: &str,
    wanted: Vec<Wanted>,
    here: &Refs,
) -> anyhow::Result<Vec<Kept>> {
    let mut commands = Vec::new();
    for Wanted { name, id, .. } in &wanted {
        let old = here.get(name).map_or_else(|| "0".repeat(id.len()), Clone::clone);
        if old != *id {
            for part in [b"update ", &name[..], b"\0", id.as_bytes(), b"\0", old.as_bytes(), b"\0"]
            {
                commands.extend_from_slice(part);
            }
        }
    }
    let mut fits = true;
    if !commands.is_empty() {
        let update = repo.git("update-ref").args(["-m", "agentlua: keep", "--stdin", "-z"]);
        fits = update.stdin(commands).run().await?.code == Some(0);
    }
    let mut kept = Vec::new();
    for Wanted { name, id, what } in wanted {
        let mut name = text(&name);
        if !fits {
            name = format!("{namespace}/other/{id}");
            super::hold(repo, &name, &id).await?;
        }
        kept.push(Kept { name, what });
    }
    Ok(kept)
}

/// Keeps what HEAD points to in a worktree that no agent has entered, where the branch does not hold it.
async fn beside(worktree: &Worktree) -> anyhow::Result<Brought> {
    let repo = worktree.repo();
    let branch = format!("refs/heads/{}", worktree.branch());
    let head = Folder::open(worktree.admin())
        .map_err(anyhow::Error::from)
        .and_then(|admin| refs::head(&admin, worktree.base_commit().len()));
    let on_branch = matches!(&head, Ok(Pointed::Ref(name)) if *name == branch.as_bytes());
    let mut brought = Brought { on_branch, ..Brought::default() };
    let Ok(Pointed::Commit(id)) = head else { return Ok(brought) };
    let tip = repo.tip(&branch).await?.unwrap_or_else(|| worktree.base_commit().to_owned());
    if repo.is_ancestor(&id, &tip).await? {
        return Ok(brought);
    }
    let name = format!("{}/HEAD", worktree.namespace());
    super::hold(repo, &name, &id).await?;
    brought.kept.push(Kept { name, what: "HEAD".to_owned() });
    Ok(brought)
}
