//! Those who listen to one agent: the script's `on_event`, and the logs that `task:events()` reads.
//!
//! `on_event` hears one event after the other, never two at once. Its agent waits for it in every
//! turn and at the end, so no more than what is said in one turn waits to be heard. A function that
//! raises is told off once and hears no more: the agent's work does not hang on who watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::function::Function;
use super::query::Query;
use crate::error::Kind;
use crate::event::log::Log;
use crate::event::{Events, Posted, Reporter};

/// The listeners of an agent.
pub(super) struct Audience {
    logs: Vec<Arc<Log>>,
    /// Nobody waits for the function any more.
    over: CancellationToken,
    listener: Option<Listener>,
}

/// A function that is called with events, from a task of its own.
struct Listener {
    /// Bounded by what an agent says in a turn: it waits for the end of the queue then.
    queue: mpsc::UnboundedSender<Arc<Value>>,
    sent: AtomicU64,
    heard: watch::Receiver<u64>,
}

impl Audience {
    /// Returns who listens to the agent of `query`, if anybody does. `events` hears of a function
    /// that fails. Must be called inside the agents' runtime.
    pub(super) fn of(query: &Query, events: &Events) -> Option<Arc<Self>> {
        if query.on_event.is_none() && query.logs.is_empty() {
            return None;
        }
        let over = CancellationToken::new();
        let listener = query.on_event.as_ref().map(|function| {
            let (queue, incoming) = mpsc::unbounded_channel();
            let (told, heard) = watch::channel(0);
            let (function, events, label) =
                (Arc::clone(function), events.clone(), query.label.clone());
            let delivery = deliver(function, incoming, told, events, label);
            let over = over.clone();
            tokio::spawn(async move { over.run_until_cancelled(delivery).await });
            Listener { queue, sent: AtomicU64::new(0), heard }
        });
        Some(Arc::new(Self { logs: query.logs.clone(), over, listener }))
    }

    /// Calls the function no more, and gives a call up that is under way.
    pub(super) fn end(&self) {
        self.over.cancel();
    }
}

impl Reporter for Audience {
    fn report(&self, event: &Posted) {
        let Some(object) = event.object() else { return };
        for log in &self.logs {
            log.add(object);
        }
        if let Some(listener) = &self.listener
            && listener.queue.send(Arc::clone(object)).is_ok()
        {
            listener.sent.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn caught_up(&self) -> BoxFuture<'_, ()> {
        async move {
            let Some(listener) = &self.listener else { return };
            let sent = listener.sent.load(Ordering::Relaxed);
            // It ends when the function hears no more, too.
            let _ = listener.heard.clone().wait_for(|heard| *heard >= sent).await;
        }
        .boxed()
    }
}

async fn deliver(
    function: Arc<dyn Function>,
    mut incoming: mpsc::UnboundedReceiver<Arc<Value>>,
    heard: watch::Sender<u64>,
    events: Events,
    label: String,
) {
    while let Some(event) = incoming.recv().await {
        if let Err(error) = function.call(vec![(*event).clone()]).await {
            // A cancelled task has no callbacks any more, and that is no fault of theirs.
            if error.kind != Kind::Cancelled {
                let at = error.at.as_deref().map(|at| format!("{at}: ")).unwrap_or_default();
                let message = &error.message;
                events.warn(format!("`on_event` of `{label}` is called no more: {at}{message}"));
            }
            return;
        }
        heard.send_modify(|count| *count += 1);
    }
}
