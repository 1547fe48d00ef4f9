//! Asking the model: one whole reply for a turn, however often that takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::session::Session;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::model::retry::{self, Policy};
use crate::model::{Reply, Request};

impl Session<'_> {
    /// Asks for one whole reply, as often as the policy allows.
    pub(super) async fn ask(&mut self) -> Result<Arc<Reply>, Error> {
        let request = self.request();
        let reply = Arc::new(self.put(&request).await?);
        self.stop_reason = Some(reply.stop.as_str().to_owned());
        if !reply.text.trim().is_empty() {
            self.last_text.clone_from(&reply.text);
        }
        self.events.emit(Event::TurnFinished {
            agent: self.context.agent.clone(),
            turn: self.turns,
            calls: self.summaries(&reply),
            usage: reply.usage,
        });
        Ok(reply)
    }

    /// Puts a question, as often as the policy allows; what it takes is counted.
    pub(super) async fn put(&mut self, request: &Request) -> Result<Reply, Error> {
        let on_retry = |attempt: u32, delay: Duration, error: &Error| {
            self.events.emit(Event::RetryScheduled {
                agent: self.context.agent.clone(),
                attempt,
                delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
                reason: error.to_string(),
            });
        };
        let began = Instant::now();
        let policy = Policy::default();
        let reply = tokio::select! {
            biased;
            () = self.context.cancel.cancelled() => Err(Error::new(Kind::Cancelled, "the agent was cancelled")),
            reply = retry::ask_until_answered(&*self.query.model, request, &policy, &|_| (), &on_retry) => reply,
        };
        self.api_time += began.elapsed();
        let reply = reply?;
        self.usage += reply.usage;
        Ok(reply)
    }

    pub(super) fn request(&self) -> Request {
        Request {
            turn: self.turns,
            system: Arc::clone(&self.system),
            tools: Arc::clone(&self.offered),
            messages: self.history.messages().to_vec(),
            max_output_tokens: self.query.limits.max_output_tokens,
            effort: self.query.effort,
            format: None,
            must_call: None,
            idle_timeout: self.query.limits.idle_timeout,
        }
    }
}
