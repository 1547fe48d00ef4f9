//! Going on in a worktree that an earlier life of the same agent was in: one that was cut off, or that
//! has failed.
//!
//! The commit that its end, or the recovery, put on the branch is folded: the branch ends with one such
//! commit, however often it was gone on with. What it held stays in the chain of the agent's turns
//! first. Whoever has it already keeps it. The files are not touched. Where the folder is gone it is made
//! again, from the branch or from the last snapshot, whichever has more.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Entry, Furnish, New, Record, There, Worktree, leave, list};
use crate::crash;
use crate::error::{Kind, Result, ResultExt};
use crate::git::branch::Taken;
use crate::git::command::{LONG, fields, text};
use crate::git::repo::Repo;
use crate::git::{to_the_end, trash, turns};

/// What an earlier life of an agent has left.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// Its id.
    pub id: String,
    /// Its run.
    pub run: String,
    /// Its branch.
    pub branch: String,
    /// Whether that was made for it.
    pub branch_created: bool,
    /// The commit that it started from.
    pub base_commit: String,
    /// The commit that its branch ended at, as far as that was written down.
    pub head_commit: Option<String>,
    /// Its folder; absent if that was removed.
    pub path: Option<PathBuf>,
    /// How many turns it has had.
    pub turns: u32,
    /// The folder that holds the worktrees of all repositories.
    pub root: PathBuf,
    /// What the worktree gets if it has to be made again.
    pub furnish: Furnish,
    /// Who lends it, where somebody has it open.
    pub lender: Option<String>,
}

impl Worktree {
    /// Goes on where an earlier life has left. Until [`Worktree::settled_in`] it is kept whatever happens.
    ///
    /// # Errors
    /// [`Kind::Git`] when it is in use, no longer what it was, or cannot be made again.
    pub async fn go_on(repo: &Arc<Repo>, before: Before, entry: Entry) -> Result<Self> {
        let repo = Arc::clone(repo);
        to_the_end(async move { go_on(&repo, before, entry).await }, |unwanted| async move {
            let _ = unwanted.hand_back().await;
        })
        .await
    }

    /// Brings a worktree that was made anew, and is as it was made, to the commit `to` that an agent had
    /// left it at in an earlier life. Returns whether it was.
    ///
    /// # Errors
    /// [`Kind::Git`] when it is in use or its files cannot be written.
    pub async fn catch_up(repo: &Arc<Repo>, there: There, from: &str, to: &str) -> Result<bool> {
        let before =
            Before { id: there.id.clone(), base_commit: from.to_owned(), ..Before::default() };
        let (repo, to) = (Arc::clone(repo), to.to_owned());
        to_the_end(
            async move {
                let worktree = Self::reopen(&repo, there).await?;
                let done = caught_up(&worktree, &before, &to).await;
                worktree.hand_back().await?;
                done
            },
            |_| async {},
        )
        .await
    }

    /// Takes off a branch that nobody works on what led it from `to` to `from`, where that is all that is
    /// there; returns the ref under `refs/agentlua/removed/<id>` that keeps it. `None`: the branch, or the
    /// worktree that holds it, is not as it was left, and stays as it is.
    ///
    /// # Errors
    /// [`Kind::Git`] when the worktree is in use or its files cannot be written.
    pub async fn put_back(
        repo: &Arc<Repo>,
        there: There,
        from: &str,
        to: &str,
    ) -> Result<Option<String>> {
        let (repo, from, to) = (Arc::clone(repo), from.to_owned(), to.to_owned());
        let step = async move {
            let mut held = repo.worktrees().await?.into_iter();
            if !held.any(|entry| entry.branch.as_ref() == Some(&there.branch)) {
                let _lock = repo.lock().await?;
                return put_back(&repo, &there, None, &from, &to).await;
            }
            let worktree = Self::reopen(&repo, there.clone()).await?;
            let done = async {
                let _lock = repo.lock().await?;
                put_back(&repo, &there, Some(&worktree), &from, &to).await
            };
            let done = done.await;
            worktree.hand_back().await?;
            done
        };
        to_the_end(step, |_| async {}).await
    }

    /// Tells whether its folder was gone and had to be made again: what git ignores is not there any more.
    pub fn was_remade(&self) -> bool {
        self.terms.remade
    }

    /// Takes the worktree for the agent's own again, if it was made for it: at the end it goes when
    /// nothing has changed.
    #[must_use]
    pub fn settled_in(mut self) -> Self {
        self.terms.reopened = self.path.file_name() != Some(self.id.as_ref());
        self
    }
}

