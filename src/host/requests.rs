//! What other processes ask of this run, answered while it goes on: an agent is told something, an agent or
//! the run is stopped.
//!
//! A request is taken before it is done, so that it is done once, also where its answer cannot be written.
//!
//! The run looks into every store in which it has begun, a few times in a second. What was asked of an
//! earlier life of it and not answered is refused: whoever asked has given up.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use super::{Host, locked};
use crate::agent::Fleet;
use crate::error::Result;
use crate::event::Events;
use crate::journal::{self, DONE, Ear, Request, SEND, Store};

/// How often a run looks for requests.
const EVERY: Duration = Duration::from_millis(200);

/// Stops an agent, or the whole run.
pub(super) const STOP: &str = "stop";

/// The agent has ended.
pub(super) const ENDED: &str = "ended";
/// It was not done; the reason follows.
pub(super) const REFUSED: &str = "refused: ";

/// Ends the run in order.
type Stop = Box<dyn Fn() + Send + Sync>;

/// What hears requests.
#[derive(Default)]
pub(super) struct Hearing {
    /// The stores that are looked into.
    stores: Mutex<HashSet<PathBuf>>,
    stop: Arc<OnceLock<Stop>>,
    /// When this life of the run began, in milliseconds since 1970.
    since: i64,
}

impl Hearing {
    pub(super) fn since_now() -> Self {
        Self { since: journal::now(), ..Self::default() }
    }
}

impl Host {
    /// Says how the run ends in order when another process asks for it; the first word counts.
    pub fn on_stop(&self, stop: impl Fn() + Send + Sync + 'static) {
        let _ = self.hearing.stop.set(Box::new(stop));
    }

    /// Answers what is asked of the run in `store` from now on.
    pub(super) fn hear(&self, store: &Arc<Store>) {
        if !locked(&self.hearing.stores).insert(store.dir().to_owned()) {
            return;
        }
        let clerk = Clerk {
            store: Arc::downgrade(store),
            fleet: Arc::downgrade(&self.fleet),
            stop: Arc::clone(&self.hearing.stop),
            events: self.events.clone(),
            since: self.hearing.since,
        };
        self.spawn(clerk.serve(store.ear(self.fleet.run_id())));
    }
}

/// Answers requests. Keeps nothing alive: it ends with the run.
struct Clerk {
    store: Weak<Store>,
    fleet: Weak<Fleet>,
    stop: Arc<OnceLock<Stop>>,
    events: Events,
    since: i64,
}

impl Clerk {
    async fn serve(self, mut ear: Ear) {
        let mut troubled = false;
        loop {
            tokio::time::sleep(EVERY).await;
            let (Some(store), Some(fleet)) = (self.store.upgrade(), self.fleet.upgrade()) else {
                return;
            };
            let found;
            (ear, found) = match ear.look().await {
                Ok(looked) => looked,
                Err(error) => return self.tell(&error),
            };
            if let Err(error) = self.answer(&store, &fleet, found).await
                && !std::mem::replace(&mut troubled, true)
            {
                self.tell(&error);
            }
        }
    }

    fn tell(&self, error: &crate::error::Error) {
        self.events.warn(format!("what other processes ask of this run is not heard: {error}"));
    }

    async fn answer(
        &self,
        store: &Arc<Store>,
        fleet: &Fleet,
        found: Result<Vec<Request>>,
    ) -> Result<()> {
        for request in found? {
            if !store.take_request(request.number).await? {
                continue;
            }
            crate::crash::point("request-taken");
            let answer = self.do_as_asked(store, fleet, &request);
            crate::crash::point("request-done");
            store.answer(request.number, &answer).await?;
        }
        Ok(())
    }

    fn do_as_asked(&self, store: &Store, fleet: &Fleet, request: &Request) -> String {
        if request.at < self.since {
            return format!("{REFUSED}it was asked before the run went on");
        }
        let (roll, dir) = (fleet.roll(), store.dir());
        let done = match (request.kind.as_str(), &request.agent) {
            (SEND, Some(agent)) => match roll.send(dir, agent, request.text.clone()) {
                Ok(done) => done,
                Err(error) => return format!("{REFUSED}{error}"),
            },
            (STOP, Some(agent)) => roll.stop(dir, agent),
            (STOP, None) => {
                let stop = self.stop.get();
                stop.inspect(|stop| stop()).is_some()
            }
            (kind, _) => return format!("{REFUSED}the run knows nothing of `{kind}`"),
        };
        if done { DONE } else { ENDED }.to_owned()
    }
}
