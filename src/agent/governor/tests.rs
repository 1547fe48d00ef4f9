//! Pools under time that stands still: who may send when.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::load::Load;
use super::{Asking, Governor, Pass};
use crate::error::{Error, Kind, Result};
use crate::event::Usage;
use crate::model::rate::{Bucket, RateLimits};
use crate::model::retry::{Policy, Tries};
use crate::model::{Chunk, Failure, Message, Model, Reply, Request, Retry, StopReason};

/// A model of which only its place counts.
struct Somebody {
    pool: Option<&'static str>,
    caches: bool,
}

impl Model for Somebody {
    fn name(&self) -> &'static str {
        "somebody"
    }

    fn wire(&self) -> &'static str {
        "test"
    }

    fn pool(&self) -> Option<&str> {
        self.pool
    }

    fn caches_prefixes(&self) -> bool {
        self.caches
    }

    fn ask<'a>(
        &'a self,
        _: &'a Request,
        _: &'a (dyn Fn(Chunk) + Send + Sync),
    ) -> BoxFuture<'a, Result<Reply, Failure>> {
        std::future::pending().boxed()
    }
}

const ANYBODY: Somebody = Somebody { pool: Some("host/model"), caches: false };

fn request(system: usize) -> Request {
    Request {
        caller: Arc::default(),
        turn: 1,
        system: "s".repeat(system).into(),
        tools: Arc::new([]),
        messages: vec![Message::User { results: Vec::new(), texts: vec!["p".to_owned()] }],
        max_output_tokens: None,
        effort: None,
        format: None,
        must_call: None,
        idle_timeout: Duration::from_secs(1),
    }
}

fn reply(limits: RateLimits) -> Reply {
    Reply {
        text: "x".to_owned(),
        calls: Vec::new(),
        stop: StopReason::EndTurn,
        usage: Usage { input_tokens: 10, output_tokens: 10, ..Usage::default() },
        wire: serde_json::Value::Null,
        wire_format: "test",
        limits,
    }
}

fn failure(reason: &str, retry: Retry) -> Failure {
    let error = Error::new(Kind::Model, reason).with("reason", reason.into());
    let overloaded = matches!(reason, "rate_limit" | "overloaded");
    Failure { retry, overloaded, ..Failure::fatal(error) }
}

async fn enter(governor: &Governor, model: &Somebody, limit: Option<Duration>) -> Result<Pass> {
    let request = request(8000);
    let tries = Tries::new(Policy::default(), limit.map(|limit| Instant::now() + limit));
    let asking = Asking {
        agent: "a",
        model,
        load: Load::of(&request, None),
        request: &request,
        tries: &tries,
    };
    governor.pass(asking).await
}

/// Returns as many passes as there are without waiting.
fn free(governor: &Governor, model: &Somebody) -> Vec<Pass> {
    std::iter::from_fn(|| enter(governor, model, None).now_or_never()).map(Result::unwrap).collect()
}

