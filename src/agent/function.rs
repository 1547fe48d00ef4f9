//! A function of the script, as an agent calls it from its own thread.

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::error::Result;

/// Something that takes and returns values and may fail with what the script raised.
pub trait Function: Send + Sync {
    /// Calls it. Dropping the future gives the call up.
    fn call(&self, args: Vec<Value>) -> BoxFuture<'_, Result<Vec<Value>>>;

    /// Returns the hash of its code.
    fn code(&self) -> &str;
}
