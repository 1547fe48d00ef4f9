//! One pool: everybody who asks the same model of the same provider with the same key.
//!
//! They stand in one line. Who is at its head alone looks at the state and waits for it to change,
//! so nothing has to wake the others, and nobody overtakes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Asking;
use super::breaker::{Breaker, Verdict};
use super::bucket::Bucket;
use super::load::Load;
use super::warmth::{self, Lead, Warmth};
use super::window::{Back, Window};
use crate::error::{Error, Kind, Result};
use crate::event::Usage;
use crate::model::rate::RateLimits;
use crate::model::{Failure, Reply, Retry, retry};

/// The most that is added to a pause, so that processes which were sent away together come back apart.
const JITTER: Duration = Duration::from_secs(2);

/// Those who share a provider's limits.
#[derive(Default)]
pub struct Pool {
    line: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// Told to the head of the line.
    changed: Notify,
    warmth: Arc<Warmth>,
}

#[derive(Default)]
struct State {
    window: Window,
    breaker: Breaker,
    /// Nobody sends before then, and what the provider said.
    pause: Option<(Instant, Error)>,
    requests: Bucket,
    input: Bucket,
    output: Bucket,
    /// What requests under way will likely take of the input.
    under_way: f64,
}

/// What the state says to the head of the line.
enum Admission {
    Go { number: u64, probes: bool },
    At(Instant, Option<Error>),
    Later,
    Never(Error),
}

impl State {
    fn admit(&mut self, load: Load, now: Instant) -> Admission {
        let probes = match self.breaker.verdict(now) {
            Verdict::Closed => false,
            Verdict::Probe => true,
            Verdict::At(at) => return Admission::At(at, None),
            Verdict::Later => return Admission::Later,
            Verdict::Never(error) => return Admission::Never(error),
        };
        if let Some((until, error)) = &self.pause {
            if now < *until {
                return Admission::At(*until, Some(error.clone()));
            }
            self.pause = None;
        }
        if self.window.is_full() {
            return Admission::Later;
        }
        let need = load.likely() as f64;
        let waits = [
            self.requests.ready_at(1.0, now),
            self.input.ready_at(need, now),
            self.output.ready_at(1.0, now),
        ];
        if let Some(at) = waits.into_iter().flatten().max() {
            return Admission::At(at, None);
        }
        self.requests.take(1.0, now);
        self.input.take(need, now);
        self.under_way += need;
        if probes {
            self.breaker.probe_left();
        }
        Admission::Go { number: self.window.leave(), probes }
    }

    /// Lets everybody wait as long as the provider asks for; one of them goes first then.
    fn pause(&mut self, after: Duration, error: &Error, now: Instant) {
        let until = now + after + (after / 4).min(JITTER).mul_f64(retry::share());
        if self.pause.as_ref().is_none_or(|(known, _)| *known < until) {
            self.pause = Some((until, error.clone()));
        }
        self.window.probe();
    }

    /// Takes what an answer tells of the limits; what it does not tell is settled by what was used.
    fn hear(&mut self, told: &RateLimits, load: Load, usage: &Usage, now: Instant) {
        let need = load.likely() as f64;
        self.under_way = (self.under_way - need).max(0.0);
        let used = (usage.input_tokens + usage.cache_creation_input_tokens) as f64;
        if usage.total_input() > 0 {
            self.input.take(used - need, now);
        }
        self.output.take(usage.output_tokens as f64, now);
        self.requests.hear(told.requests, self.window.out() as f64, now);
        self.input.hear(told.input_tokens, self.under_way, now);
        self.output.hear(told.output_tokens, 0.0, now);
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a pass; see [`super::Governor::pass`].
    pub async fn enter(self: Arc<Self>, asking: Asking<'_>) -> Result<Pass> {
        let prefix = warmth::prefix_of(asking.model, asking.request);
        // Before the line: who waits for a warm cache is in nobody's way.
        let lead = match prefix {
            Some(prefix) => self.warmth.turn(prefix).await,
            None => None,
        };
        let (number, probes) = self.wait_in_line(&asking).await?;
        Ok(Pass(Some(Inside {
            pool: self,
            agent: asking.agent.to_owned(),
            load: asking.load,
            number,
            probes,
            prefix,
            lead: Mutex::new(lead),
            has_begun: AtomicBool::new(false),
        })))
    }

    async fn wait_in_line(&self, asking: &Asking<'_>) -> Result<(u64, bool)> {
        let _head = self.line.lock().await;
        loop {
            let admission = self.lock().admit(asking.load, Instant::now());
            match admission {
                Admission::Go { number, probes } => return Ok((number, probes)),
                Admission::Never(error) => return Err(error),
                Admission::At(at, why) if at > asking.tries.last_start() => {
                    return Err(too_long(asking, at, why));
                }
                Admission::At(at, _) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = self.changed.notified() => {}
                },
                Admission::Later => self.changed.notified().await,
            }
        }
    }
}