async fn go_on(repo: &Arc<Repo>, before: Before, entry: Entry) -> Result<Worktree> {
    let trouble = || format!("cannot go on where `{}` was cut off", before.id);
    let there = before.path.clone().filter(|path| path.is_dir());
    let mut worktree = if there.is_some() {
        let there = There {
            id: before.id.clone(),
            run: before.run.clone(),
            branch: before.branch.clone(),
            path: there,
            root: before.root.clone(),
            lender: before.lender.clone(),
        };
        Worktree::reopen(repo, there).await?
    } else {
        let mut made = make_again(repo, &before).await?;
        made.terms.remade = true;
        made
    };
    worktree.base_commit.clone_from(&before.base_commit);
    worktree.terms.branch_created = before.branch_created;
    worktree.terms.reopened = true;
    let settled = async {
        if before.lender.is_some()
            && let Some(tip) = afresh(&worktree, &before).await?
        {
            worktree.base_commit = tip;
            worktree.terms.remade = true;
        }
        note(&worktree, entry).await?;
        let _lock = repo.lock().await?;
        if worktree.terms.remade {
            fetch_files(&worktree, &before).await.or_kind(Kind::Git, trouble)?;
        }
        fold(&worktree, &before).await.or_kind(Kind::Git, trouble)
    };
    if let Err(error) = settled.await {
        let _ = worktree.hand_back().await;
        return Err(error);
    }
    Ok(worktree)
}

/// Writes down what is to be done at the next start if it comes to nothing from here: what the end of the
/// agent would do.
async fn note(worktree: &Worktree, entry: Entry) -> Result<()> {
    let Some(Record { pledge, mut life }) = worktree.record() else { return Ok(()) };
    life.base_commit.clone_from(&worktree.base_commit);
    life.branch_created = worktree.terms.branch_created;
    life.reopened = true;
    life.commit = entry.commit;
    life.scope = entry.scope;
    pledge.amend(&life).await?;
    worktree.set_record(Some(Record { pledge, life }));
    crash::point("again.noted");
    Ok(())
}

/// Makes the worktree again at the tip of its branch, and the branch where it went.
async fn make_again(repo: &Arc<Repo>, before: &Before) -> Result<Worktree> {
    let trouble = || format!("cannot make the worktree of `{}` again", before.id);
    if let Some(path) = &before.path {
        let _lock = repo.lock().await?;
        drop_record(repo, &before.id, path).or_kind(Kind::Git, trouble)?;
    }
    let name = format!("refs/heads/{}", before.branch);
    let tip = repo.tip(&name).await.or_kind(Kind::Git, trouble)?;
    let (taken, base_commit) = match tip {
        Some(tip) => (Taken::Continue, tip),
        None => (Taken::Refuse, newest(repo, before).await),
    };
    let new = New {
        id: before.id.clone(),
        run: before.run.clone(),
        branch: before.branch.clone(),
        base_commit,
        root: before.root.clone(),
        taken,
        furnish: before.furnish.clone(),
    };
    Worktree::create(repo, new).await
}

/// Returns the commit that a branch was at which is gone: the last that is known and still there.
async fn newest(repo: &Repo, before: &Before) -> String {
    match &before.head_commit {
        Some(head) if repo.tree(head).await.is_ok() => head.clone(),
        _ => before.base_commit.clone(),
    }
}

/// Returns the tip of a worktree that is lent if it was made since, where the earlier life began, and has
/// nothing of what was done then.
async fn afresh(worktree: &Worktree, before: &Before) -> Result<Option<String>> {
    let repo = &worktree.repo;
    let looked = async {
        let name = format!("refs/heads/{}", worktree.branch);
        let Some(tip) = repo.tip(&name).await? else { return Ok(None) };
        if repo.tree(&tip).await? != repo.tree(&before.base_commit).await? {
            return Ok(None);
        }
        let status = repo.git_at(&worktree.own(), "status").args(["--porcelain"]).limit(LONG);
        status.bytes().await.map(|said| said.is_empty().then_some(tip))
    };
    looked.await.or_kind(Kind::Git, || format!("cannot look at `{}`", worktree.path.display()))
}

/// Puts a branch back under the repository's lock, with the files of the worktree that holds it.
async fn put_back(
    repo: &Repo,
    there: &There,
    holder: Option<&Worktree>,
    from: &str,
    to: &str,
) -> Result<Option<String>> {
    let done = async {
        let name = format!("refs/heads/{}", there.branch);
        if repo.tip(&name).await?.as_deref() != Some(from) {
            return Ok(None);
        }
        if let Some(worktree) = holder {
            let status = repo.git_at(&worktree.own(), "status").args(["--porcelain"]).limit(LONG);
            if !status.bytes().await?.is_empty() {
                return Ok(None);
            }
        }
        let kept = format!("refs/agentlua/removed/{}/branch", there.id);
        if repo.tip(&kept).await?.is_none() {
            repo.move_ref(&kept, from, None, "agentlua: asked again").await?;
        }
        if let Some(worktree) = holder {
            let read = repo.git_at(&worktree.own(), "read-tree").limit(LONG);
            read.args(["-m", "-u", from, to]).bytes().await?;
        }
        repo.move_ref(&name, to, Some(from), "agentlua: asked again").await?;
        Ok::<_, anyhow::Error>(Some(kept))
    };
    done.await.or_kind(Kind::Git, || format!("cannot put `{}` back", there.branch))
}

