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
            patience: Duration::from_mins(15),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_mins(1),
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
        let Failure { error, retry, overloaded, .. } = match model.ask(request, chunks).await {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::error::Kind;
    use crate::model::anthropic::Anthropic;
    use crate::model::scripted::{Server, answer, reply, request, stream};

    /// Fails in the given ways, then answers.
    struct Failing(Mutex<Vec<Failure>>);

    impl Model for Failing {
        fn name(&self) -> &'static str {
            "failing"
        }

        fn wire(&self) -> &'static str {
            "test"
        }

        fn ask<'a>(
            &'a self,
            _: &'a Request,
            _: &'a (dyn Fn(Chunk) + Send + Sync),
        ) -> BoxFuture<'a, Result<Reply, Failure>> {
            let next = self.0.lock().unwrap().pop();
            async move { next.map_or_else(|| Ok(reply("test", serde_json::Value::Null)), Err) }
                .boxed()
        }
    }

    fn failure(retry: Retry, overloaded: bool) -> Failure {
        Failure { retry, overloaded, ..Failure::fatal(Error::new(Kind::Model, "no")) }
    }

    fn quick() -> Policy {
        let millisecond = Duration::from_millis(1);
        Policy { first_pause: millisecond, longest_pause: millisecond, ..Policy::default() }
    }

    /// Returns the answer and how often it was asked again.
    async fn ask(model: &dyn Model, policy: &Policy) -> (Result<Reply, Error>, Vec<u32>) {
        let retries = Mutex::new(Vec::new());
        let note = |attempt, _, _: &Error| retries.lock().unwrap().push(attempt);
        let answer = ask_until_answered(model, &request("hi"), policy, &|_| {}, &note).await;
        (answer, retries.into_inner().unwrap())
    }

    #[tokio::test]
    async fn failures_are_counted_and_load_is_not() {
        let model = Failing(Mutex::new(vec![failure(Retry::Backoff, false); 4]));
        let (answer, retries) = ask(&model, &quick()).await;
        assert!(answer.is_ok());
        assert_eq!(retries, [1, 2, 3, 4]);

        let model = Failing(Mutex::new(vec![failure(Retry::Backoff, false); 5]));
        let error = ask(&model, &quick()).await.0.unwrap_err();
        assert!(error.message.starts_with("no (5 attempts over "), "{error}");

        let model = Failing(Mutex::new(vec![failure(Retry::Backoff, true); 40]));
        assert!(ask(&model, &quick()).await.0.is_ok());
    }

    #[tokio::test]
    async fn what_cannot_be_mended_is_told_at_once() {
        let model = Failing(Mutex::new(vec![failure(Retry::Never, false)]));
        let (answer, retries) = ask(&model, &quick()).await;
        assert_eq!(answer.unwrap_err().message, "no");
        assert!(retries.is_empty());
    }

    #[tokio::test]
    async fn load_and_long_pauses_are_given_up_by_the_clock() {
        let hour = Retry::After(Duration::from_hours(1));
        for overloaded in [true, false] {
            let model = Failing(Mutex::new(vec![failure(hour, overloaded)]));
            assert!(ask(&model, &quick()).await.0.is_err());
        }
        let policy = Policy { patience: Duration::from_millis(20), ..quick() };
        let model = Failing(Mutex::new(vec![failure(Retry::Backoff, true); 100_000]));
        let error = ask(&model, &policy).await.0.unwrap_err();
        assert!(error.message.contains("attempts over"), "{error}");
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_never_undercut_what_was_asked() {
        let policy = Policy::default();
        let pause = |attempt, retry, share| policy.pause(attempt, retry, share).unwrap();
        let limits = [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000];
        for (attempt, limit) in (1..).zip(limits) {
            assert_eq!(pause(attempt, Retry::Backoff, 1.0), Duration::from_millis(limit));
        }
        assert_eq!(pause(u32::MAX, Retry::Backoff, 0.5), Duration::from_secs(30));
        let after = Retry::After(Duration::from_secs(7));
        assert_eq!(pause(1, after, 0.0), Duration::from_secs(7));
        assert_eq!(pause(1, after, 1.0), Duration::from_millis(7500));
        assert_eq!(policy.pause(1, Retry::Never, 0.5), None);
    }

    #[test]
    fn shares_are_spread() {
        let shares: Vec<f64> = (0..1000).map(|_| share()).collect();
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        for tenth in 0..10_u32 {
            let from = f64::from(tenth) / 10.0;
            let within = shares.iter().filter(|share| (from..from + 0.1).contains(*share)).count();
            assert!((40..250).contains(&within), "{within} of 1000 in {from}");
        }
    }

    #[tokio::test]
    async fn a_turn_survives_what_servers_do() {
        let whole = concat!(
            "data: {\"type\":\"content_block_start\",\"index\":0,",
            "\"content_block\":{\"type\":\"text\",\"text\":\"yes\"}}\n\n",
            "data: {\"type\":\"message_stop\"}\n\n",
        );
        let scripts = vec![
            answer(429, "retry-after-ms: 1\r\n", "{}"),
            answer(529, "", "{}"),
            answer(500, "", "oops"),
            stream(&whole[..100]),
            vec![],
            stream(whole),
        ];
        let server = Server::start(scripts).await;
        let model = Anthropic::new("m", &server.url, None).unwrap();
        let (answer, retries) = ask(&model, &quick()).await;
        assert_eq!(answer.unwrap().text, "yes");
        assert_eq!(retries, [1, 2, 3, 4, 5]);
        // Every try asks the same question.
        assert!((1..6).all(|number| server.body(number) == server.body(0)));
    }

    #[tokio::test]
    async fn a_host_that_is_not_there_is_named_with_what_to_set() {
        // A port that was just free: nobody listens.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let model = Anthropic::new("m", &format!("http://{free}"), None).unwrap();
        let (answer, retries) = ask(&model, &quick()).await;
        let error = answer.unwrap_err();
        assert_eq!(retries.len(), 4);
        assert!(error.message.contains(&free.to_string()), "{error}");
        assert!(error.message.contains("efused"), "{error}");
        assert!(error.hint.unwrap().contains("ANTHROPIC_BASE_URL"));
    }
}
