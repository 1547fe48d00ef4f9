//! Asking the model: one whole reply for a turn, however often that takes, and from whomever it takes.
//!
//! Each try needs money and a pass of the governor, in this order: who is short of money is in
//! nobody's way. Both are given back when the try is over, so neither is held while tools run or
//! the agent pauses. What a failed try has cost counts too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::budget::{Bill, SetAside, price_needed};
use super::fleet::{Fleet, Order};
use super::governor::load::{Known, Load};
use super::governor::{Asking, Governor, Pass};
use super::session::Session;
use crate::error::{Error, Kind};
use crate::event::{Event, Usage};
use crate::journal::{AgentChange, Status, Store};
use crate::model::price::Price;
use crate::model::retry::{Policy, Tries};
use crate::model::{Caller, Chunk, Failure, Model, Reply, Request};

/// How long an agent with a fallback waits for a model that has too much to do.
const SHORT_PATIENCE: Duration = Duration::from_mins(1);
/// Longer waits are shown in the registry.
const PARKED: Duration = Duration::from_secs(5);
/// Tokens that a call counts for in a reply that broke off: its arguments are not heard.
const CALL: u64 = 1000;
/// Tokens of a reply that are paid for when nothing says how many there may be.
const USUAL_OUTPUT: u32 = 32_000;

/// What asking needs and remembers from turn to turn.
#[derive(Clone)]
pub(super) struct Asker {
    governor: Arc<Governor>,
    store: Arc<Store>,
    /// Who answers: the agent's own model, or one of the fallbacks, counted from 1.
    answerer: usize,
    /// What the last answer told of the size of the conversation.
    known: Option<Known>,
    /// When the request under way began.
    asked_at: Option<Instant>,
    /// When the agent's time is over.
    pub(super) deadline: Option<Instant>,
}

impl Asker {
    /// Makes that of an agent which has asked nothing.
    pub(super) fn new(fleet: &Fleet, order: &Order) -> Self {
        Self {
            governor: Arc::clone(fleet.governor()),
            store: Arc::clone(&order.store),
            answerer: 0,
            known: None,
            asked_at: None,
            deadline: order.deadline,
        }
    }

    /// Returns where the agent is registered.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Forgets the size of the conversation: it has become another.
    pub(super) fn forget_size(&mut self) {
        self.known = None;
    }
}

/// Who answers, and what that costs.
#[derive(Clone)]
struct Answerer {
    model: Arc<dyn Model>,
    price: Option<Price>,
}

