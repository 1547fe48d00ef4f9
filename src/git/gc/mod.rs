//! What of an agent's worktree, branch and refs may go: nothing without a proof that it holds nothing
//! which other refs do not hold, and the proof is named.
//!
//! A verdict is about all that an agent left: either it may all go, or all of it stays. Proofs are
//! looked for in branches, local and of remotes, that agentlua did not make; a branch of another agent
//! may be the next to go. Looking changes no ref and no file.

mod commits;
mod files;
mod force;
mod leftovers;

pub use leftovers::{Leftover, sweep};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::refs::Ref;
use super::remove::Removal;
use super::repo::Repo;
use super::worktree::{WorktreeEntry, namespace};
use crate::error::{Kind, Result, ResultExt};
use commits::Held;

/// What the registry says of an agent that has ended.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// Its id.
    pub id: String,
    /// Its run.
    pub run: String,
    /// Its branch.
    pub branch: Option<String>,
    /// Whether the branch was made for it.
    pub branch_created: bool,
    /// Its worktree.
    pub worktree_path: Option<PathBuf>,
    /// The commit it started from.
    pub base_commit: Option<String>,
    /// The commit its branch ended at.
    pub head_commit: Option<String>,
}

/// What may become of what an agent left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go: the proof, for people to read.
    Spare(String),
    /// It stays: the reason, for people to read.
    Kept(String),
}

/// What an agent left, and what may become of it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Whose it is.
    pub id: String,
    /// Its branch, if that is still there.
    pub branch: Option<String>,
    /// Its worktree, if that is still there.
    pub worktree_path: Option<PathBuf>,
    /// The bytes in the worktree.
    pub bytes: u64,
    /// How many ignored files would go with the worktree, and their bytes.
    pub ignored: (u64, u64),
    /// What may become of it.
    pub verdict: Verdict,
    pub(super) removal: Removal,
    /// What only a removal by force may take, and what is to be done about it first.
    pub(super) at_stake: AtStake,
    /// The commit that its files were changed from.
    pub(super) parent: Option<String>,
}

/// What stands against a removal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AtStake {
    /// It cannot go at all.
    pub forbidden: bool,
    /// The tree of files that no commit has.
    pub files: Option<String>,
    /// The tree of what is staged and in no commit.
    pub index: Option<String>,
    /// Commits by a name to keep them under.
    pub commits: Vec<(String, String)>,
}

/// What a repository holds at one moment, for many claims.
#[derive(Debug)]
pub struct Survey {
    repo: Arc<Repo>,
    worktrees: Vec<WorktreeEntry>,
    /// Branches that may prove something, by full name, newest first.
    holders: Vec<Ref>,
    kept: Vec<Ref>,
}

impl Survey {
    /// Looks around. `ours` are the branches that were made for agents: they prove nothing.
    ///
    /// # Errors
    /// [`Kind::Git`] when the repository cannot be read.
    pub async fn new(repo: &Arc<Repo>, ours: &BTreeSet<String>) -> Result<Self> {
        let trouble = || "cannot list the refs";
        let mut holders =
            repo.find_refs(&["refs/heads/", "refs/remotes/"]).await.or_kind(Kind::Git, trouble)?;
        holders.retain(|found| {
            found.name.strip_prefix("refs/heads/").is_none_or(|branch| !ours.contains(branch))
        });
        let kept = repo.find_refs(&["refs/agentlua/"]).await.or_kind(Kind::Git, trouble)?;
        let worktrees = repo.worktrees().await?;
        Ok(Self { repo: Arc::clone(repo), worktrees, holders, kept })
    }

