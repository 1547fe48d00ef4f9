//! `agentlua rm ID`: what one agent left goes, if nothing is lost with it.

use std::sync::Arc;

use super::{Rm, look};
use crate::error::Result;

/// Removes what an agent left and returns the exit code.
pub(super) fn main(rm: &Rm) -> Result<i32> {
    look::with(rm.repo.as_deref(), async |look| {
        let removed = Arc::clone(&look.host).remove_agent(&rm.id, rm.force).await?;
        look.print(&(removed.account().join("\n") + "\n"));
        Ok(0)
    })
}
