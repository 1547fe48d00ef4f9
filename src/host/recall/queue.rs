//! The order in which outcomes that the journal has are given back: that in which the agents had ended, so
//! that `agent.iter` and `agent.race` see what they saw.
//!
//! An outcome is given at once if all that ended before it were. Else it waits: whoever ended before may be
//! asked for next. When nobody has come for a while, those that were not asked for are waited for no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turns, Notify, OwnedMutexGuard, oneshot};

/// How long nobody may have come before those that wait are given their outcomes. A script that starts a
/// hundred agents at once takes less between two of them, also on a busy machine.
const QUIET: Duration = Duration::from_millis(20);

/// Those who wait for their outcomes.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// Whose turn it is to be looked for: one after the other, in the order in which they are asked.
    turns: Arc<Turns<()>>,
    /// Somebody has come, or is not looking any more.
    stirred: Notify,
}

#[derive(Default)]
struct State {
    /// The places of those that may still come.
    ahead: BTreeSet<i64>,
    waiting: BTreeMap<i64, oneshot::Sender<()>>,
    /// How many are being looked for.
    looking: usize,
    /// Whether somebody watches for quiet.
    watched: bool,
}

/// Somebody who is being looked for.
pub(in crate::host) struct Looking {
    /// Given back first.
    _turn: OwnedMutexGuard<()>,
    _coming: Coming,
}

/// Counts somebody among those who are being looked for, or wait to be.
struct Coming(Queue);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.state().looking -= 1;
        self.0.0.stirred.notify_one();
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes who may come.
    pub(super) fn expect(&self, places: impl IntoIterator<Item = i64>) {
        self.state().ahead.extend(places);
    }

    /// Notes that somebody does not come by this way.
    pub(super) fn forget(&self, place: Option<i64>) {
        let mut state = self.state();
        if place.is_some_and(|place| state.ahead.remove(&place)) {
            state.give();
        }
    }

    /// Waits until somebody is looked for whose turn it is in the order in which this is called.
    pub(super) async fn look(&self) -> Looking {
        self.state().looking += 1;
        let coming = Coming(self.clone());
        Looking { _turn: Arc::clone(&self.0.turns).lock_owned().await, _coming: coming }
    }

    /// Waits until it is the turn of the agent that ended at `place`.
    pub(super) async fn wait(&self, place: i64, looking: Looking) {
        let (turn, wait) = oneshot::channel();
        let watch = {
            let mut state = self.state();
            state.ahead.remove(&place);
            state.waiting.insert(place, turn);
            state.give();
            !state.waiting.is_empty() && !std::mem::replace(&mut state.watched, true)
        };
        drop(looking);
        if watch {
            let queue = self.clone();
            tokio::spawn(async move { queue.watch().await });
        }
        // Whoever gives up takes nobody along: the state outlives every waiter.
        let _ = wait.await;
    }

    /// Gives everybody who waits their outcome once it is quiet.
    async fn watch(&self) {
        loop {
            if tokio::time::timeout(QUIET, self.0.stirred.notified()).await.is_ok() {
                continue;
            }
            let mut state = self.state();
            if state.looking > 0 && !state.waiting.is_empty() {
                continue;
            }
            if let Some((last, _)) = state.waiting.last_key_value() {
                let last = *last;
                state.ahead.retain(|place| *place > last);
            }
            state.give();
            state.watched = false;
            return;
        }
    }
}

impl State {
    /// Gives their outcomes to those before whom nobody can come any more.
    fn give(&mut self) {
        while let Some((place, _)) = self.waiting.first_key_value() {
            if self.ahead.first().is_some_and(|ahead| ahead < place) {
                return;
            }
            if let Some((_, turn)) = self.waiting.pop_first() {
                let _ = turn.send(());
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn order_of(queue: &Queue, asked: &[i64]) -> Vec<i64> {
        let (given, mut order) = tokio::sync::mpsc::unbounded_channel();
        for place in asked.iter().copied() {
            let (queue, given) = (queue.clone(), given.clone());
            let looking = queue.look().await;
            tokio::spawn(async move {
                queue.wait(place, looking).await;
                given.send(place).unwrap();
            });
        }
        drop(given);
        let mut all = Vec::new();
        while let Some(place) = order.recv().await {
            all.push(place);
        }
        all
    }

    #[tokio::test]
    async fn they_are_given_in_the_order_in_which_they_ended() {
        let queue = Queue::default();
        queue.expect([1, 2, 3, 4]);
        assert_eq!(order_of(&queue, &[4, 2, 3, 1]).await, [1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn who_is_not_asked_for_holds_nobody_up_for_good() {
        let queue = Queue::default();
        queue.expect([1, 2, 5, 6, 7]);
        assert_eq!(order_of(&queue, &[6, 2, 5]).await, [2, 5, 6], "1 is in the script no more");
        assert_eq!(order_of(&queue, &[1, 7]).await, [1, 7], "or later than then");
    }

    #[tokio::test]
    async fn who_is_next_waits_for_nothing() {
        let queue = Queue::default();
        queue.expect(1..=2000);
        queue.forget(Some(1000));
        let began = Instant::now();
        for place in (1..=2000).filter(|place| *place != 1000) {
            queue.wait(place, queue.look().await).await;
        }
        assert!(began.elapsed() < QUIET * 500, "one after the other: {:?}", began.elapsed());
    }
}