    /// Judges what an agent left; `None` when that is nothing.
    ///
    /// # Errors
    /// [`Kind::Git`] when it cannot be looked at.
    pub async fn judge(&self, claim: &Claim) -> Result<Option<Finding>> {
        let trouble = || format!("cannot look at what {} left", claim.id);
        let full = claim.branch.as_ref().map(|name| format!("refs/heads/{name}"));
        let tip = match &full {
            Some(full) => self.repo.tip(full).await.or_kind(Kind::Git, trouble)?,
            None => None,
        };
        let space = format!("{}/", namespace(&claim.run, &claim.id));
        let kept: Vec<&Ref> =
            self.kept.iter().filter(|found| found.name.starts_with(&space)).collect();
        let path = claim.worktree_path.clone().filter(|path| path.symlink_metadata().is_ok());
        let ours = match &tip {
            Some(tip) if claim.branch_created => is_ours(&self.repo, claim, tip),
            _ => false,
        };
        if path.is_none() && kept.is_empty() && !ours {
            return Ok(None);
        }
        let mut refs: Vec<(String, String)> =
            kept.iter().map(|found| (found.name.clone(), found.target.clone())).collect();
        if let (true, Some(full), Some(tip)) = (ours, &full, &tip) {
            refs.push((full.clone(), tip.clone()));
        }
        let mut finding = Finding {
            id: claim.id.clone(),
            branch: claim.branch.clone().filter(|_| tip.is_some()),
            worktree_path: path.clone(),
            bytes: 0,
            ignored: (0, 0),
            verdict: Verdict::Kept(String::new()),
            removal: Removal {
                id: claim.id.clone(),
                run: claim.run.clone(),
                path: path.clone(),
                refs,
            },
            at_stake: AtStake::default(),
            parent: tip.clone().or_else(|| claim.base_commit.clone()),
        };
        let mut reasons = Vec::new();
        if let Some(elsewhere) = self.elsewhere(claim, ours) {
            finding.at_stake.forbidden = true;
            reasons.push(format!("in use: checked out in `{}`", elsewhere.display()));
        }
        if let Some(path) = &path {
            let seen = files::look(self, claim, path, tip.as_deref()).await;
            let seen = seen.or_kind(Kind::Git, trouble)?;
            (finding.bytes, finding.ignored) = (seen.bytes, seen.ignored);
            seen.against(&mut finding.at_stake, &mut reasons);
        }
        let proof = self.weigh(claim, ours, tip, &kept, &mut finding, &mut reasons).await;
        let proof = proof.or_kind(Kind::Git, trouble)?;
        finding.verdict = if reasons.is_empty() {
            Verdict::Spare(proof)
        } else {
            Verdict::Kept(reasons.join("; "))
        };
        Ok(Some(finding))
    }

    /// Looks for a proof for each commit; returns that of the branch.
    async fn weigh(
        &self,
        claim: &Claim,
        ours: bool,
        tip: Option<String>,
        kept: &[&Ref],
        finding: &mut Finding,
        reasons: &mut Vec<String>,
    ) -> anyhow::Result<String> {
        let base = claim.base_commit.as_deref().unwrap_or_default();
        let mut proof = match (&tip, ours) {
            (Some(_), false) => "its branch has all of it, and stays".to_owned(),
            _ => "empty".to_owned(),
        };
        if let (Some(tip), true) = (&tip, ours) {
            match self.held(base, tip).await? {
                Held::By(how) => proof = how,
                Held::Not(why) => {
                    finding.at_stake.commits.push(("branch".to_owned(), tip.clone()));
                    reasons.push(why);
                }
            }
        }
        let mut loose = Vec::new();
        for found in kept {
            let name = found.name.rsplit_once(&format!("/{}/", claim.id)).map_or("", |(_, n)| n);
            if name == "base" || self.is_held_elsewhere(name, found, tip.as_deref(), claim).await? {
                continue;
            }
            loose.push(name.to_owned());
            finding.at_stake.commits.push((name.to_owned(), found.target.clone()));
        }
        if !loose.is_empty() {
            reasons.push(format!("on no branch: what it kept as {}", loose.join(", ")));
        }
        Ok(proof)
    }

