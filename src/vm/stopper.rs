//! What cancels a task from wherever: deadlines and signals hold one on other threads.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Cancels a task, with the reason that it will raise; can be sent to other threads.
#[derive(Clone)]
pub struct Stopper {
    token: CancellationToken,
    reason: Arc<OnceLock<Error>>,
}

impl Stopper {
    /// Makes what cancels `token`.
    pub(super) fn new(token: CancellationToken) -> Self {
        Self { token, reason: Arc::default() }
    }

    /// Cancels the task and what it started. The first reason stands.
    pub fn stop(&self, reason: Error) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Returns the token that is cancelled with the task.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Returns why the task was stopped, if it was by name.
    pub fn reason(&self) -> Option<&Error> {
        self.reason.get()
    }
}
