//! Time slices: a Lua loop that never waits must not starve timers, callbacks and other tasks.
//!
//! [`Sliced`] notes when a poll of a task began; the count hook asks [`used_up`] and then yields.
//! After such a yield mlua wakes the task at once, and tokio's `LocalSet` would run it dozens of
//! times before its timers get a turn (measured: 0 of 30 ticks). So that wake is swallowed and
//! replaced by tokio's own `yield_now`, which lets the driver run first (30 of 30).

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// How long Lua may run before others get a turn.
const SLICE: Duration = Duration::from_millis(10);

thread_local! {
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
    static PREEMPTED: Cell<bool> = const { Cell::new(false) };
}

/// Reports whether the running task has had its slice.
pub fn used_up() -> bool {
    BEGAN.get().is_some_and(|began| began.elapsed() > SLICE)
}

/// Notes that the hook is about to yield for the running task.
pub fn preempt() {
    PREEMPTED.set(true);
}

fn take_preempted() -> bool {
    PREEMPTED.take()
}

/// Passes wakes on, save for the one that a hook's yield causes.
struct Filter(Waker);

impl Wake for Filter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Wakes come from other threads too, where no task is being polled.
        if !PREEMPTED.try_with(Cell::get).unwrap_or(false) {
            self.0.wake_by_ref();
        }
    }
}

/// A future of Lua code, polled in slices.
pub struct Sliced<F> {
    future: Pin<Box<F>>,
    /// The outer waker and the filter made for it.
    wakers: Option<(Waker, Waker)>,
    pause: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl<F> Sliced<F> {
    /// Wraps `future`.
    pub fn new(future: F) -> Self {
        Self { future: Box::pin(future), wakers: None, pause: None }
    }
}

impl<F: Future> Future for Sliced<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if let Some(pause) = &mut this.pause {
            if pause.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.pause = None;
        }
        let outer = context.waker();
        if !this.wakers.as_ref().is_some_and(|(known, _)| known.will_wake(outer)) {
            this.wakers = Some((outer.clone(), Arc::new(Filter(outer.clone())).into()));
        }
        let filter = this.wakers.as_ref().map_or(outer, |(_, filter)| filter);
        let before = BEGAN.replace(Some(Instant::now()));
        let polled = this.future.as_mut().poll(&mut Context::from_waker(filter));
        BEGAN.set(before);
        if take_preempted() && polled.is_pending() {
            let mut pause: Pin<Box<dyn Future<Output = ()>>> = Box::pin(tokio::task::yield_now());
            if pause.as_mut().poll(context).is_pending() {
                this.pause = Some(pause);
            } else {
                outer.wake_by_ref();
            }
        }
        polled
    }
}
