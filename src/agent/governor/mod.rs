//! The governor: when a request of any agent of the process may be sent to a model.
//!
//! Agents that share a provider's limits share a [`Pool`](pool::Pool): a window of requests under way, the
//! limits that the provider tells of, one pause for all when it asks for one, a breaker. A [`Pass`] is
//! held for one request and never while tools run or an agent pauses. Models that nobody else limits,
//! such as those written in Lua, are not governed. It knows no money and asks nobody itself.

mod breaker;
mod bucket;
pub mod load;
mod pool;
mod warmth;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use self::load::Load;
pub use self::pool::Pass;
use self::pool::Pool;
use crate::error::Result;
use crate::model::retry::Tries;
use crate::model::{Model, Request};

/// The pools of the process, by what names them.
#[derive(Default)]
pub struct Governor(Mutex<HashMap<String, Arc<Pool>>>);

/// A request that wants to be sent.
pub struct Asking<'a> {
    /// Whose it is.
    pub agent: &'a str,
    /// Who is asked.
    pub model: &'a dyn Model,
    /// What is asked.
    pub request: &'a Request,
    /// How large it is.
    pub load: Load,
    /// The tries that it is one of, which know how long it may wait.
    pub tries: &'a Tries,
}

impl Governor {
    /// Waits until the request may be sent; first come, first served. Dropping the future gives the
    /// place in the line up.
    ///
    /// # Errors
    /// When there is no point in sending it, or not before the time is over: what the provider said.
    pub async fn pass(&self, asking: Asking<'_>) -> Result<Pass> {
        match asking.model.pool() {
            Some(name) => self.pool(name).enter(asking).await,
            None => Ok(Pass::ungoverned()),
        }
    }

    fn pool(&self, name: &str) -> Arc<Pool> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pools.entry(name.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests;
