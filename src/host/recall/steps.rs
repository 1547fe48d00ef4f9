//! What the steps of the script ask of what a resumed run remembers.

use std::sync::Arc;

use crate::error::Result;
use crate::host::Host;

impl Host {
    /// Tells whether the script's text or its arguments are others than in the life before.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(in crate::host) async fn is_edited(self: &Arc<Self>) -> Result<bool> {
        self.look_back().await?;
        let earlier = self.recall.as_ref().and_then(|recall| recall.earlier.get());
        Ok(earlier.is_some_and(|earlier| earlier.edited))
    }
}
