//! Models of a dry run: nobody asks them, so they need no key.

use std::sync::Arc;

use super::Plan;
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::model::Model;
use crate::model::select;

impl Host {
    /// Returns a model that could not be had, if it lacks nothing but its key, and notes that.
    ///
    /// # Errors
    /// What else it lacks.
    pub(in crate::host) fn keyless_model(
        &self,
        plan: &Plan,
        name: &str,
        error: Error,
    ) -> Result<Arc<dyn Model>> {
        if error.kind != Kind::Model {
            return Err(error);
        }
        let model =
            select::select(name, &self.providers().with_keys()).map_err(|_| error.clone())?;
        plan.note(error.message);
        Ok(model)
    }
}
