//! Agents that the script had called off in an earlier life: by a limit of time, because a sibling had
//! failed or won, by a word of its own. What it was told then follows from that, so they are held until it
//! calls them off again; one that it lets go on for much longer than before goes on.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::agent::Outcome;
use crate::agent::fleet::{Again, Order};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::host::Host;
use crate::journal::AgentRow;

/// How much longer than it had worked it is held at least.
const GRACE: Duration = Duration::from_secs(5);

/// An agent that had been called off.
pub(super) struct Held {
    /// How it had ended.
    pub(super) outcome: Box<Outcome>,
    pub(super) row: AgentRow,
    /// Where it is in the book.
    pub(super) at: usize,
}

impl Host {
    /// Holds an agent until the script calls it off again, and gives its outcome back then; or lets it go on.
    pub(super) async fn hold(
        self: &Arc<Self>,
        order: Order,
        held: Held,
    ) -> Result<ControlFlow<Outcome, Order>> {
        let this = Arc::clone(self);
        // Not given up when Lua stops waiting: it has to be in the books.
        let holding = self.runtime.spawn(async move { this.held(order, held).await });
        holding.await.or_kind(Kind::Internal, || "the wait for an agent's end ended early")?
    }

    async fn held(
        self: &Arc<Self>,
        mut order: Order,
        held: Held,
    ) -> Result<ControlFlow<Outcome, Order>> {
        let Held { outcome, row, at } = held;
        let called_off = order.cancel.cancelled();
        if tokio::time::timeout(patience(outcome.duration_ms), called_off).await.is_ok() {
            let book = self.book(&order.store, order.repo.as_ref()).await?;
            self.take_nested(&order, &mut *book.lock().await, at, true);
            self.hand_over(&order, &outcome, &row);
            return Ok(ControlFlow::Break(*outcome));
        }
        let recall = self.recall.as_ref().ok_or_else(|| Error::internal("nothing to recall"))?;
        let (id, label) = (&row.id, &row.label);
        recall
            .told
            .again(format!("{id} ({label}) was called off before, and is not now: it goes on"));
        recall.shifted.store(true, Ordering::Relaxed);
        order.again = Some(Again { row });
        Ok(ControlFlow::Continue(order))
    }
}

/// Returns how long an agent is held that had worked for so long.
fn patience(millis: u64) -> Duration {
    Duration::from_millis(millis.saturating_add(millis / 2)).saturating_add(GRACE)
}
