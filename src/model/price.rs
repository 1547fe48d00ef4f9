//! What tokens cost. A model that is not in the table has no price, which is not a price of 0.
//!
//! The table holds Anthropic's own prices of August 2026. They are found by name, also where
//! `ANTHROPIC_BASE_URL` leads to a gateway, as those pass them on; what another provider asks for
//! the same model is that provider's affair, and unknown here. The user's `prices` stand above it.

use serde::{Deserialize, Serialize};

use super::Usage;
use super::capability::is_named;

/// USD for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// Tokens in that no cache served.
    pub input: f64,
    /// Tokens out.
    pub output: f64,
    /// Tokens in that were read from a cache.
    pub cache_read: f64,
    /// Tokens in that were written to a cache.
    pub cache_write: f64,
}

/// Input and output; a cache is read for a tenth of the former and written for a quarter more.
const CLAUDE: [(&str, f64, f64); 4] = [
    ("claude-opus-5", 5.0, 25.0),
    ("claude-sonnet-5", 2.0, 10.0),
    ("claude-haiku-4-5", 1.0, 5.0),
    ("claude-fable-5", 10.0, 50.0),
];

impl Price {
    /// Returns what tokens cost, in USD.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let parts = [
            (usage.input_tokens, self.input),
            (usage.output_tokens, self.output),
            (usage.cache_read_input_tokens, self.cache_read),
            (usage.cache_creation_input_tokens, self.cache_write),
        ];
        parts.iter().map(|(tokens, price)| *tokens as f64 * price / 1e6).sum()
    }

    /// Returns the price of the model `name`, such as `anthropic/claude-sonnet-5`, if it is known.
    pub fn of(name: &str) -> Option<Self> {
        let model = name.strip_prefix("anthropic/").unwrap_or(name);
        // A slash that is left is another provider's.
        let known =
            |(known, ..): &&(&str, f64, f64)| !model.contains('/') && is_named(model, known);
        let (_, input, output) = *CLAUDE.iter().find(known)?;
        Some(Self { input, output, cache_read: input * 0.1, cache_write: input * 1.25 })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn anthropics_models_have_prices_and_what_others_sell_has_none() {
        let sonnet = Price::of("anthropic/claude-sonnet-5").unwrap();
        assert_eq!((sonnet.input, sonnet.output), (2.0, 10.0));
        assert_eq!(Price::of("claude-sonnet-5-20260701"), Some(sonnet));
        let haiku = Price { input: 1.0, output: 5.0, cache_read: 0.1, cache_write: 1.25 };
        assert_eq!(Price::of("anthropic/claude-haiku-4-5-20251001"), Some(haiku));
        for name in [
            "anthropic/claude-sonnet-6",
            "anthropic/claude-opus-5-1",
            "anthropic/standin",
            "openrouter/anthropic/claude-sonnet-5",
            "openai/claude-sonnet-5",
            "openai/gpt-5",
            "lua",
        ] {
            assert_eq!(Price::of(name), None, "{name}");
        }
    }

    #[test]
    fn each_kind_of_token_has_its_own_price() {
        let usage = Usage {
            input_tokens: 1_000_000,
            output_tokens: 100_000,
            cache_read_input_tokens: 10_000_000,
            cache_creation_input_tokens: 400_000,
        };
        let cost = Price::of("anthropic/claude-opus-5").unwrap().cost(&usage);
        assert!((cost - (5.0 + 2.5 + 5.0 + 2.5)).abs() < 1e-9, "{cost}");
    }
}
