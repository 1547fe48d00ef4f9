//! What an agent costs and may cost: `max_budget_usd`, `fallback_model`, the prices of its models.

use std::sync::Arc;

use mlua::prelude::*;

use crate::agent::budget::{Purse, price_needed};
use crate::agent::query::Fallback;
use crate::error::Result;
use crate::host::Host;
use crate::model::Model;
use crate::model::price::Price;
use crate::vm::{Options, Task};

/// The most models that may stand behind the first.
const MOST_FALLBACKS: usize = 3;

/// What an agent costs and may cost.
pub(super) struct Money {
    pub(super) fallbacks: Vec<Fallback>,
    pub(super) purse: Arc<Purse>,
    pub(super) price: Option<Price>,
}

/// Reads an amount of money, in USD.
///
/// # Errors
/// Usage, for what is none or is not above 0.
pub fn amount(options: &mut Options, name: &str) -> Result<Option<f64>> {
    let Some(value) = options.any(name) else { return Ok(None) };
    let amount = match &value {
        LuaValue::Integer(integer) => *integer as f64,
        LuaValue::Number(number) => *number,
        other => return Err(options.wrong(name, "a number of USD", other)),
    };
    crate::config::usd(amount).map(Some).map_err(|why| options.bad(name, why))
}

/// Reads the options that are about money of an agent that `model` answers.
pub(super) fn read(
    host: &Host,
    task: &Task,
    model: &dyn Model,
    options: &mut Options,
    mut find: impl FnMut(&LuaValue) -> Option<Result<Arc<dyn Model>>>,
) -> Result<Money> {
    let limit = amount(options, "max_budget_usd")?;
    let price_of = |model: &dyn Model| host.price(model.name());
    let mut fallbacks = Vec::new();
    for value in listed(options)? {
        let Some(found) = find(&value) else {
            return Err(options.wrong("fallback_model", "a model or a list of models", &value));
        };
        let model = found?;
        fallbacks.push(Fallback { price: price_of(&*model), model });
    }
    let price = price_of(model);
    // What a callback asks for is paid by the agent that called it.
    let employer = task.employer().and_then(|employer| employer.purse.as_ref());
    let payer = employer.unwrap_or(host.fleet().purse());
    if limit.is_some() || payer.is_limited() {
        if price.is_none() {
            return Err(price_needed(model.name(), false));
        }
        if let Some(unknown) = fallbacks.iter().find(|fallback| fallback.price.is_none()) {
            return Err(price_needed(unknown.model.name(), true));
        }
    }
    Ok(Money { fallbacks, purse: payer.below(limit), price })
}

/// Returns what `fallback_model` lists: one, or up to three.
fn listed(options: &mut Options) -> Result<Vec<LuaValue>> {
    let list = match options.any("fallback_model") {
        None => return Ok(Vec::new()),
        Some(LuaValue::Table(list)) => list,
        Some(one) => return Ok(vec![one]),
    };
    let is_list = list.pairs::<LuaValue, LuaValue>().count() == list.raw_len();
    if !is_list || !(1..=MOST_FALLBACKS).contains(&list.raw_len()) {
        return Err(options.bad(
            "fallback_model",
            format_args!("must be a model or a list of 1 to {MOST_FALLBACKS}"),
        ));
    }
    let items = list.sequence_values().collect::<LuaResult<_>>();
    items.map_err(|fault| crate::error::Error::internal(fault.to_string()))
}
