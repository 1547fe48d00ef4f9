//! Places: how many agents of a run are at work at once. An agent takes its place before its
//! worktree is made and gives it back when it has ended; agents that its own callbacks ask for work
//! in it too, so a full run cannot wait for itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of a run, given out in the order in which they are asked for.
pub struct Places {
    free: Arc<Semaphore>,
    size: Mutex<Size>,
}

struct Size {
    places: usize,
    /// Places that are still taken and go when they are given back, because there are fewer now.
    surplus: usize,
}

impl Places {
    /// Makes `places` places.
    pub fn new(places: usize) -> Arc<Self> {
        let size = Mutex::new(Size { places, surplus: 0 });
        Arc::new(Self { free: Arc::new(Semaphore::new(places)), size })
    }

    fn lock_size(&self) -> MutexGuard<'_, Size> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how many there are; agents at work stay.
    pub fn set_size(&self, places: usize) {
        let mut size = self.lock_size();
        if let Some(fewer) = size.places.checked_sub(places) {
            size.surplus += fewer - self.free.forget_permits(fewer);
        } else {
            let more = places - size.places;
            let kept = more.min(size.surplus);
            size.surplus -= kept;
            self.free.add_permits(more - kept);
        }
        size.places = places;
    }

    /// Returns how many there are.
    pub fn size(&self) -> usize {
        self.lock_size().places
    }

    /// Waits for a free place.
    pub async fn take(self: &Arc<Self>) -> Place {
        // The semaphore is never closed: the error cannot be.
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        Place { places: Arc::clone(self), permit }
    }
}

/// A place that is taken, until it is dropped.
pub struct Place {
    places: Arc<Places>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut size = self.places.lock_size();
        if size.surplus > 0
            && let Some(permit) = self.permit.take()
        {
            size.surplus -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn free(places: &Arc<Places>) -> bool {
        places.take().now_or_never().is_some()
    }

    #[tokio::test]
    async fn places_bound_grow_and_shrink() {
        let places = Places::new(2);
        let (first, second) = (places.take().await, places.take().await);
        assert!(!free(&places));
        places.set_size(3);
        assert!(free(&places));
        places.set_size(1);
        drop(first);
        assert!(!free(&places), "one place, and it is taken");
        drop(second);
        assert!(free(&places));
        let only = places.take().await;
        assert!(!free(&places));
        places.set_size(2);
        assert!(free(&places));
        drop(only);
    }

    #[tokio::test]
    async fn places_are_given_in_order() {
        let places = Places::new(1);
        let held = places.take().await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiters = Vec::new();
        for number in 0..20 {
            let (places, order) = (Arc::clone(&places), Arc::clone(&order));
            waiters.push(tokio::spawn(async move {
                let _place = places.take().await;
                order.lock().unwrap().push(number);
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
        assert!(free(&places));
    }
}
