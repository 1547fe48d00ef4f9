//! How long a search may go on.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// The longest that a search of files takes.
pub(super) const SEARCH: Duration = Duration::from_mins(1);

/// Ends a search when its time is up or nobody waits for it any more.
#[derive(Clone)]
pub(super) struct Watch {
    cancel: CancellationToken,
    until: Instant,
}

impl Watch {
    /// Makes a watch that runs from now on.
    pub(super) fn new(cancel: &CancellationToken) -> Self {
        Self { cancel: cancel.clone(), until: Instant::now() + SEARCH }
    }

    /// Reports whether the search has to end.
    pub(super) fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || Instant::now() > self.until
    }
}

/// A reader that fails once its watch is over.
pub(super) struct Watched<R>(pub(super) R, pub(super) Watch);

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_over() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.0.read(buffer)
    }
}