    /// Tells whether a ref of the agent beside its branch holds nothing that goes with it.
    async fn is_held_elsewhere(
        &self,
        name: &str,
        found: &Ref,
        tip: Option<&str>,
        claim: &Claim,
    ) -> anyhow::Result<bool> {
        let Some(commit) = &found.commit else { return Ok(false) };
        let base = claim.base_commit.as_deref().unwrap_or_default();
        if name == "turns" {
            // What it had written at its last turn; the turns before were its drafts.
            let tree = self.repo.tree(commit).await?;
            let mut others: Vec<&str> =
                tip.into_iter().chain(claim.base_commit.as_deref()).collect();
            if let Some(head) = &claim.head_commit
                && self.is_part_of_a_branch(head, tip).await.unwrap_or(false)
            {
                others.push(head);
            }
            for other in others {
                if self.repo.tree(other).await? == tree {
                    return Ok(true);
                }
            }
        }
        let within = match tip {
            Some(tip) => self.repo.is_ancestor(commit, tip).await?,
            None => false,
        };
        Ok(within || matches!(self.held(base, commit).await?, Held::By(_)))
    }

    /// Tells whether `commit` is part of the branch at `tip`, or of one that may prove something.
    async fn is_part_of_a_branch(&self, commit: &str, tip: Option<&str>) -> anyhow::Result<bool> {
        if let Some(tip) = tip
            && self.repo.is_ancestor(commit, tip).await?
        {
            return Ok(true);
        }
        Ok(!self.containing(commit).await?.is_empty())
    }

    /// Returns where somebody else has the agent's branch checked out.
    fn elsewhere(&self, claim: &Claim, ours: bool) -> Option<&Path> {
        let other = |entry: &&WorktreeEntry| {
            entry.branch == claim.branch && Some(&entry.path) != claim.worktree_path.as_ref()
        };
        let entry = self.worktrees.iter().filter(|_| ours && claim.branch.is_some()).find(other);
        entry.map(|entry| entry.path.as_path())
    }

    /// Returns the entry of a worktree.
    fn entry(&self, path: &Path) -> Option<&WorktreeEntry> {
        self.worktrees.iter().find(|entry| entry.path == path)
    }
}

/// Tells whether a branch is the one that was made for an agent, and not one that a person made under
/// its name after it had gone: it is where the agent left it, or its history begins at the base.
fn is_ours(repo: &Repo, claim: &Claim, tip: &str) -> bool {
    let left = [&claim.head_commit, &claim.base_commit];
    if left.into_iter().flatten().any(|commit| commit == tip) {
        return true;
    }
    let (Some(branch), Some(base)) = (&claim.branch, &claim.base_commit) else { return false };
    let log = repo.common_dir().join("logs/refs/heads").join(branch);
    let log = std::fs::read(log).unwrap_or_default();
    let first = log.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = first.split(|byte| *byte == b' ');
    let made = words.next().is_some_and(|old| old.iter().all(|byte| *byte == b'0'));
    made && words.next() == Some(base.as_bytes())
}

impl Finding {
    /// Tells whether the branch goes as well.
    pub fn takes_branch(&self) -> bool {
        self.removal.refs.iter().any(|(name, _)| name.starts_with("refs/heads/"))
    }

    /// Removes what it is about. `false`: something has come since it was judged, and all is as it was.
    ///
    /// # Errors
    /// [`Kind::Git`] when it may not go, or cannot be removed.
    pub async fn remove(&self, repo: &Arc<Repo>) -> Result<bool> {
        if let Verdict::Kept(why) = &self.verdict {
            return Err(crate::error::Error::new(Kind::Git, format!("{} stays: {why}", self.id)));
        }
        let (repo, removal) = (Arc::clone(repo), self.removal.clone());
        let step = async move {
            let pledge = removal.intend(&repo).await?;
            removal.carry_out(&repo, pledge).await
        };
        super::to_the_end(step, |_| async {}).await
    }
}
