//! Whether a call that the journal has can be taken for one that asks the same: where it started from, how
//! it ended, and what is still there of its work.

use std::sync::Arc;

use super::Earlier;
use super::book::Book;
use crate::agent::Outcome;
use crate::agent::fleet::Order;
use crate::agent::kept::{CalledOff, Manner};
use crate::agent::query::{Commit, Site, Start};
use crate::error::Result;
use crate::git::Worktree;
use crate::git::worktree::There;
use crate::host::Host;
use crate::journal::{AgentRow, Status};

/// Whether a call that was found can be taken.
pub(super) enum Fit {
    /// It had ended, and this is its outcome.
    Ended(Box<Outcome>),
    /// It had been called off, and this is its outcome if it is called off again.
    Held(Box<Outcome>),
    /// It goes on.
    Again,
    /// It has to be asked again: for this reason.
    Not(String),
}

impl Host {
    /// Decides about a call that asked the same.
    pub(super) async fn fit(
        self: &Arc<Self>,
        order: &Order,
        book: &Book,
        at: usize,
        earlier: Earlier,
    ) -> Result<Fit> {
        let call = book.call(at);
        let row = &call.row;
        if let Some(why) = self.base_changed(order, row).await? {
            return Ok(Fit::Not(why));
        }
        let Some(text) = call.outcome.as_deref().filter(|_| row.status.is_final()) else {
            return Ok(Fit::Again);
        };
        let manner = Manner::of(text);
        // It was to go on with the run, whether or not the run could write down that it ended.
        if manner.called_off == Some(CalledOff::Run) {
            return Ok(Fit::Again);
        }
        // What the script was told stays told, until the run had ended with it; and also then where it went
        // on from there.
        let was_final = earlier.ended_at.is_some_and(|ended| row.status_at <= ended);
        if row.status != Status::Completed && was_final && !manner.lost && !book.is_taken_up(at) {
            return Ok(Fit::Again);
        }
        if let Some(why) = self.lent_away(order, row).await? {
            return Ok(Fit::Not(why));
        }
        let outcome = Outcome::restored(text, &order.query.label)?;
        if let Some(why) = self.gone(order, row, &outcome).await {
            return Ok(Fit::Not(why));
        }
        if row.status == Status::Cancelled && manner.called_off.is_none() {
            return Ok(Fit::Held(Box::new(outcome)));
        }
        Ok(Fit::Ended(Box::new(outcome)))
    }

    /// Brings a worktree that the script makes anew, and lends to an agent that had ended in it, to where
    /// that one had left it; says why the agent has to be asked again where that cannot be.
    async fn lent_away(&self, order: &Order, row: &AgentRow) -> Result<Option<String>> {
        let (Site::Worktree(plan), Some(repo)) = (&order.query.site, &order.repo) else {
            return Ok(None);
        };
        let Start::There { branch, path, lender: Some(lender) } = &plan.start else {
            return Ok(None);
        };
        let (Some(base), Some(head)) = (&row.base_commit, &row.head_commit) else {
            return Ok(None);
        };
        let tip = repo.resolve(&format!("refs/heads/{branch}")).await.ok();
        if plan.commit != Commit::No && (tip.as_ref() == Some(head) || head == base) {
            return Ok(None);
        }
        let why = "the worktree that it worked in is made anew".to_owned();
        // What it had not committed is nowhere but there.
        if plan.commit == Commit::No {
            return Ok(Some(why));
        }
        let there = There {
            id: row.id.clone(),
            run: row.run.clone(),
            branch: branch.clone(),
            path: path.clone(),
            root: order.worktree_root.clone(),
            lender: Some(lender.clone()),
        };
        let caught_up = Worktree::catch_up(repo, there, base, head).await?;
        Ok((!caught_up).then_some(why))
    }

    /// Says what is no more of the work of an agent that has ended, if something is not; its branch is made
    /// again if need be.
    async fn gone(&self, order: &Order, row: &AgentRow, outcome: &Outcome) -> Option<String> {
        let (Some(repo), Some(branch)) = (&order.repo, &outcome.branch) else { return None };
        let head = outcome.head_commit.as_ref().or(outcome.base_commit.as_ref())?;
        if repo.tree_of(head).await.is_err() {
            return Some(format!("its commit {head} is not in the repository any more"));
        }
        let Site::Worktree(plan) = &order.query.site else { return None };
        if plan.commit == Commit::No
            && outcome.worktree_path.as_ref().is_some_and(|path| !path.is_dir())
            && !outcome.files_changed.is_empty()
        {
            return Some("its worktree is gone, with what it had not committed".to_owned());
        }
        if row.branch_created && repo.resolve(&format!("refs/heads/{branch}")).await.is_err() {
            // The end of the run deletes those to which nothing was added; the script counts on it here.
            if let Err(error) = repo.make_branch(branch, head).await {
                self.events.warn(format!("the branch of {} cannot be made again: {error}", row.id));
            }
        }
        None
    }
}

/// Tells whether a call that stands at another's path is that one, edited, and not one that was put in
/// before it: they have the same name, which is none that is made of the prompt.
pub(super) fn is_certain(order: &Order, before: &AgentRow) -> bool {
    let query = &order.query;
    let wanted = match &query.site {
        Site::Worktree(plan) => match &plan.start {
            Start::Fresh { branch, .. } | Start::Past { branch, .. } => branch.as_ref(),
            Start::There { .. } => None,
        },
        Site::Directory(_) => None,
    };
    if wanted.is_some() && wanted == before.branch.as_ref() {
        return true;
    }
    let is_made_up = query.prompt.trim().starts_with(query.label.trim_end_matches('…'));
    query.label == before.label && !is_made_up
}
