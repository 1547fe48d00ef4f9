//! What a fleet is given for one agent: the query and what it needs from around it.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::past::Ancestor;
use super::query::Query;
use super::session::STOP_GRACE;
use crate::error::Result;
use crate::event::Events;
use crate::git::Repo;
use crate::journal::{AgentRow, Store};

/// What a call is known by when its run is resumed: a hash of everything that was asked, and a short one
/// of each thing by its name, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// The whole.
    pub hash: String,
    /// Its parts.
    pub inputs: String,
}

/// An agent of an earlier life of the run that was cut off, or has failed: it is gone on with under its id,
/// on its branch, in its conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    /// What the registry has of it.
    pub row: AgentRow,
}

/// A query with everything that it needs from around it.
pub struct Order {
    /// What is asked.
    pub query: Query,
    /// The repository, for a worktree.
    pub repo: Option<Arc<Repo>>,
    /// Where it is registered.
    pub store: Arc<Store>,
    /// Where worktrees are kept.
    pub worktree_root: PathBuf,
    /// The agent whose conversation it takes up.
    pub ancestor: Option<Ancestor>,
    /// What it is known by.
    pub key: Key,
    /// The agent that it goes on with, in a run that was resumed.
    pub again: Option<Again>,
    /// Cancels it.
    pub cancel: CancellationToken,
    /// Is told what becomes known.
    pub live: Arc<Live>,
    /// Who hears of it: the run's listeners, and from its start on its own.
    pub events: Events,
    /// When its time is over, once it has its place.
    pub deadline: Option<Instant>,
}

impl Order {
    /// Returns the conversation that it goes on with, if it is none of its own.
    pub(super) fn session(&self) -> Option<String> {
        self.ancestor.as_ref()?.session.clone()
    }

    /// Starts its clock.
    pub(super) fn begins(&mut self) {
        self.deadline = self.query.limits.timeout.map(|limit| Instant::now() + limit);
    }

    /// Lets work that heeds `cancel` go on until the agent's time is over.
    ///
    /// # Errors
    /// Timeout, beside those of the work.
    pub(super) async fn in_time<T>(
        &self,
        cancel: &CancellationToken,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(deadline) = self.deadline else { return work.await };
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => done,
            () = sleep_until(deadline) => {
                cancel.cancel();
                let _ = timeout(STOP_GRACE, work).await;
                Err(self.query.limits.overdue())
            }
        }
    }
}
