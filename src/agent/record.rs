//! What was said, kept: every message of a conversation goes through here, into the history that
//! the model is asked with.

use std::sync::Arc;

use super::session::Session;
use crate::error::Result;
use crate::model::{Reply, ToolResult};

impl Session<'_> {
    /// Keeps what the model said.
    pub(super) fn keep_reply(&mut self, reply: &Arc<Reply>) -> Result<()> {
        self.history.push_reply(Arc::clone(reply))
    }

    /// Keeps what answers it.
    pub(super) fn keep_answer(
        &mut self,
        results: Vec<ToolResult>,
        texts: Vec<String>,
    ) -> Result<()> {
        self.tell_answer(&results, &texts);
        self.history.push_answer(results, texts)
    }
}
