//! Work that blocks, off the async threads.

use tokio_util::sync::CancellationToken;

use super::ToolError;
use crate::error::Error;

/// Runs `work` to its end, cancelled or not: for short work that must not be half done, or be done
/// after the agent was told that it was not.
pub(super) async fn to_end<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| {
        Err(ToolError::Fatal(Error::internal("a tool failed in an unforeseen way").because(panic)))
    })
}

/// Runs `work` that only looks; once cancelled its result is not waited for.
pub(super) async fn unless_cancelled<T: Send + 'static>(
    cancel: &CancellationToken,
    work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    let done = cancel.run_until_cancelled(to_end(work)).await;
    done.unwrap_or_else(|| Err(ToolError::reply("cancelled before it was done")))
}
