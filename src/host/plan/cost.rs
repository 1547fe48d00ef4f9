//! The most that an agent may cost: every turn with a full context window in and the longest reply out.

use serde::Serialize;

use crate::agent::query::Query;
use crate::model::Model;
use crate::model::price::Price;

/// What one turn may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Tokens that may go in.
    pub context_window: u64,
    /// Tokens that may come out.
    pub max_output_tokens: u32,
    /// What both cost at the dearest, in USD.
    pub turn_usd: f64,
}

impl Cost {
    /// Returns what a turn of the dearest of an agent's models may cost; nothing when that is unknown of
    /// one of them.
    pub fn of(query: &Query) -> Option<Self> {
        let first = Self::of_model(query, &*query.model, query.price)?;
        let rest = query.fallbacks.iter().map(|one| Self::of_model(query, &*one.model, one.price));
        rest.chain([Some(first)]).reduce(|a, b| {
            let (a, b) = (a?, b?);
            Some(if a.turn_usd >= b.turn_usd { a } else { b })
        })?
    }

    /// Returns the names of an agent's models of which it is unknown what a turn may cost.
    pub(super) fn unknown(query: &Query) -> Vec<String> {
        let first = (&query.model, query.price);
        let models = query.fallbacks.iter().map(|one| (&one.model, one.price));
        let unknown = std::iter::once(first)
            .chain(models)
            .filter(|(model, price)| Self::of_model(query, &***model, *price).is_none());
        unknown.map(|(model, _)| model.name().to_owned()).collect()
    }

    fn of_model(query: &Query, model: &dyn Model, price: Option<Price>) -> Option<Self> {
        let (price, able) = (price?, model.capabilities());
        let context_window = able.context_window?;
        let max_output_tokens = able.reply_limit(query.limits.max_output_tokens, query.effort);
        let dearest = price.input.max(price.cache_write).max(price.cache_read);
        let turn_usd =
            (context_window as f64 * dearest + f64::from(max_output_tokens) * price.output) / 1e6;
        Some(Self { context_window, max_output_tokens, turn_usd })
    }

    /// Returns the most that an agent may cost in all its turns and within its budget, in USD.
    pub(super) fn worst_case(query: &Query, cost: Option<Self>) -> Option<f64> {
        let turns = cost.map(|cost| cost.turn_usd * f64::from(query.limits.max_turns));
        match (turns, query.purse.total()) {
            (Some(turns), Some(budget)) => Some(turns.min(budget)),
            (turns, budget) => turns.or(budget),
        }
    }
}
