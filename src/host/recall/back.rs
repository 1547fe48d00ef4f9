//! Branches that a call of an earlier life had gone on with in another's place: where it is asked again, it
//! goes on from where that one did, and not from what it had made itself.

use std::sync::Arc;

use crate::agent::fleet::Order;
use crate::error::Result;
use crate::event::{Event, Level};
use crate::git::Worktree;
use crate::git::worktree::There;
use crate::host::Host;
use crate::journal::AgentRow;

impl Host {
    /// Takes off a branch what the call `row` had put on it that is asked again now; where that cannot be, or
    /// others have gone on from there, it stays, which is said.
    pub(super) async fn put_back(self: &Arc<Self>, order: &Order, row: &AgentRow) {
        let is_in_place = order.ancestor.as_ref().is_some_and(|ancestor| ancestor.is_in_place);
        if !is_in_place || row.branch_created || row.head_commit == row.base_commit {
            return;
        }
        let Some(branch) = &row.branch else { return };
        let text = match self.taken_off(order, row, branch).await {
            Ok(Some(kept)) => format!("what {} had made on `{branch}` is kept: {kept}", row.id),
            Ok(None) => {
                format!("what {} had made stays on `{branch}`: it is not as it left it", row.id)
            }
            Err(error) => {
                let text = format!("what {} had made stays on `{branch}`: {error}", row.id);
                return self.events.warn(text);
            }
        };
        self.events.emit(Event::Message { level: Level::Info, text });
    }

    async fn taken_off(
        &self,
        order: &Order,
        row: &AgentRow,
        branch: &str,
    ) -> Result<Option<String>> {
        let (Some(repo), Some(base), Some(head)) =
            (&order.repo, &row.base_commit, &row.head_commit)
        else {
            return Ok(None);
        };
        let there = There {
            id: row.id.clone(),
            run: row.run.clone(),
            branch: branch.to_owned(),
            path: None,
            root: order.worktree_root.clone(),
            lender: None,
        };
        Worktree::put_back(repo, there, head, base).await
    }
}
