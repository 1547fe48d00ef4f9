//! What models cost: the settings' word, else what is known.

use super::Host;
use crate::model::price::Price;

impl Host {
    /// Returns what a model costs, by its name: what the user says, else what is known.
    pub fn price(&self, model: &str) -> Option<Price> {
        if let Some(recorded) = self.player().and_then(|player| player.price(model)) {
            return recorded;
        }
        let config = self.config();
        let Some(said) = config.prices.get(model) else { return Price::of(model) };
        Some(Price {
            input: said.input,
            output: said.output,
            cache_read: said.cache_read.unwrap_or(said.input * 0.1),
            cache_write: said.cache_write.unwrap_or(said.input * 1.25),
        })
    }
}
