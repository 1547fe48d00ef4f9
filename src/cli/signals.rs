//! Signals: the first cancels everything in order, a second interrupt ends the process at once.
//!
//! They are awaited beside Lua, because the Lua thread may be in a loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use super::output::Output;
use super::screen;
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
pub struct Signalled {
    code: Arc<AtomicI32>,
    begun: Arc<AtomicBool>,
}

impl Signalled {
    /// Notes the code of the first signal; tells whether it is the first.
    pub fn note(&self, code: i32) -> bool {
        self.code.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Returns the exit code, if a signal came.
    pub fn code(&self) -> Option<i32> {
        Some(self.code.load(Ordering::Relaxed)).filter(|code| *code != 0)
    }

    /// Notes that there is something to cancel from now on; before, a signal ends the process.
    pub fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }
}

/// Cancels the task behind `stopper` at the first signal.
///
/// # Errors
/// Io, when signals cannot be awaited.
pub fn watch(
    runtime: &tokio::runtime::Handle,
    stopper: &Stopper,
    output: &Output,
) -> Result<Signalled> {
    let signalled = Signalled::default();
    let _guard = runtime.enter();
    for (kind, code, what) in ENDING {
        let mut stream = signal(kind).or_kind(Kind::Io, || "cannot await signals")?;
        let (signalled, stopper, output) = (signalled.clone(), stopper.clone(), output.clone());
        runtime.spawn(async move {
            while stream.recv().await.is_some() {
                let first = signalled.note(code);
                if first && signalled.begun.load(Ordering::Relaxed) {
                    let kept = "agents are stopped, their work is kept (again to quit at once)";
                    say(&format!("\n{what}: {kept}\n"));
                    stopper.stop(Error::new(Kind::Cancelled, what));
                    output.hurry();
                } else {
                    let code = signalled.code().unwrap_or(code);
                    output.last_words(code);
                    quit(code);
                }
            }
        });
    }
    Ok(signalled)
}

/// Cancels the run in order because somebody asks for it from another process: as the first interrupt does.
pub fn stop(signalled: &Signalled, stopper: &Stopper, output: &Output) {
    if signalled.note(130) {
        say("\nstopped by `agentlua stop`: agents are stopped, their work is kept\n");
        stopper.stop(Error::new(Kind::Cancelled, "stopped by `agentlua stop`"));
        output.hurry();
    }
}

/// Ends the process without cleaning up; the guardian ends its commands.
#[expect(clippy::exit, reason = "somebody asked twice")]
pub fn quit(code: i32) -> ! {
    screen::leave();
    std::process::exit(code)
}
