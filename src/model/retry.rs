//! When to ask again: how long to wait after a failure, and when there is no point in it.
//!
//! The pause before each further try is drawn from 0 to a limit that doubles (full jitter), on
//! top of what the provider asked for: agents that were turned away together come back apart.
//! An overloaded provider is waited for by the clock, anything else by the number of tries.
//! Nothing of a failed try is kept, so a tool never runs twice or from half a message. It asks and
//! waits for nothing itself.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::{Failure, Retry};
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
            Retry::AtOnce => return Some(Duration::ZERO),
            Retry::Backoff => Duration::ZERO,
            Retry::After(after) => after,
        };
        let doubled = self.first_pause.saturating_mul(2_u32.saturating_pow(attempt - 1));
        Some(asked_for.saturating_add(doubled.min(self.longest_pause).mul_f64(share)))
    }
}

/// The tries for one reply.
#[derive(Clone, Debug)]
pub struct Tries {
    policy: Policy,
    begun: Instant,
    /// When whoever asks has to be done.
    deadline: Option<Instant>,
    first_failure: Option<Instant>,
    attempts: u32,
    other_failures: u32,
}

impl Tries {
    /// Begins now.
    pub fn new(policy: Policy, deadline: Option<Instant>) -> Self {
        Self {
            policy,
            begun: Instant::now(),
            deadline,
            first_failure: None,
            attempts: 0,
            other_failures: 0,
        }
    }

    /// Returns how often was asked in vain.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns until when a try may be put off.
    pub fn last_start(&self) -> Instant {
        let patient = self.first_failure.unwrap_or_else(Instant::now) + self.policy.patience;
        self.deadline.map_or(patient, |deadline| deadline.min(patient))
    }

    /// Counts a failure, and returns the pause before the next try.
    ///
    /// # Errors
    /// The failure's, with how often was asked, when there is no point in another try.
    pub fn pause_after(&mut self, failure: &Failure) -> Result<Duration, Error> {
        let Failure { error, retry, overloaded, .. } = failure;
        self.attempts += 1;
        let failing_for = self.first_failure.get_or_insert_with(Instant::now).elapsed();
        self.other_failures += u32::from(!overloaded);
        let tries_left = *overloaded || self.other_failures < self.policy.tries;
        let pause = self.policy.pause(self.attempts, *retry, share()).filter(|pause| {
            let bounded = if *overloaded { failing_for + *pause } else { *pause };
            tries_left && bounded <= self.policy.patience
        });
        let Some(pause) = pause else { return Err(self.in_vain(error.clone())) };
        let left = self.deadline.map(|deadline| deadline.duration_since(Instant::now()));
        match (retry, left) {
            (Retry::After(after), Some(left)) if *after > left => {
                let mut error = error.clone();
                error.message = format!(
                    "{}; it asks for a pause of {:.0} s, and the agent has {:.0} s left",
                    error.message,
                    after.as_secs_f64().ceil(),
                    left.as_secs_f64()
                );
                Err(self.in_vain(error).hint("raise `timeout`, or run fewer agents at once"))
            }
            _ => Ok(pause),
        }
    }

    fn in_vain(&self, mut error: Error) -> Error {
        if self.attempts > 1 {
            let seconds = self.begun.elapsed().as_secs_f64();
            error.message =
                format!("{} ({} attempts over {seconds:.1} s)", error.message, self.attempts);
        }
        error
    }
}

/// Returns a random number from 0 to 1: the standard library seeds its hashers at random, and
/// spreading pauses needs no more than that.
pub fn share() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(u32::MAX);
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::error::Kind;
    use crate::model::anthropic::Anthropic;
    use crate::model::scripted::{Failing, Server, answer, request, stream};
    use crate::model::{Model, Reply};

    fn failure(retry: Retry, overloaded: bool) -> Failure {
        Failure { retry, overloaded, ..Failure::fatal(Error::new(Kind::Model, "no")) }
    }

    fn quick() -> Policy {
        let millisecond = Duration::from_millis(1);
        Policy { first_pause: millisecond, longest_pause: millisecond, ..Policy::default() }
    }

    /// Returns the answer and how often it was asked again.
    async fn ask(model: &dyn Model, policy: &Policy) -> (Result<Reply, Error>, Vec<u32>) {
        let (mut tries, mut retries) = (Tries::new(*policy, None), Vec::new());
        loop {
            let failure = match model.ask(&request("hi"), &|_| {}).await {
                Ok(reply) => return (Ok(reply), retries),
                Err(failure) => failure,
            };
            match tries.pause_after(&failure) {
                Ok(pause) => tokio::time::sleep(pause).await,
                Err(error) => return (Err(error), retries),
            }
            retries.push(tries.attempts());
        }
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

    #[tokio::test(start_paused = true)]
    async fn a_pause_beyond_the_deadline_is_told_at_once() {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut tries = Tries::new(Policy::default(), Some(deadline));
        let short = failure(Retry::After(Duration::from_secs(19)), true);
        assert!(tries.pause_after(&short).is_ok());
        tokio::time::advance(Duration::from_secs(5)).await;
        let long = failure(Retry::After(Duration::from_secs(16)), true);
        let error = tries.pause_after(&long).unwrap_err();
        let expected = "no; it asks for a pause of 16 s, and the agent has 15 s left (2 attempts";
        assert!(error.message.starts_with(expected), "{error}");
        assert_eq!(tries.last_start(), deadline);
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
