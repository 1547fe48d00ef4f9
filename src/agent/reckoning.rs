//! What an agent came to: its outcome, made of how its conversation ended and what of its work was taken
//! in. What failed last is told with what failed first, and never instead of it.

use std::path::PathBuf;
use std::time::Duration;

use super::conversation::Conversed;
use super::ground::{Ground, Harvest};
use super::order::Order;
use super::outcome::{Outcome, Subtype};
use super::session::Ending;
use super::tidings;
use crate::error::{Error, Result};
use crate::git::Worktree;

/// A worktree that went because nothing had changed.
pub(super) struct Gone {
    /// Where it was.
    pub(super) path: PathBuf,
    /// The ignored files that went with it: their number and size.
    pub(super) ignored: (u64, u64),
    /// Whether the branch was made with it, and goes at the end of the run.
    pub(super) branch_too: bool,
}

/// Makes the outcome of an agent that had its ground.
pub(super) fn outcome_of(
    order: &Order,
    id: String,
    run: &str,
    ground: &Ground,
    conversed: Conversed,
    harvested: Result<Harvest>,
    took: Duration,
) -> (Outcome, Option<Gone>) {
    let Ending { mut subtype, mut error } = conversed.ending;
    let harvest = harvested.unwrap_or_else(|failure| {
        // The work is still in the worktree; what failed is taking it in.
        if error.is_none() {
            (subtype, error) = (Subtype::ErrorWorktree, Some(failure));
        } else {
            error = error.take().map(|error| error.because(failure));
        }
        Harvest::default()
    });
    if !harvest.outside.is_empty() && error.is_none() {
        let outside = tidings::out_of_scope(&harvest.outside, ground.path());
        (subtype, error) = (Subtype::ErrorScope, Some(outside));
    }
    if harvest.lost && error.is_none() {
        let lost = tidings::lost(ground.path(), &id, conversed.turns);
        (subtype, error) = (Subtype::ErrorWorktree, Some(lost));
    }
    let worktree = ground.worktree();
    let gone = harvest.removed.map(|ignored| Gone {
        path: ground.path().to_owned(),
        ignored,
        branch_too: worktree.is_some_and(Worktree::branch_created),
    });
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let outcome = Outcome {
        subtype,
        error,
        result: conversed.text,
        session_id: order.session().unwrap_or_else(|| format!("{run}/{id}")),
        id,
        label: order.query.label.clone(),
        branch: worktree.map(|w| w.branch().to_owned()),
        worktree_path: worktree
            .filter(|_| gone.is_none() && !harvest.lost)
            .map(|w| w.path().to_owned()),
        base_commit: worktree.map(|w| w.base_commit().to_owned()),
        head_commit: harvest.head_commit,
        files_changed: harvest.files_changed,
        num_turns: conversed.turns,
        duration_ms: millis(took),
        duration_api_ms: millis(conversed.api_time),
        usage: conversed.usage,
        total_cost_usd: order.query.purse.cost(),
        stop_reason: conversed.stop_reason,
        permission_denials: conversed.denials,
        structured_output: conversed.structured_output,
        verify: conversed.verification,
    };
    (outcome, gone)
}

/// Makes the outcome of one that never came to that.
pub(super) fn unstarted(order: &Order, id: String, subtype: Subtype, error: Error) -> Outcome {
    Outcome { error: Some(error), ..Outcome::without_work(id, &order.query.label, subtype) }
}
