//! Replaying a branch's commits one by one on another, in memory.
//!
//! As `git rebase` does it: merge commits are left out, and so are commits that the target has by
//! another id and those that change nothing any more. Authors and messages stay; the committer is the
//! user. What `git rebase` does not look at: where merge commits were left out, the result must be
//! what merging the branch would give, or what they resolved would be lost without a word.

use anyhow::{Context, bail};

use super::attempt::{Attempt, HalfMerged, attempt};
use crate::git::command::{LONG, fields, text};
use crate::git::repo::Repo;

/// What a commit says, one field each: id, parents, author, their address, when, message.
const FORMAT: &str = "--format=%H%x00%P%x00%an%x00%ae%x00%ad%x00%B%x00";

/// How many fields that is.
const FIELDS: usize = 6;

pub(super) enum Replay {
    /// The last replayed commit; the target itself when nothing was left to replay.
    Done(String),
    /// A commit that conflicts.
    Stopped { half: HalfMerged, id: String, subject: String },
    /// Merge commits of the branch hold something that their parents do not.
    LosesMerges,
}

struct Original {
    id: String,
    parent: String,
    author: [(&'static str, String); 3],
    message: String,
}

pub(super) async fn replay(repo: &Repo, onto: &str, branch: &str) -> anyhow::Result<Replay> {
    let commits = originals(repo, onto, branch).await?;
    let sign = repo.signs().await?;
    let mut tip = onto.to_owned();
    let mut tip_tree = repo.tree(onto).await?;
    for commit in commits {
        if commit.parent == tip {
            tip_tree = repo.tree(&commit.id).await?;
            tip = commit.id;
            continue;
        }
        let tree = match attempt(repo, &tip, &commit.id, Some(&commit.parent)).await? {
            Attempt::Clean(tree) => tree,
            Attempt::Conflicts(half) => {
                let subject = commit.message.lines().next().unwrap_or_default().to_owned();
                return Ok(Replay::Stopped { half, id: commit.id, subject });
            }
        };
        if tree != tip_tree {
            tip = rewritten(repo, &commit, &tree, &tip, sign).await?;
            tip_tree = tree;
        }
    }
    if has_merges(repo, onto, branch).await? {
        match attempt(repo, onto, branch, None).await? {
            Attempt::Clean(tree) if tree == tip_tree => {}
            _ => return Ok(Replay::LosesMerges),
        }
    }
    Ok(Replay::Done(tip))
}

/// Returns what is to be replayed, oldest first.
async fn originals(repo: &Repo, onto: &str, branch: &str) -> anyhow::Result<Vec<Original>> {
    let git = repo.git("log").args(["--reverse", "--topo-order", "--no-merges", "--cherry-pick"]);
    let git = git.args(["--right-only", "--date=raw", "--no-show-signature", "--no-notes", FORMAT]);
    let git = git.args(["--encoding=UTF-8", "--end-of-options", &format!("{onto}...{branch}")]);
    let bytes = git.limit(LONG).bytes().await?;
    let fields: Vec<&[u8]> = fields(&bytes).collect();
    fields
        .chunks_exact(FIELDS)
        .map(|fields| {
            // A line break ends each commit but for the last.
            let id = text(fields[0]).trim_start().to_owned();
            let parent = text(fields[1]);
            if parent.is_empty() {
                bail!("{id:.10} has no parent and cannot be replayed");
            }
            let [name, email, date] = [fields[2], fields[3], fields[4]].map(text);
            let author = [
                ("GIT_AUTHOR_NAME", name),
                ("GIT_AUTHOR_EMAIL", email),
                ("GIT_AUTHOR_DATE", format!("@{date}")),
            ];
            Ok(Original { id, parent, author, message: text(fields[5]) })
        })
        .collect()
}

/// Commits the tree of a replayed commit as its author.
async fn rewritten(
    repo: &Repo,
    original: &Original,
    tree: &str,
    parent: &str,
    sign: bool,
) -> anyhow::Result<String> {
    let message = original.message.clone().into_bytes();
    let mut git = repo.git("commit-tree").args(["-F", "-", "-p", parent]).stdin(message);
    for (name, value) in repo.identity().await?.iter().chain(&original.author) {
        git = git.env(name, value);
    }
    if sign {
        git = git.arg("-S");
    }
    git.arg(tree).line().await.with_context(|| format!("cannot replay {:.10}", original.id))
}

async fn has_merges(repo: &Repo, onto: &str, branch: &str) -> anyhow::Result<bool> {
    let git = repo.git("rev-list").args(["--merges", "--max-count=1"]);
    Ok(!git.arg(format!("{onto}..{branch}")).line().await?.is_empty())
}
