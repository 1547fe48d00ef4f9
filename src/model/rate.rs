//! What a provider says is left of its limits.

use std::time::Duration;

/// One limit: how much there is, how much is left, and when it is full again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// How much it holds.
    pub limit: u64,
    /// How much is left.
    pub remaining: u64,
    /// How long until it is full.
    pub reset: Duration,
}

/// The limits of an answer's headers; absent where nothing was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests.
    pub requests: Option<Bucket>,
    /// Tokens in, or in and out where the provider does not tell them apart.
    pub input_tokens: Option<Bucket>,
    /// Tokens out.
    pub output_tokens: Option<Bucket>,
}