impl Session<'_> {
    /// Asks for one whole reply.
    pub(super) async fn ask(&mut self) -> Result<Arc<Reply>, Error> {
        let cost_before = self.query.purse.spent();
        let request = self.request();
        let reply = Arc::new(self.answer(request).await?);
        self.stop_reason = Some(reply.stop.as_str().to_owned());
        if !reply.text.trim().is_empty() {
            self.last_text.clone_from(&reply.text);
        }
        let cost = self.query.purse.cost().map(|cost| cost - cost_before);
        self.events.emit(Event::TurnFinished {
            agent: self.context.agent.clone(),
            turn: self.turns,
            calls: self.summaries(&reply),
            usage: reply.usage,
            cost_usd: cost,
        });
        Ok(reply)
    }

    pub(super) fn request(&self) -> Request {
        Request {
            caller: Arc::new(self.caller()),
            turn: self.turns,
            system: Arc::clone(&self.system),
            tools: Arc::clone(&self.offered),
            messages: self.history.messages().to_vec(),
            max_output_tokens: self.query.limits.max_output_tokens,
            effort: self.query.effort,
            format: self.structured.as_ref().and_then(|structured| structured.format()),
            must_call: self.structured.as_ref().and_then(|structured| structured.must_call()),
            idle_timeout: self.query.limits.idle_timeout,
        }
    }

    /// Returns who asks.
    pub(super) fn caller(&self) -> Caller {
        Caller {
            path: self.query.call_path.clone(),
            label: self.context.label.clone(),
            agent: self.context.agent.clone(),
            directory: self.context.workspace.root().to_owned(),
            has_worktree: self.context.branch.is_some(),
        }
    }

    /// Gets the answer to any request of the agent's, governed, paid for and counted.
    ///
    /// # Errors
    /// The model's, when neither it nor a fallback answers; budget; cancelled.
    pub(super) async fn answer(&mut self, request: Request) -> Result<Reply, Error> {
        let cancel = self.context.cancel.clone();
        let reply = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Error::new(Kind::Cancelled, "the agent was cancelled")),
            reply = self.answer_of_somebody(request) => reply,
        };
        self.note_time();
        reply
    }

    fn note_time(&mut self) {
        if let Some(asked_at) = self.asker.asked_at.take() {
            self.api_time += asked_at.elapsed();
        }
    }

    /// Returns the model that answers now.
    pub(super) fn model(&self) -> Arc<dyn Model> {
        self.answerer().model
    }

    fn answerer(&self) -> Answerer {
        match self.asker.answerer.checked_sub(1).and_then(|at| self.query.fallbacks.get(at)) {
            Some(fallback) => {
                Answerer { model: Arc::clone(&fallback.model), price: fallback.price }
            }
            None => Answerer { model: Arc::clone(&self.query.model), price: self.query.price },
        }
    }

    /// Asks the model, and those after it for the rest of the agent's life when it cannot answer.
    async fn answer_of_somebody(&mut self, mut request: Request) -> Result<Reply, Error> {
        let wanted = request.max_output_tokens;
        loop {
            let answerer = self.answerer();
            let is_last = self.asker.answerer == self.query.fallbacks.len();
            match self.answer_of(&answerer, &mut request, is_last).await {
                Err(error) if !is_last && is_unable(&error) => {
                    self.asker.answerer += 1;
                    // Another model counts otherwise.
                    self.asker.known = None;
                    request.max_output_tokens = wanted;
                    self.events.emit(Event::ModelChanged {
                        agent: self.context.agent.clone(),
                        from: answerer.model.name().to_owned(),
                        to: self.answerer().model.name().to_owned(),
                        reason: error.to_string(),
                    });
                }
                answer => return answer,
            }
        }
    }

    /// Asks one model as often as there is a point in it.
    async fn answer_of(
        &mut self,
        answerer: &Answerer,
        request: &mut Request,
        is_last: bool,
    ) -> Result<Reply, Error> {
        let patience = if is_last { Policy::default().patience } else { SHORT_PATIENCE };
        let policy = Policy { patience, ..Policy::default() };
        let mut tries = Tries::new(policy, self.asker.deadline);
        let load = Load::of(request, self.asker.known);
        loop {
            let leave = self.leave_to_send(answerer, request, load, &tries);
            let (mut paid, pass) = parked(&self.asker.store, &self.context.agent, leave).await?;
            paid.iter_mut().for_each(SetAside::sent);
            if paid.is_none() {
                // It costs something from here on, also if nobody waits for the answer.
                self.query.purse.note_unpriced(answerer.model.name(), false);
            }
            self.asker.asked_at = Some(Instant::now());
            let heard = AtomicU64::new(0);
            let chunks = |chunk| {
                pass.begun();
                let tokens = match chunk {
                    Chunk::Text(text) => text.len() as u64 / 2,
                    Chunk::Call(_) => CALL,
                };
                heard.fetch_add(tokens, Ordering::Relaxed);
                if let Some(paid) = &paid {
                    paid.heard(tokens);
                }
            };
            let answer = answerer.model.ask(request, &chunks).await;
            self.note_time();
            let failure = match answer {
                Ok(reply) => {
                    pass.answered(&reply);
                    self.count(answerer, paid, reply.usage, reply.usage);
                    let messages = request.messages.len();
                    self.asker.known = Some(Known { messages, usage: reply.usage });
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            pass.failed(&failure);
            let likely = used_by(&failure, load, heard.into_inner());
            self.count(answerer, paid, failure.heard.usage, likely);
            let pause = tries.pause_after(&failure)?;
            self.events.emit(Event::RetryScheduled {
                agent: self.context.agent.clone(),
                attempt: tries.attempts(),
                delay_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                status: failure.error.detail("status").and_then(Value::as_u64),
                word: failure.error.detail("reason").and_then(Value::as_str).map(ToOwned::to_owned),
                reason: failure.error.to_string(),
            });
            parked(&self.asker.store, &self.context.agent, sleep(pause)).await;
        }
    }

    /// Waits until there is money for a request, and until it may be sent.
    async fn leave_to_send(
        &self,
        answerer: &Answerer,
        request: &mut Request,
        load: Load,
        tries: &Tries,
    ) -> Result<(Option<SetAside>, Pass), Error> {
        let paid = self.set_aside(answerer, request, load).await?;
        let (agent, model) = (&*self.context.agent, &*answerer.model);
        let asking = Asking { agent, model, request, load, tries };
        Ok((paid, self.asker.governor.pass(asking).await?))
    }

    /// Sets aside what a request may cost, and limits its reply to that; nothing without a limit.
    async fn set_aside(
        &self,
        answerer: &Answerer,
        request: &mut Request,
        load: Load,
    ) -> Result<Option<SetAside>, Error> {
        let purse = &self.query.purse;
        let Some(price) = answerer.price else {
            if purse.is_limited() {
                let name = answerer.model.name();
                return Err(price_needed(name, name != self.query.model.name()));
            }
            // Before it is asked: a request that is broken off costs something, too.
            purse.note_unpriced(answerer.model.name(), false);
            return Ok(None);
        };
        let most = self.query.limits.max_output_tokens.unwrap_or_else(|| {
            let model = answerer.model.capabilities().max_output;
            model.map_or(USUAL_OUTPUT, |most| most.min(USUAL_OUTPUT))
        });
        let dearest = price.input.max(price.cache_write);
        let bill = Bill {
            input: load.at_most() as f64 * dearest / 1e6,
            per_token: price.output / 1e6,
            most,
        };
        let set_aside = purse.set_aside(bill).await?;
        if purse.is_limited() {
            request.max_output_tokens = Some(set_aside.tokens());
        }
        Ok(Some(set_aside))
    }

    /// Counts what a try has used: `told` is what the provider said of it, `likely` what it will bill.
    fn count(&mut self, answerer: &Answerer, paid: Option<SetAside>, told: Usage, likely: Usage) {
        self.usage += told;
        if let (Some(paid), Some(price)) = (paid, answerer.price) {
            paid.settle(price.cost(&likely));
        } else {
            let counted = told != Usage::default();
            self.query.purse.note_unpriced(answerer.model.name(), counted);
        }
    }
}

/// Returns what a failed try will be billed for: what it told, and where it broke off in the middle
/// of an answer at least what went in and what was heard of it.
fn used_by(failure: &Failure, load: Load, heard: u64) -> Usage {
    let mut usage = failure.heard.usage;
    let reason = failure.error.detail("reason").and_then(serde_json::Value::as_str);
    let had_begun = heard > 0 || matches!(reason, Some("stream" | "timeout"));
    if had_begun {
        if usage.total_input() == 0 {
            usage.input_tokens = load.at_most();
        }
        usage.output_tokens = usage.output_tokens.max(heard);
    }
    usage
}

/// Reports whether another model may answer what this one does not.
fn is_unable(error: &Error) -> bool {
    let reason = error.detail("reason").and_then(serde_json::Value::as_str);
    matches!(
        reason,
        Some(
            "rate_limit"
                | "overloaded"
                | "server_error"
                | "connection"
                | "timeout"
                | "stream"
                | "model_not_found"
        )
    )
}

/// Waits for `wait`; when that takes long, the registry says so meanwhile.
async fn parked<T>(store: &Store, agent: &str, wait: impl Future<Output = T>) -> T {
    tokio::pin!(wait);
    if let Ok(ready) = tokio::time::timeout(PARKED, &mut wait).await {
        return ready;
    }
    // Whatever cannot be written here fails again, and is told, where the agent's end is written.
    let show = async |status| {
        let change = AgentChange { status: Some(status), ..AgentChange::default() };
        let _ = store.update(agent, change).await;
    };
    show(Status::Waiting).await;
    let ready = wait.await;
    show(Status::Running).await;
    ready
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::journal::{AgentFilter, AgentRow, NewRun};
    use crate::model::Retry;

    async fn status(store: &Store) -> Status {
        store.flush().await.unwrap();
        store.agents(AgentFilter::default()).await.unwrap()[0].status
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_shown_and_a_short_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let _lock = store.begin_run(&NewRun::new("run-1", "main.lua")).await.unwrap();
        let row = AgentRow { id: "agent-1".into(), run: "run-1".into(), ..AgentRow::default() };
        assert!(store.reserve(row).await.unwrap());
        let running = AgentChange { status: Some(Status::Running), ..AgentChange::default() };
        store.update("agent-1", running).await.unwrap();
        parked(&store, "agent-1", sleep(PARKED / 2)).await;
        assert_eq!(status(&store).await, Status::Running);
        let during = parked(&store, "agent-1", async {
            sleep(PARKED * 2).await;
            status(&store).await
        });
        assert_eq!(during.await, Status::Waiting);
        assert_eq!(status(&store).await, Status::Running);
    }

    #[test]
    fn a_try_that_broke_off_costs_what_was_heard_of_it() {
        let failed = |reason: &str| {
            let error = Error::new(Kind::Model, "x").with("reason", reason.into());
            Failure { retry: Retry::Backoff, ..Failure::fatal(error) }
        };
        let request = Request {
            caller: Arc::default(),
            turn: 1,
            system: "s".repeat(2000).into(),
            tools: Arc::new([]),
            messages: Vec::new(),
            max_output_tokens: None,
            effort: None,
            format: None,
            must_call: None,
            idle_timeout: Duration::from_secs(1),
        };
        let load = Load::of(&request, None);
        for reason in ["rate_limit", "server_error", "connection", "billing_error"] {
            assert_eq!(used_by(&failed(reason), load, 0), Usage::default(), "{reason}");
        }
        let cut = used_by(&failed("stream"), load, 30);
        assert_eq!((cut.input_tokens, cut.output_tokens), (load.at_most(), 30));
        assert_eq!(used_by(&failed("overloaded"), load, 30), cut, "in the middle of an answer");
        let mut told = failed("stream");
        told.heard.usage = Usage { input_tokens: 7, output_tokens: 50, ..Usage::default() };
        assert_eq!(used_by(&told, load, 30), told.heard.usage);
    }
}
