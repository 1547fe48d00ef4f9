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
    ///
    /// # Errors
    /// When they cannot be removed: they would be in the way of the new one, and it costs nothing yet.
    pub(super) async fn replace(
        self: &Arc<Self>,
        order: &Order,
        book: &mut Book,
        at: usize,
    ) -> Result<()> {
        let row = book.call(at).row.clone();
        // First: as long as it has its place, the next life finds it here, whatever is left of it.
        self.remove_replaced(order, book, &row).await?;
        crate::crash::point("replace.removed");
        let share = book.share(at);
        book.take(at);
        self.fleet().write_off(share);
        let ended = AgentChange {
            status: (!row.status.is_final()).then_some(Status::Cancelled),
            // With what its callbacks had asked for, which others may find.
            cost_usd: row.cost_usd.map(|_| share.cost_usd),
            ..AgentChange::default()
        };
        order.store.update(&row.id, ended).await?;
        order.store.supersede_agent(&row.id).await
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
        let is_idle = |other: &&mut AgentRow| {
            ahead.contains(&*other.id) && (other.id != row.id || !other.status.is_final())
        };
        for other in registry.rows.iter_mut().filter(is_idle) {
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
