//! Merging a branch into another: in memory first, then one compare-and-swap of the ref.
//!
//! A merge has three steps, so that the layers above can look at it before it lands: its turn in the
//! target's queue ([`Lane`]), a commit that nothing points to ([`Lane::propose`]), and the landing
//! ([`Lane::land`]), which moves the ref and brings every checkout of the target along in one
//! recorded step. Between them a temporary worktree ([`Trial`]) may hold the merged or half-merged
//! files.
//!
//! Nothing moves unless all of it can: conflicts, dirt in the way and parked operations are found
//! before. No `git merge` runs, so nothing of one can be left behind; no hook runs either. What a
//! crash leaves is finished or taken back from its intent (`recover`).

mod additions;
mod attempt;
mod brief;
mod checkout;
mod hunk;
mod land;
mod lane;
mod loss;
mod mend;
mod proposal;
mod rebase;
mod recover;
mod resolve;
mod sides;
mod target;
mod train;
mod trial;

pub use attempt::ConflictedPath;
pub use brief::{Brief, Clash, PathBrief};
pub(super) use land::KIND;
pub use lane::Lane;
pub(super) use lane::Lanes;
pub use loss::{Loss, Losses};
pub use proposal::{Conflict, Proposal, Proposed, committed, propose, propose_resolved};
pub(super) use recover::recover;
pub use resolve::Examined;
pub use train::order;
pub(super) use trial::is_one as is_trial;
pub use trial::{Footing, Trial};

use std::sync::Arc;

use serde_json::json;

use super::repo::Repo;
use crate::error::{Error, Kind, Result};

/// How often to merge again when the target moves while a merge into it is made.
pub const TRIES: u32 = 4;

/// How many paths a message names.
const NAMED_PATHS: usize = 5;

/// What the target gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// A fast-forward where that is possible, else a merge commit.
    #[default]
    Merge,
    /// One commit with all the changes and no second parent.
    Squash,
    /// A fast-forward or nothing.
    FastForward,
    /// The branch's commits one by one on top of the target.
    Rebase,
}

impl Strategy {
    /// Returns the strategy of this name.
    ///
    /// # Errors
    /// [`Kind::Usage`], for a name that none has.
    pub fn parse(word: &str) -> Result<Self> {
        match word {
            "merge" => Ok(Self::Merge),
            "squash" => Ok(Self::Squash),
            "ff" => Ok(Self::FastForward),
            "rebase" => Ok(Self::Rebase),
            other => {
                let why = "a strategy must be `merge`, `squash`, `ff` or `rebase`";
                Err(Error::usage(format!("{why}, not `{other}`")))
            }
        }
    }
}

/// A merge to make.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The revision to merge.
    pub branch: String,
    /// What messages call it.
    pub name: String,
    /// The branch that gets it; the one that is checked out if absent.
    pub into: Option<String>,
    /// How.
    pub strategy: Strategy,
    /// The message of the commit; git's usual one if absent. A fast-forward makes no commit, and
    /// commits that are replayed keep theirs.
    pub message: Option<String>,
}

/// A merge that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// `merged`, `fast_forward` or `up_to_date`.
    pub status: &'static str,
    /// The commit that the target points to now.
    pub commit: String,
    /// The target.
    pub into: String,
}

/// Merges a branch into another, with nobody asked between.
///
/// # Errors
/// [`Kind::Git`]. What scripts read is in the detail `merge`: `status` is `conflicted`, with
/// `conflicts` (`path`, `kind`) and `paths`, or `refused`, with `reason` (`dirty`, `parked`,
/// `unmerged`, `no_common_base`, `diverged`) and `paths`. The target is then as it was.
pub async fn merge(repo: &Arc<Repo>, merge: Merge) -> Result<Merged> {
    let lane = Lane::enter(repo, merge.into.as_deref()).await?;
    for _ in 0..TRIES {
        let proposal = match lane.propose(&merge, &lane.tip().await?).await? {
            Proposed::Ready(proposal) => proposal,
            Proposed::Conflicted(conflict) => return Err(conflict.error()),
        };
        if lane.land(&proposal).await? {
            return Ok(proposal.merged(&lane));
        }
    }
    Err(lane.restless())
}

impl Lane {
    /// Returns the error of a merge into a branch that never holds still.
    pub fn restless(&self) -> Error {
        let why = format!(
            "`{}` was moved by others {TRIES} times while it was merged into",
            self.branch()
        );
        refused("moved", why, &[])
    }
}

/// Makes the error of a merge that was not begun.
fn refused(reason: &str, why: String, paths: &[String]) -> Error {
    let merge = json!({ "status": "refused", "reason": reason, "paths": paths });
    Error::new(Kind::Git, why).with("merge", merge)
}

/// Names the first paths and counts the rest.
fn listed(paths: &[impl AsRef<str>]) -> String {
    let shown: Vec<String> =
        paths.iter().take(NAMED_PATHS).map(|path| format!("`{}`", path.as_ref())).collect();
    let more = paths.len().saturating_sub(NAMED_PATHS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
