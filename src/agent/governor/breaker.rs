//! Whether it makes sense to ask at all. Two things say no: a spending limit, for good, and a
//! provider that fails whoever asks, for a while.
//!
//! A provider that has never answered is not ill but wrong (a host that is not there, a key that
//! does not do): each agent finds that out by itself. While the breaker is open its agents wait; one of them
//! probes after each rest. When that has failed often enough they are told, and whoever comes later
//! is told at once until the next probe is due.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;

/// Failures in a row that open it.
const FAILURES: u32 = 10;
/// Agents that they have to come from.
const AGENTS: usize = 3;
/// How long it rests before the next probe.
const REST: Duration = Duration::from_secs(30);
/// Probes that agents wait for.
const PROBES: u32 = 4;

/// Whether a request may leave.
#[derive(Debug)]
pub enum Verdict {
    /// It may.
    Closed,
    /// It may, and tells whether the others may.
    Probe,
    /// Not before then.
    At(Instant),
    /// A probe is under way.
    Later,
    /// There is no point in it.
    Never(Error),
}

#[derive(Debug)]
enum State {
    Closed,
    Open { until: Instant, failed_probes: u32, probing: bool, error: Error },
    Spent(Error),
}

/// The breaker of a pool.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    /// Whether the provider has ever answered.
    answered: bool,
    /// Failures since the last answer, and whose they were.
    failures: u32,
    agents: BTreeSet<String>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed, answered: false, failures: 0, agents: BTreeSet::new() }
    }
}

impl Breaker {
    /// Judges a request that wants to leave.
    pub fn verdict(&self, now: Instant) -> Verdict {
        match &self.state {
            State::Closed => Verdict::Closed,
            State::Spent(error) => Verdict::Never(error.clone()),
            State::Open { until, failed_probes, probing, error } => {
                if *failed_probes >= PROBES && (*probing || now < *until) {
                    Verdict::Never(error.clone())
                } else if *probing {
                    Verdict::Later
                } else if now < *until {
                    Verdict::At(*until)
                } else {
                    Verdict::Probe
                }
            }
        }
    }

    /// Notes that the probe has left.
    pub fn probe_left(&mut self) {
        self.set_probing(true);
    }

    /// Notes that nobody waits for the probe any more.
    pub fn probe_lost(&mut self) {
        self.set_probing(false);
    }

    fn set_probing(&mut self, is: bool) {
        if let State::Open { probing, .. } = &mut self.state {
            *probing = is;
        }
    }

    /// Notes an answer.
    pub fn answered(&mut self) {
        self.answered = true;
        self.failures = 0;
        self.agents.clear();
        if let State::Open { .. } = self.state {
            self.state = State::Closed;
        }
    }

    /// Notes a failure that is the provider's; `was_probe` tells whether it was the probe's.
    pub fn failed(&mut self, agent: &str, error: &Error, was_probe: bool, now: Instant) {
        match &mut self.state {
            State::Open { until, failed_probes, probing, error: last } if was_probe => {
                *until = now + REST;
                *failed_probes += 1;
                *probing = false;
                *last = error.clone();
            }
            State::Closed => {
                self.failures += 1;
                if self.agents.len() < AGENTS {
                    self.agents.insert(agent.to_owned());
                }
                if self.answered && self.failures >= FAILURES && self.agents.len() >= AGENTS {
                    let (until, error) = (now + REST, error.clone());
                    self.state = State::Open { until, failed_probes: 0, probing: false, error };
                }
            }
            // Those that left before it opened.
            State::Open { .. } | State::Spent(_) => {}
        }
    }

    /// Notes that there is no more money: nothing mends that while the process lives.
    pub fn spent(&mut self, error: Error) {
        self.state = State::Spent(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn error() -> Error {
        Error::new(Kind::Model, "no")
    }

    fn fail(breaker: &mut Breaker, agents: &[&str], times: usize, now: Instant) {
        for agent in agents.iter().cycle().take(times) {
            breaker.failed(agent, &error(), false, now);
        }
    }

    fn is_closed(breaker: &Breaker, now: Instant) -> bool {
        matches!(breaker.verdict(now), Verdict::Closed)
    }

    #[tokio::test(start_paused = true)]
    async fn ten_failures_of_three_agents_open_it_after_an_answer() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        fail(&mut breaker, &["a", "b", "c"], 50, now);
        assert!(is_closed(&breaker, now), "it has never answered");
        breaker.answered();
        fail(&mut breaker, &["a", "b"], 50, now);
        assert!(is_closed(&breaker, now), "they are two");
        breaker.answered();
        fail(&mut breaker, &["a", "b", "c"], 9, now);
        assert!(is_closed(&breaker, now), "nine");
        fail(&mut breaker, &["a"], 1, now);
        assert!(matches!(breaker.verdict(now), Verdict::At(at) if at == now + REST));
    }

    #[tokio::test(start_paused = true)]
    async fn probes_close_it_or_tell_those_who_wait() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.answered();
        fail(&mut breaker, &["a", "b", "c"], 10, now);
        for _ in 0..PROBES {
            now += REST;
            assert!(matches!(breaker.verdict(now), Verdict::Probe));
            breaker.probe_left();
            assert!(matches!(breaker.verdict(now), Verdict::Later));
            breaker.probe_lost();
            breaker.probe_left();
            breaker.failed("a", &error(), true, now);
        }
        assert!(matches!(breaker.verdict(now), Verdict::Never(_)));
        now += REST;
        assert!(matches!(breaker.verdict(now), Verdict::Probe));
        breaker.probe_left();
        assert!(matches!(breaker.verdict(now), Verdict::Never(_)), "nobody waits for it");
        breaker.answered();
        assert!(is_closed(&breaker, now));
    }

    #[tokio::test(start_paused = true)]
    async fn money_that_is_spent_stays_spent() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.spent(error());
        breaker.answered();
        let later = now + Duration::from_hours(24);
        assert!(matches!(breaker.verdict(later), Verdict::Never(_)));
    }
}
