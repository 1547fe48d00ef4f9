//! The host snapshot: what the files of a worktree are, as a tree, and as a commit on its branch.
//!
//! It is taken with the shared git directory and a private index, so that neither the worktree's
//! `.git` file nor its index, HEAD or configuration has a say. `git commit` is never run there. What the
//! agent committed itself was taken in before (`private`), and the snapshot goes on top.

mod index_file;
mod nested;
mod sparse;
mod stage;

pub(super) use stage::{stage, stage_paths};

use serde::{Deserialize, Serialize};

use super::command::text;
use super::private::{self, Brought, Kept, Left, take};
use super::worktree::Worktree;
use super::{index, scope};
use stage::stage_on;

/// How often to try again when the branch moves while its snapshot is committed.
const TRIES: u32 = 4;

/// The message of a snapshot's commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitMessage {
    /// The first line; line breaks become spaces.
    pub subject: String,
    /// Names and values of the trailers.
    pub trailers: Vec<(String, String)>,
}

impl CommitMessage {
    fn text(&self) -> String {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut lines = vec![one_line(&self.subject)];
        if !self.trailers.is_empty() {
            lines.push(String::new());
        }
        lines.extend(
            self.trailers.iter().map(|(name, value)| format!("{name}: {}", one_line(value))),
        );
        lines.push(String::new());
        lines.join("\n")
    }
}

/// What an agent left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The commit that the branch points to now.
    pub head_commit: String,
    /// The tree of the files, committed or not.
    pub tree: String,
    /// The paths between the base and the files, sorted, of a rename both sides. What is not UTF-8 is
    /// shown with replacement characters.
    pub files_changed: Vec<String>,
    /// Whether anything differs from the base: files or commits.
    pub changed: bool,
    /// Whether the files hold what the branch does not.
    pub uncommitted: bool,
    /// What git could not store, in its words: an unreadable file, a failing filter. While there is
    /// any, the worktree is not removed.
    pub skipped: Vec<String>,
    /// Refs that hold what the agent made beside its branch: other branches, tags, stashes, a HEAD.
    pub kept: Vec<Kept>,
    /// Repositories inside whose files were taken in as files. The worktree is not removed: their history
    /// is only there.
    pub nested: Vec<String>,
    /// The agent's git directory, if something in it could not be taken in.
    pub left: Option<Left>,
    /// The ref that the work is on when somebody else has moved the branch: it is not on the branch then,
    /// and `head_commit` is the work's.
    pub aside: Option<String>,
    /// The paths outside the scope that differ from the base: they are in the files only.
    pub outside: Vec<String>,
}

/// Where the work is committed.
struct Parent {
    /// The commit that it goes on top of.
    commit: String,
    /// What the branch points to now.
    old: Option<String>,
    /// Whether the branch has to stay where it is.
    aside: bool,
}

pub(super) async fn finish(
    worktree: &Worktree,
    message: Option<CommitMessage>,
) -> anyhow::Result<Finished> {
    let repo = worktree.repo();
    let mut brought = take(worktree).await?;
    let first = parent(worktree, &brought).await?;
    let snapshot = if worktree.path().is_dir() {
        let moved = brought.start.as_ref().is_some_and(|start| *start != first.commit);
        let tip = moved.then_some(&*first.commit);
        Some(stage_on(worktree, &worktree.private(), tip).await?)
    } else {
        None // Somebody removed the folder. That is no change to commit.
    };
    let (skipped, nested) = match &snapshot {
        Some(snapshot) => (snapshot.skipped.clone(), snapshot.nested.clone()),
        None => (vec![format!("the folder `{}` is gone", worktree.path().display())], Vec::new()),
    };
    let files = snapshot.as_ref().map(|snapshot| &*snapshot.tree);
    let within = match files {
        Some(tree) => scope::within(worktree, tree).await?,
        None => None,
    };
    // Without a commit the files are told as they are.
    let committed = match &within {
        Some(within) if message.is_some() => Some(&*within.tree),
        _ => files,
    };
    let landed = land(worktree, &brought, first, committed, message.as_ref()).await?;
    let outside = within.as_ref().map_or(&[][..], |within| &within.outside);
    let uncommitted = match message {
        None => landed.tree != repo.tree(&landed.commit).await?,
        Some(_) => !outside.is_empty(),
    };
    if !worktree.is_entered() && brought.on_branch && !uncommitted && snapshot.is_some() {
        show_clean(worktree);
    }
    let changes = repo.changes(worktree.base_commit(), &landed.tree).await?;
    if let Some(start) = lost(worktree, &brought, &landed).await? {
        let name = format!("{}/start", worktree.namespace());
        private::hold(repo, &name, &start).await?;
        brought.kept.push(Kept { name, what: format!("branch `{}` before", worktree.branch()) });
    }
    Ok(Finished {
        changed: !changes.is_empty()
            || landed.commit != worktree.base_commit()
            || !brought.kept.is_empty()
            || !outside.is_empty(),
        head_commit: landed.commit,
        tree: files.map_or(landed.tree, str::to_owned),
        files_changed: changes.iter().map(|change| text(&change.path)).collect(),
        uncommitted,
        skipped,
        kept: brought.kept,
        nested,
        left: brought.left,
        aside: landed.aside,
        outside: outside.iter().map(|path| text(path)).collect(),
    })
}

