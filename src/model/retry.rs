//! Asking until there is an answer, or no point in asking.
//!
//! The pause before each further try is drawn from 0 to a limit that doubles (full jitter), on
//! top of what the provider asked for: agents that were turned away together come back apart.
//! An overloaded provider is waited for by the clock, anything else by the number of tries.
//! Nothing of a failed try is kept, so a tool never runs twice or from half a message.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Chunk, Failure, Model, Reply, Request, Retry};
use crate::error::Error;

/// How patient to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How often to ask when it fails for other reasons than load; at least 1.
    pub tries: u32,
    /// How long after the first failure to give up on a provider that has too much to do, and the
    /// longest pause that a provider may ask for.
    pub patience: Duration,
    /// The limit of the first pause.
    pub first_pause: Duration,
    /// The limit of any pause that the provider did not ask for.
    pub longest_pause: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            tries: 5,
            patience: Duration::from_secs(15 * 60),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
        }
    }
}

impl Policy {
    /// Returns the pause after the failure number `attempt`, from 1; `share` is from 0 to 1.
    fn pause(&self, attempt: u32, retry: Retry, share: f64) -> Option<Duration> {
        let asked_for = match retry {
            Retry::Never => return None,
            Retry::Backoff => Duration::ZERO,
            Retry::After(after) => after,
        };
        let doubled = self.first_pause.saturating_mul(2_u32.saturating_pow(attempt - 1));
        Some(asked_for.saturating_add(doubled.min(self.longest_pause).mul_f64(share)))
    }
}

/// Asks `model` until it has answered, as `policy` says. `on_retry` hears the number of the try
/// that failed, the pause that follows, and why. The error at the end says how often was asked.
pub async fn ask_until_answered(
    model: &dyn Model,
    request: &Request,
    policy: &Policy,
    chunks: &(dyn Fn(Chunk) + Send + Sync),
    on_retry: &(dyn Fn(u32, Duration, &Error) + Send + Sync),
) -> Result<Reply, Error> {
    let begun = Instant::now();
    let mut first_failure = None;
    let (mut attempt, mut other_failures) = (0, 0);
    loop {
        attempt += 1;
        let Failure { error, retry, overloaded } = match model.ask(request, chunks).await {
            Ok(reply) => return Ok(reply),
            Err(failure) => failure,
        };
        let failing_for = first_failure.get_or_insert_with(Instant::now).elapsed();
        other_failures += u32::from(!overloaded);
        let tries_left = overloaded || other_failures < policy.tries;
        let pause = policy.pause(attempt, retry, share()).filter(|pause| {
            let bounded = if overloaded { failing_for + *pause } else { *pause };
            tries_left && bounded <= policy.patience
        });
        let Some(pause) = pause else {
            return Err(after_attempts(error, attempt, begun.elapsed()));
        };
        on_retry(attempt, pause, &error);
        sleep(pause).await;
    }
}

/// Returns a random number from 0 to 1: the standard library seeds its hashers at random, and
/// spreading pauses needs no more than that.
fn share() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(u32::MAX);
    f64::from(bits) / f64::from(u32::MAX)
}

fn after_attempts(mut error: Error, attempts: u32, elapsed: Duration) -> Error {
    if attempts > 1 {
        let seconds = elapsed.as_secs_f64();
        error.message = format!("{} ({attempts} attempts over {seconds:.1} s)", error.message);
    }
    error
}