#[tokio::test(start_paused = true)]
async fn pools_are_apart_and_lua_is_not_governed() {
    let governor = Governor::default();
    let other = Somebody { pool: Some("host/other"), caches: false };
    let lua = Somebody { pool: None, caches: true };
    let held = free(&governor, &ANYBODY);
    assert_eq!(held.len(), 4);
    assert_eq!(free(&governor, &other).len(), 4);
    for _ in 0..1000 {
        std::mem::forget(enter(&governor, &lua, None).now_or_never().unwrap().unwrap());
    }
    drop(held);
    assert_eq!(free(&governor, &ANYBODY).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn who_comes_first_is_served_first_and_who_leaves_holds_up_nobody() {
    let governor = Arc::new(Governor::default());
    let mut held = free(&governor, &ANYBODY);
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for number in 0..20 {
        let (governor, order) = (Arc::clone(&governor), Arc::clone(&order));
        waiting.push(tokio::spawn(async move {
            let pass = enter(&governor, &ANYBODY, None).await.unwrap();
            order.lock().unwrap().push(number);
            sleep(Duration::from_secs(1)).await;
            drop(pass);
        }));
        tokio::task::yield_now().await;
    }
    // The head of the line, and one in the middle.
    for gone in [0, 7] {
        waiting[gone].abort();
    }
    held.pop();
    for task in waiting {
        let _ = task.await;
    }
    let expected: Vec<_> = (1..20).filter(|number| *number != 7).collect();
    assert_eq!(*order.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn one_probes_after_a_pause_and_no_herd_follows() {
    let governor = Arc::new(Governor::default());
    let mut held = free(&governor, &ANYBODY);
    let after = Duration::from_secs(20);
    held.pop().unwrap().failed(&failure("rate_limit", Retry::After(after)));
    drop(held);
    let begun = Instant::now();
    let (sent, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let mut agents = JoinSet::new();
    for _ in 0..100 {
        let (governor, sent) = (Arc::clone(&governor), sent.clone());
        agents.spawn(async move {
            let pass = enter(&governor, &ANYBODY, None).await.unwrap();
            sent.send(begun.elapsed()).unwrap();
            sleep(Duration::from_secs(1)).await;
            pass.answered(&reply(RateLimits::default()));
        });
    }
    drop(sent);
    agents.join_all().await;
    let mut times = Vec::new();
    while let Some(time) = seen.recv().await {
        times.push(time);
    }
    assert_eq!(times.len(), 100);
    assert!(times[0] >= after && times[0] < after + Duration::from_secs(3), "{:?}", times[0]);
    let within = |from: u64, to: u64| {
        let span = times[0] + Duration::from_secs(from)..times[0] + Duration::from_secs(to);
        times.iter().filter(|time| span.contains(time)).count()
    };
    assert_eq!((within(0, 1), within(1, 2)), (1, 2), "one, then what the cut window has");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_too_long_is_told_at_once() {
    let governor = Governor::default();
    let after = Duration::from_mins(1);
    let pass = enter(&governor, &ANYBODY, None).await.unwrap();
    pass.failed(&failure("rate_limit", Retry::After(after)));
    let begun = Instant::now();
    let limit = Some(Duration::from_secs(10));
    let error = enter(&governor, &ANYBODY, limit).await.err().unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(error.message.contains("the agent can wait for 10 s"), "{error}");
    assert_eq!(error.detail("reason").unwrap(), "rate_limit");
    enter(&governor, &ANYBODY, None).await.unwrap();
    assert!(begun.elapsed() >= after);
}

#[tokio::test(start_paused = true)]
async fn limits_that_the_provider_tells_are_kept() {
    let governor = Governor::default();
    let seconds = Duration::from_secs;
    let limits = |requests, input| RateLimits {
        requests: Some(Bucket { limit: 50, remaining: requests, reset: seconds(60) }),
        input_tokens: Some(Bucket { limit: 100_000, remaining: input, reset: seconds(60) }),
        output_tokens: None,
    };
    let told = enter(&governor, &ANYBODY, None).await.unwrap();
    told.answered(&reply(limits(2, 100_000)));
    let held = free(&governor, &ANYBODY);
    assert_eq!(held.len(), 2, "two requests are left");
    let begun = Instant::now();
    enter(&governor, &ANYBODY, None).await.unwrap();
    assert!(begun.elapsed() > Duration::from_secs(1), "another comes back with time");
    drop(held);
    let told = enter(&governor, &ANYBODY, None).await.unwrap();
    told.answered(&reply(limits(50, 5_000)));
    // Each is about 2,000 tokens.
    assert_eq!(free(&governor, &ANYBODY).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_spending_limit_ends_it_for_all_and_for_good() {
    let governor = Arc::new(Governor::default());
    let mut held = free(&governor, &ANYBODY);
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let governor = Arc::clone(&governor);
            tokio::spawn(async move { enter(&governor, &ANYBODY, None).await.map(drop) })
        })
        .collect();
    tokio::task::yield_now().await;
    held.pop().unwrap().failed(&failure("billing_error", Retry::Never));
    for task in waiting {
        assert_eq!(task.await.unwrap().unwrap_err().message, "billing_error");
    }
    sleep(Duration::from_hours(1)).await;
    assert!(enter(&governor, &ANYBODY, None).await.is_err());
    let other = Somebody { pool: Some("host/other"), caches: false };
    assert!(enter(&governor, &other, None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_fan_out_sends_one_ahead() {
    let governor = Arc::new(Governor::default());
    let caching = || Somebody { pool: Some("host/model"), caches: true };
    let first = enter(&governor, &caching(), None).await.unwrap();
    assert!(enter(&governor, &caching(), None).now_or_never().is_none());
    first.begun();
    assert_eq!(free(&governor, &caching()).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_everybody_rests() {
    let governor = Governor::default();
    enter(&governor, &ANYBODY, None).await.unwrap().answered(&reply(RateLimits::default()));
    let request = request(10);
    let tries = Tries::new(Policy::default(), None);
    for number in 0..10 {
        let agent = format!("agent-{}", number % 3);
        let asking = Asking {
            agent: &agent,
            model: &ANYBODY,
            load: Load::of(&request, None),
            request: &request,
            tries: &tries,
        };
        let pass = governor.pass(asking).await.unwrap();
        pass.failed(&failure("server_error", Retry::Backoff));
    }
    let begun = Instant::now();
    let probe = enter(&governor, &ANYBODY, None).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    assert!(enter(&governor, &ANYBODY, None).now_or_never().is_none(), "one probes");
    probe.answered(&reply(RateLimits::default()));
    assert_eq!(free(&governor, &ANYBODY).len(), 4);
}