/// Says what the work goes on top of. The branch is the agent's own as long as nobody else has moved it:
/// then it may point anywhere, as after a rebase.
async fn parent(worktree: &Worktree, brought: &Brought) -> anyhow::Result<Parent> {
    let repo = worktree.repo();
    let old = repo.tip(&format!("refs/heads/{}", worktree.branch())).await?;
    let (commit, aside) = match (&old, &brought.tip) {
        // The branch is the agent's place even if somebody deleted it.
        (None, tip) => {
            let before = brought.start.as_deref().unwrap_or(worktree.base_commit());
            (tip.clone().unwrap_or_else(|| before.to_owned()), false)
        }
        (Some(old), None) => (old.clone(), false),
        (Some(old), Some(tip)) if repo.is_ancestor(tip, old).await? => (old.clone(), false),
        (Some(old), Some(tip)) => {
            let own = brought.start.as_ref() == Some(old) || repo.is_ancestor(old, tip).await?;
            (tip.clone(), !own)
        }
    };
    Ok(Parent { commit, old, aside })
}

/// The work as it is in the repository now.
struct Landed {
    commit: String,
    tree: String,
    aside: Option<String>,
}

/// Commits the files where that is wanted, and moves the branch to what it is to point to.
async fn land(
    worktree: &Worktree,
    brought: &Brought,
    mut onto: Parent,
    files: Option<&str>,
    message: Option<&CommitMessage>,
) -> anyhow::Result<Landed> {
    let repo = worktree.repo();
    let mut tries = 0;
    loop {
        let below = repo.tree(&onto.commit).await?;
        let tree = files.unwrap_or(&below).to_owned();
        let (name, old) = if onto.aside {
            let name = format!("{}/branch", worktree.namespace());
            let there = repo.tip(&name).await?;
            (name, there)
        } else {
            (format!("refs/heads/{}", worktree.branch()), onto.old.clone())
        };
        let aside = onto.aside.then(|| name.clone());
        if let (true, Some(there)) = (onto.aside, &old)
            && repo.tree(there).await? == tree
            && repo.is_ancestor(&onto.commit, there).await?
        {
            return Ok(Landed { commit: there.clone(), tree, aside });
        }
        let new = match message {
            Some(message) if tree != below => {
                repo.commit_tree(&tree, &[&onto.commit], &message.text(), false).await?
            }
            _ => onto.commit.clone(),
        };
        if old.as_ref() == Some(&new) {
            return Ok(Landed { commit: new, tree, aside });
        }
        crate::crash::point("finish.committed");
        let reason = format!("agentlua: work of {}", worktree.id());
        match repo.move_ref(&name, &new, old.as_deref(), &reason).await {
            Ok(()) => {
                crate::crash::point("finish.moved");
                return Ok(Landed { commit: new, tree, aside });
            }
            Err(error) => {
                tries += 1;
                let again = parent(worktree, brought).await?;
                if tries == TRIES || again.old == onto.old {
                    return Err(error);
                }
                onto = again;
            }
        }
    }
}

/// Returns what the branch held when the agent entered, if nothing else holds that now.
async fn lost(
    worktree: &Worktree,
    brought: &Brought,
    landed: &Landed,
) -> anyhow::Result<Option<String>> {
    let (Some(start), Some(_)) = (&brought.start, &brought.tip) else { return Ok(None) };
    let held = landed.aside.is_some()
        || start == worktree.base_commit()
        || worktree.repo().is_ancestor(start, &landed.commit).await?;
    Ok((!held).then(|| start.clone()))
}

/// Gives the worktree an index that agrees with its files and its new commit, for the people who look
/// at it. Left alone when anything else holds that index.
fn show_clean(worktree: &Worktree) {
    let lock = worktree.admin().join("index.lock");
    if worktree.is_parked() || std::fs::File::create_new(&lock).is_err() {
        return;
    }
    let _ = index::replace(&worktree.index(), &worktree.admin().join("index"));
    let _ = std::fs::remove_file(&lock);
}
