//! Calls of an earlier life in whose place another call is asked now: what they left goes out of the way of
//! the new one, and nothing of it is lost.

use std::sync::Arc;

use super::book::Book;
use crate::agent::fleet::Order;
use crate::error::Result;
use crate::event::{Event, Level};
use crate::host::Host;
use crate::journal::{AgentChange, AgentRow, Status};

impl Host {
    /// Lets the call of an order take the place of the call `at`: that one's worktree and branch are
    /// removed, and what only they had is kept under `refs/agentlua/removed/<id>`.
    pub(super) async fn replace(
        self: &Arc<Self>,
        order: &Order,
        book: &mut Book,
        at: usize,
    ) -> Result<()> {
        let row = book.call(at).row.clone();
        let share = book.share(at);
        book.take(at);
        self.fleet().write_off(share);
        if self.plan().is_some() {
            if let (Some(repo), Some(branch), true) = (&order.repo, &row.branch, is_own(&row)) {
                repo.pretend_gone(branch);
            }
            return Ok(());
        }
        if !row.status.is_final() {
            let ended = AgentChange { status: Some(Status::Cancelled), ..AgentChange::default() };
            order.store.update(&row.id, ended).await?;
        }
        order.store.supersede_agent(&row.id).await?;
        if let Err(error) = self.remove_replaced(order, book, &row).await {
            self.events().warn(format!("what {} left is still there: {error}", row.id));
        }
        Ok(())
    }

    async fn remove_replaced(
        self: &Arc<Self>,
        order: &Order,
        book: &Book,
        row: &AgentRow,
    ) -> Result<()> {
        let (Some(repo), true) = (&order.repo, is_own(row)) else { return Ok(()) };
        let mut registry = self.registry_of(repo).await?;
        let ahead = book.ahead();
        // Those of an earlier life that nobody came to do not work in it, whatever the registry says.
        for other in registry.rows.iter_mut().filter(|other| ahead.contains(&*other.id)) {
            other.status = Status::Interrupted;
        }
        let removed = registry.remove(&row.id, true).await?;
        for name in removed.kept {
            let text = format!("what only {} had is kept: {name}", row.id);
            self.events().emit(Event::Message { level: Level::Info, text });
        }
        Ok(())
    }
}

/// Tells whether a worktree or branch of an agent are its own, and not lent to it.
fn is_own(row: &AgentRow) -> bool {
    match &row.worktree_path {
        Some(path) => path.file_name().is_some_and(|name| name == &*row.id),
        None => row.branch_created,
    }
}
