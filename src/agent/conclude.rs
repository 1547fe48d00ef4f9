//! Whether an answer is the final one: what is asked of it beyond the model's own word.

use super::session::{Ending, Session};
use crate::error::Error;
use crate::model::Reply;

/// What becomes of an answer without calls.
pub(super) enum Verdict {
    /// It is final.
    Accepted,
    /// The agent is told this, and goes on.
    Again(String),
    /// There is no point in going on.
    #[expect(dead_code, reason = "for schemas and verification")]
    Failed(Ending),
}

impl Session<'_> {
    /// Judges an answer without calls.
    pub(super) async fn conclude(&mut self, reply: &Reply) -> Result<Verdict, Error> {
        Ok(self.ask_stop_hook(reply).await?.map_or(Verdict::Accepted, Verdict::Again))
    }
}
