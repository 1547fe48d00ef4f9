//! Which model a name stands for, and which is meant where none is named.

use std::sync::Arc;

use super::{Host, locked};
use crate::error::{Error, Kind, Result};
use crate::model::Model;
use crate::model::select::{self, Environment};

impl Host {
    /// Returns the model that `name` stands for.
    ///
    /// # Errors
    /// Usage, for a provider that there is not; model, without a key.
    pub fn model(&self, name: &str) -> Result<Arc<dyn Model>> {
        if let Some(player) = self.player() {
            return Ok(player.model(name));
        }
        let mut models = locked(&self.models);
        if let Some(model) = models.get(name) {
            return Ok(Arc::clone(model));
        }
        let model = match (select::select(name, &self.providers()), &self.plan) {
            (Err(error), Some(plan)) => self.keyless_model(plan, name, error)?,
            (model, _) => model?,
        };
        models.insert(name.to_owned(), Arc::clone(&model));
        Ok(model)
    }

    /// Returns the model of agents that name none.
    ///
    /// # Errors
    /// Model, when nothing says which.
    pub fn default_model(&self) -> Result<Arc<dyn Model>> {
        if let Some(player) = self.player() {
            return self.played_default(&player);
        }
        let model = self.named_default()?;
        self.note_default_model(&*model);
        Ok(model)
    }

    pub(super) fn named_default(&self) -> Result<Arc<dyn Model>> {
        if let Some(name) = &self.config().model {
            return self.model(name);
        }
        match select::default_name(&self.providers()) {
            Some(name) => self.model(name),
            None if self.plan.is_some() => self.model(select::USUAL),
            None => Err(Error::new(Kind::Model, "no model is named and no key is set").hint(
                "set ANTHROPIC_API_KEY or OPENAI_API_KEY, or pass --model with a name or a Lua file",
            )),
        }
    }

    pub(super) fn providers(&self) -> Environment {
        let variable = |name: &str| self.variable(name);
        Environment::new(&variable).with_providers(&self.config().providers, &variable)
    }
}
