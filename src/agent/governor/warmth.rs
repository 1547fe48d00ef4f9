//! Warm prompt caches: what siblings have in common is read from the provider's cache at a tenth of
//! the price, but only once the first answer to it has begun. So one request goes ahead, and those
//! with the same beginning follow when it is answered, has failed, or takes too long.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::model::{Model, Request};

/// How long a provider keeps what it has seen.
const KEPT: Duration = Duration::from_mins(5);
/// How long the others wait for the first.
const PATIENCE: Duration = Duration::from_secs(10);
/// Shorter beginnings are not cached by anyone; in bytes.
const SHORTEST: usize = 4096;

/// Digests what siblings have in common; absent where it is not worth waiting for.
pub fn prefix_of(model: &dyn Model, request: &Request) -> Option<u64> {
    if !model.caches_prefixes() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    let mut bytes = request.system.len();
    request.system.hash(&mut hasher);
    for tool in request.tools.iter() {
        let schema = tool.input_schema.to_string();
        bytes += tool.name.len() + tool.description.len() + schema.len();
        (&tool.name, &tool.description, schema).hash(&mut hasher);
    }
    (bytes >= SHORTEST).then(|| hasher.finish())
}

enum Prefix {
    /// Somebody is ahead; the channel closes when the others may follow.
    Warming(watch::Receiver<()>),
    /// It was last seen then.
    Warm(Instant),
}

/// What a pool knows of its provider's cache.
#[derive(Default)]
pub struct Warmth(Mutex<HashMap<u64, Prefix>>);

/// The request that goes ahead.
pub struct Lead {
    warmth: Arc<Warmth>,
    prefix: u64,
    /// Whoever waits for it sees it dropped.
    _others: watch::Sender<()>,
}

impl Warmth {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Prefix>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request with this beginning may go. The first one goes ahead of the others: it
    /// gets the lead, and drops it when its answer begins or it has failed.
    pub async fn turn(self: &Arc<Self>, prefix: u64) -> Option<Lead> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut ahead = match self.lead_or_wait(prefix) {
                Ok(lead) => return lead,
                Err(ahead) => ahead,
            };
            // Nothing is ever sent: it ends when the lead is dropped.
            if timeout_at(deadline, ahead.changed()).await.is_err() {
                return None;
            }
        }
    }

    fn lead_or_wait(self: &Arc<Self>, prefix: u64) -> Result<Option<Lead>, watch::Receiver<()>> {
        let now = Instant::now();
        let mut seen = self.lock();
        seen.retain(|_, prefix| match prefix {
            Prefix::Warming(_) => true,
            Prefix::Warm(at) => now.duration_since(*at) < KEPT,
        });
        match seen.entry(prefix) {
            Entry::Occupied(entry) => match entry.get() {
                Prefix::Warm(_) => Ok(None),
                Prefix::Warming(ahead) => Err(ahead.clone()),
            },
            Entry::Vacant(entry) => {
                let (others, ahead) = watch::channel(());
                entry.insert(Prefix::Warming(ahead));
                Ok(Some(Lead { warmth: Arc::clone(self), prefix, _others: others }))
            }
        }
    }

    /// Notes that an answer to this beginning has begun.
    pub fn begun(&self, prefix: u64) {
        self.lock().insert(prefix, Prefix::Warm(Instant::now()));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut seen = self.warmth.lock();
        // Not if it has begun.
        if let Some(Prefix::Warming(_)) = seen.get(&self.prefix) {
            seen.remove(&self.prefix);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_goes_ahead_and_the_others_follow_when_it_begins() {
        let warmth = Arc::new(Warmth::default());
        let lead = warmth.turn(1).await.unwrap();
        let mut second = Box::pin(warmth.turn(1));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(warmth.turn(2).await.is_some(), "another beginning is another matter");
        warmth.begun(1);
        drop(lead);
        assert!(second.await.is_none());
        assert!(warmth.turn(1).await.is_none());
        tokio::time::advance(KEPT).await;
        assert!(warmth.turn(1).await.is_some(), "it is cold again");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_leads_when_the_first_fails() {
        let warmth = Arc::new(Warmth::default());
        let lead = warmth.turn(1).await.unwrap();
        let (second, third) = (warmth.turn(1), warmth.turn(1));
        tokio::pin!(second, third);
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(lead);
        assert!(second.await.is_some());
        let begun = Instant::now();
        assert!(third.await.is_some());
        assert!(begun.elapsed() < PATIENCE, "the second has dropped the lead");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long() {
        let warmth = Arc::new(Warmth::default());
        let _lead = warmth.turn(1).await.unwrap();
        let begun = Instant::now();
        assert!(warmth.turn(1).await.is_none());
        assert_eq!(begun.elapsed(), PATIENCE);
    }
}
