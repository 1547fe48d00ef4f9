//! The events of one task, kept for whoever reads them, now or later: any number of readers, each
//! from the first event on. What is kept is bounded; a reader that comes too late, or is too slow,
//! is told how many it missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;

/// The most events that are kept.
const MAX_EVENTS: usize = 10_000;
/// About the most bytes that are kept.
const MAX_BYTES: usize = 4 << 20;

/// Events in their order, the oldest of which may be gone.
#[derive(Default)]
pub struct Log {
    kept: Mutex<Kept>,
    news: Notify,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<(Arc<Value>, usize)>,
    /// The number of the oldest one kept, from 0.
    first: u64,
    bytes: usize,
    closed: bool,
}

impl Log {
    /// Adds an event.
    pub fn add(&self, event: &Arc<Value>) {
        let size = size(event);
        let mut kept = self.kept();
        if kept.closed {
            return;
        }
        kept.events.push_back((Arc::clone(event), size));
        kept.bytes += size;
        while kept.events.len() > 1 && (kept.events.len() > MAX_EVENTS || kept.bytes > MAX_BYTES) {
            if let Some((_, size)) = kept.events.pop_front() {
                kept.bytes -= size;
                kept.first += 1;
            }
        }
        drop(kept);
        self.news.notify_waiters();
    }

    /// Says that no more will come.
    pub fn close(&self) {
        self.kept().closed = true;
        self.news.notify_waiters();
    }

    /// Waits for the event at `place`, and moves on; nothing at the end. In place of events that are
    /// gone it returns one `gap` that says how many.
    pub async fn next(&self, place: &mut u64) -> Option<Arc<Value>> {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            // Before looking, so that what comes in between is not missed.
            news.as_mut().enable();
            {
                let kept = self.kept();
                if *place < kept.first {
                    let missed = kept.first - *place;
                    *place = kept.first;
                    let gap = json!({ "type": "system", "subtype": "gap", "missed": missed });
                    return Some(Arc::new(gap));
                }
                let at = usize::try_from(*place - kept.first).unwrap_or(usize::MAX);
                if let Some((event, _)) = kept.events.get(at) {
                    *place += 1;
                    return Some(Arc::clone(event));
                }
                if kept.closed {
                    return None;
                }
            }
            news.await;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns about how many bytes a value takes.
fn size(value: &Value) -> usize {
    let inner = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + size(value)).sum()
        }
        _ => 0,
    };
    size_of::<Value>() + inner
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn readers_start_at_the_first_event_and_end_with_the_log() {
        let log = Log::default();
        log.add(&Arc::new(json!(1)));
        let (mut one, mut other) = (0, 0);
        assert_eq!(*log.next(&mut one).await.unwrap(), json!(1));
        let late = async {
            tokio::task::yield_now().await;
            log.add(&Arc::new(json!(2)));
            log.close();
            log.add(&Arc::new(json!(3)));
        };
        let (second, ()) = tokio::join!(log.next(&mut one), late);
        assert_eq!(*second.unwrap(), json!(2));
        assert!(log.next(&mut one).await.is_none());
        assert_eq!(*log.next(&mut other).await.unwrap(), json!(1));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_a_gap_is_told() {
        let log = Log::default();
        for number in 0..MAX_EVENTS + 7 {
            log.add(&Arc::new(json!(number)));
        }
        let mut place = 0;
        assert_eq!(log.next(&mut place).await.unwrap()["missed"], 7);
        assert_eq!(*log.next(&mut place).await.unwrap(), json!(7));
        let large = Arc::new(json!("x".repeat(MAX_BYTES)));
        log.add(&large);
        assert_eq!(log.kept().events.len(), 1, "the newest is kept, however large");
    }
}