async fn caught_up(worktree: &Worktree, before: &Before, to: &str) -> Result<bool> {
    let Some(tip) = afresh(worktree, before).await? else { return Ok(false) };
    let repo = &worktree.repo;
    let moved = async {
        let _lock = repo.lock().await?;
        let read = repo.git_at(&worktree.own(), "read-tree").limit(LONG);
        read.args(["-m", "-u", &tip, to]).bytes().await?;
        let name = format!("refs/heads/{}", worktree.branch);
        repo.move_ref(&name, to, Some(&tip), "agentlua: as it was").await
    };
    let shown = worktree.path.display();
    moved.await.or_kind(Kind::Git, || format!("`{shown}` cannot be brought to where it was"))?;
    Ok(true)
}

/// Removes git's record of a worktree whose folder somebody has deleted, unless another has locked it.
fn drop_record(repo: &Repo, id: &str, path: &Path) -> anyhow::Result<()> {
    let Some(admin) = list::admin_dir(repo.common_dir(), path)? else { return Ok(()) };
    if !admin.join("locked").exists() {
        trash::retire(repo, id, &admin)?;
    }
    Ok(())
}

/// Brings the files of a worktree that was made again to what the last snapshot has, unless the tip is
/// what the end of an earlier life put there: then it has them all.
async fn fetch_files(worktree: &Worktree, before: &Before) -> anyhow::Result<()> {
    let repo = &worktree.repo;
    let Some(last) = repo.tip(&turns::chain(&before.run, &before.id)).await? else { return Ok(()) };
    let name = format!("refs/heads/{}", worktree.branch);
    let Some(tip) = repo.tip(&name).await? else { return Ok(()) };
    if end_of_before(repo, &tip, before).await?.is_some()
        || repo.tree(&tip).await? == repo.tree(&last).await?
    {
        return Ok(());
    }
    let read = repo.git_at(&worktree.own(), "read-tree").limit(LONG);
    read.args(["-m", "-u", &tip, &last]).bytes().await?;
    crate::git::index::replace(&worktree.admin.join("index"), &worktree.index())?;
    leave::show_uncommitted(worktree, &tip).await
}

/// Takes the commit off the branch that the end of an earlier life put there. Its files stay.
async fn fold(worktree: &Worktree, before: &Before) -> anyhow::Result<()> {
    let repo = &worktree.repo;
    let name = format!("refs/heads/{}", worktree.branch);
    let Some(tip) = repo.tip(&name).await? else { return Ok(()) };
    let Some(parent) = end_of_before(repo, &tip, before).await? else { return Ok(()) };
    if repo.containing(&tip).await?.iter().any(|holder| *holder != name) {
        return Ok(());
    }
    turns::keep(worktree, before.turns, repo.tree(&tip).await?).await?;
    crash::point("again.kept");
    repo.move_ref(&name, &parent, Some(&tip), "agentlua: goes on").await?;
    crash::point("again.folded");
    leave::show_uncommitted(worktree, &parent).await?;
    crash::point("again.shown");
    Ok(())
}

/// Returns the parent of `tip` if that is the commit which the end of an earlier life, or the recovery for
/// it, has made: it says so, and nothing else is known of the branch.
async fn end_of_before(repo: &Repo, tip: &str, before: &Before) -> anyhow::Result<Option<String>> {
    if tip == before.base_commit {
        return Ok(None);
    }
    let parent = parent_of_end(repo, tip, &before.id, &before.run).await?;
    // The end of a life may be in git and not in the journal: then the journal has what it began with.
    let is_known = |parent: &String| {
        before.head_commit.as_ref().is_none_or(|head| head == tip || head == parent)
    };
    Ok(parent.filter(is_known))
}

/// Returns the parent of a commit that the end of an agent of a run has made, if it says to be one.
async fn parent_of_end(
    repo: &Repo,
    commit: &str,
    agent: &str,
    run: &str,
) -> anyhow::Result<Option<String>> {
    let format = "--format=%P%x00%(trailers:key=Agentlua-Agent,valueonly)%x00\
                  %(trailers:key=Agentlua-Run,valueonly)%x00";
    let git = repo.git("log").args(["-1", "--no-show-signature", format, commit]);
    let bytes = git.bytes().await?;
    let said: Vec<String> = fields(&bytes).map(|field| text(field).trim().to_owned()).collect();
    let [parent, by, of, ..] = &said[..] else { return Ok(None) };
    let has_one_parent = !parent.is_empty() && !parent.contains(' ');
    Ok((by == agent && of == run && has_one_parent).then(|| parent.clone()))
}

impl Repo {
    /// Tells whether the end of an agent of a run has led from one commit to another: that end may be in
    /// git and not in the journal.
    ///
    /// # Errors
    /// [`Kind::Git`] when the commits cannot be read.
    pub async fn is_end_of(
        &self,
        commit: &str,
        base: &str,
        agent: &str,
        run: &str,
    ) -> Result<bool> {
        let trouble = || format!("cannot tell who has made `{commit}`");
        let parent = parent_of_end(self, commit, agent, run).await.or_kind(Kind::Git, trouble)?;
        match parent {
            Some(parent) => self.contains(&parent, base).await,
            None => Ok(false),
        }
    }
}
