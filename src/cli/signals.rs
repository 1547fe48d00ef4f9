//! Signals: the first cancels everything in order, a second interrupt ends the process at once.
//!
//! They are awaited beside Lua, because the Lua thread may be in a loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use super::terminal::say;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::vm::Stopper;

/// The signals that end a run, with what is said of them.
const ENDING: [(SignalKind, i32, &str); 3] = [
    (SignalKind::hangup(), 129, "the terminal hung up"),
    (SignalKind::interrupt(), 130, "interrupted"),
    (SignalKind::terminate(), 143, "terminated"),
];

/// The exit code that a signal asks for; 0 while none came.
#[derive(Clone, Default)]
pub struct Signalled(Arc<AtomicI32>);

impl Signalled {
    /// Notes the code of the first signal; tells whether it is the first.
    pub fn note(&self, code: i32) -> bool {
        self.0.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Returns the exit code, if a signal came.
    pub fn code(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|code| *code != 0)
    }
}

/// Cancels the task behind `stopper` at the first signal.
///
/// # Errors
/// Io, when signals cannot be awaited.
pub fn watch(runtime: &tokio::runtime::Handle, stopper: &Stopper) -> Result<Signalled> {
    let signalled = Signalled::default();
    let _guard = runtime.enter();
    for (kind, code, what) in ENDING {
        let mut stream = signal(kind).or_kind(Kind::Io, || "cannot await signals")?;
        let (signalled, stopper) = (signalled.clone(), stopper.clone());
        runtime.spawn(async move {
            while stream.recv().await.is_some() {
                if signalled.note(code) {
                    say(&format!(
                        "\n{what}: agents are stopped, their work is kept (again to quit at once)\n"
                    ));
                    stopper.stop(Error::new(Kind::Cancelled, what));
                } else {
                    quit(signalled.code().unwrap_or(code));
                }
            }
        });
    }
    Ok(signalled)
}

/// Ends the process without cleaning up; the guardian ends its commands.
#[expect(clippy::exit, reason = "somebody asked twice")]
pub fn quit(code: i32) -> ! {
    std::process::exit(code)
}
