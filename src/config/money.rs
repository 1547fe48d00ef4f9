//! Money in settings: amounts, and what models cost. Prices are the user's word: a repository's file
//! may not have them, as it could make a model cheap and so lift a limit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Checks an amount of money, in USD.
///
/// # Errors
/// The reason, as the end of a sentence.
pub fn usd(amount: f64) -> std::result::Result<f64, String> {
    if amount.is_finite() && amount > 0.0 {
        Ok(amount)
    } else {
        Err(format!("must be a number of USD above 0, not {amount}"))
    }
}

/// What models cost, by their names.
pub type Prices = BTreeMap<String, PriceSetting>;

/// What a model costs, in USD for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table with `input` and `output`")]
pub struct PriceSetting {
    /// Tokens in.
    pub input: f64,
    /// Tokens out.
    pub output: f64,
    /// Tokens in that a cache serves; a tenth of `input` when absent.
    pub cache_read: Option<f64>,
    /// Tokens in that a cache takes; a quarter more than `input` when absent.
    pub cache_write: Option<f64>,
}

impl PriceSetting {
    /// Reports whether each number can be a price.
    fn is_possible(&self) -> bool {
        let optional = [self.cache_read, self.cache_write].into_iter().flatten();
        [self.input, self.output].into_iter().chain(optional).all(|p| p.is_finite() && p >= 0.0)
    }
}

/// Checks that every price can be one.
pub(super) fn checked(prices: Prices) -> Result<Prices> {
    match prices.iter().find(|(_, price)| !price.is_possible()) {
        Some((model, _)) => Err(Error::usage(format!(
            "`prices`: those of `{model}` must be numbers of USD from 0 up"
        ))),
        None => Ok(prices),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::{Config, Settings};

    fn priced(model: &str, input: f64) -> Prices {
        let price = PriceSetting { input, output: 5.0, cache_read: None, cache_write: None };
        Prices::from([(model.to_owned(), price)])
    }

    #[test]
    fn prices_of_all_sources_count_and_the_nearer_one_first() {
        let script = Settings { prices: Some(priced("a", 1.0)), ..Settings::default() };
        let mut below = priced("a", 2.0);
        below.extend(priced("b", 3.0));
        let below = Settings { prices: Some(below), ..Settings::default() };
        let prices = Config::new(script.over(below)).unwrap().prices;
        assert_eq!((prices["a"].input, prices["b"].input), (1.0, 3.0));
    }

    #[test]
    fn a_repository_lowers_the_budget_and_never_raises_it() {
        let limit = |usd| Settings { max_budget_usd: usd, ..Settings::default() };
        for (repository, user, expected) in [
            (Some(1.0), Some(5.0), Some(1.0)),
            (Some(9.0), Some(5.0), Some(5.0)),
            (Some(9.0), None, Some(9.0)),
            (None, Some(5.0), Some(5.0)),
        ] {
            let settings = limit(repository).within(&limit(user)).over(limit(user));
            assert_eq!(settings.max_budget_usd, expected);
        }
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for input in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(checked(priced("x", input)).is_err(), "{input}");
        }
        assert!(checked(priced("x", 0.0)).is_ok());
    }
}
