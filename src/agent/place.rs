//! Places: how many agents of a run are at work at once. An agent takes its place before its
//! worktree is made and gives it back when it has ended; agents that its own callbacks ask for work
//! in it too, so a full run cannot wait for itself.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The places of a run.
pub struct Places {
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    size: usize,
    taken: usize,
}

impl Places {
    /// Makes `size` places.
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { size, taken: 0 }), freed: Notify::new() })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how many there are; agents at work stay.
    pub fn set_size(&self, size: usize) {
        self.state().size = size;
        self.freed.notify_waiters();
    }

    fn try_take(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.state();
        if state.taken >= state.size {
            return None;
        }
        state.taken += 1;
        Some(Place(Arc::clone(self)))
    }

    /// Waits for a free place.
    pub async fn take(self: &Arc<Self>) -> Place {
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.try_take() {
                return place;
            }
            freed.await;
        }
    }
}

/// A place that is taken, until it is dropped.
pub struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state().taken -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_bound_and_grow() {
        let places = Places::new(1);
        let first = places.take().await;
        assert!(places.try_take().is_none());
        let waiter = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take().await }
        });
        drop(first);
        let second = waiter.await.ok();
        assert!(second.is_some() && places.try_take().is_none());
        places.set_size(2);
        assert!(places.try_take().is_some());
    }

    #[tokio::test]
    async fn every_waiter_gets_its_turn() {
        let places = Places::new(3);
        let waiters: Vec<_> = (0..100)
            .map(|_| {
                let places = Arc::clone(&places);
                tokio::spawn(async move {
                    let _place = places.take().await;
                    tokio::task::yield_now().await;
                })
            })
            .collect();
        for waiter in waiters {
            assert!(waiter.await.is_ok());
        }
        assert_eq!(places.state().taken, 0);
    }
}
