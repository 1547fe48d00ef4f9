//! Room in the model's context: what happens when a conversation no longer fits.

use super::session::Session;
use crate::error::{Error, Kind};

impl Session<'_> {
    /// Makes room after the model said that the conversation no longer fits.
    pub(super) async fn make_room(&mut self) -> Result<(), Error> {
        self.tell_compaction("auto").await?;
        let model = self.query.model.name();
        Err(Error::new(
            Kind::Model,
            format!("the conversation no longer fits into the context of `{model}`"),
        )
        .hint("give the agent a smaller task, or a model with a larger context"))
    }
}