fn too_long(asking: &Asking<'_>, at: Instant, why: Option<Error>) -> Error {
    let seconds = |at: Instant| at.saturating_duration_since(Instant::now()).as_secs_f64();
    let mut error = why.unwrap_or_else(|| {
        let name = asking.model.name();
        Error::new(Kind::Model, format!("the limits of `{name}` are used up"))
            .with("reason", "rate_limit".into())
    });
    error.message = format!(
        "{}; it may be asked again in {:.0} s, and the agent can wait for {:.0} s",
        error.message,
        seconds(at).ceil(),
        seconds(asking.tries.last_start())
    );
    error.hint("raise `timeout`, or run fewer agents at once")
}

/// The leave to send one request, held until it is back.
pub struct Pass(Option<Inside>);

struct Inside {
    pool: Arc<Pool>,
    agent: String,
    load: Load,
    number: u64,
    probes: bool,
    prefix: Option<u64>,
    lead: Mutex<Option<Lead>>,
    has_begun: AtomicBool,
}

impl Pass {
    /// Makes the pass of a request that nobody limits.
    pub(super) fn ungoverned() -> Self {
        Self(None)
    }

    /// Notes that the answer has begun.
    pub fn begun(&self) {
        let Some(inside) = &self.0 else { return };
        if !inside.has_begun.swap(true, Ordering::Relaxed)
            && let Some(prefix) = inside.prefix
        {
            inside.pool.warmth.begun(prefix);
            drop(inside.lead.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }

    /// Gives it back with an answer.
    pub fn answered(mut self, reply: &Reply) {
        self.begun();
        self.give_back(Back::Clean, |state, inside, now| {
            state.breaker.answered();
            state.hear(&reply.limits, inside.load, &reply.usage, now);
        });
    }

    /// Gives it back with a failure.
    pub fn failed(mut self, failure: &Failure) {
        let Failure { error, retry, overloaded, heard } = failure;
        let back = if *overloaded { Back::Crowded } else { Back::Failed };
        self.give_back(back, |state, inside, now| {
            if *overloaded {
                // It was not taken in.
                state.input.take(-(inside.load.likely() as f64), now);
            }
            state.hear(&heard.limits, inside.load, &heard.usage, now);
            let reason = error.detail("reason").and_then(serde_json::Value::as_str);
            match (reason, retry) {
                (Some("billing_error"), _) => state.breaker.spent(error.clone()),
                // Whoever says what is wrong with us is well.
                (Some("rate_limit"), _) | (_, Retry::Never) => {
                    if inside.probes {
                        state.breaker.answered();
                    }
                }
                _ => state.breaker.failed(&inside.agent, error, inside.probes, now),
            }
            if let (true, Retry::After(after)) = (*overloaded, retry) {
                state.pause(*after, error, now);
            }
        });
    }

    fn give_back(&mut self, how: Back, learn: impl FnOnce(&mut State, &Inside, Instant)) {
        let Some(inside) = self.0.take() else { return };
        let mut state = inside.pool.lock();
        state.window.come_back(inside.number, how);
        learn(&mut state, &inside, Instant::now());
        drop(state);
        inside.pool.changed.notify_one();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.give_back(Back::Lost, |state, inside, _| {
            state.under_way = (state.under_way - inside.load.likely() as f64).max(0.0);
            if inside.probes {
                state.breaker.probe_lost();
            }
        });
    }
}
