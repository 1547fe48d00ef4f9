//! What the verbs have in common that look at agents of any process, or deal with them: the host of the
//! repository around the working directory or `--repo`, standard output, an end in order.
//!
//! No run begins in them, and nothing is written for having looked.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::terminal::{Stdout, say};
use super::{Flags, progress, session, signals};
use crate::error::{Kind, Result, ResultExt};
use crate::event::Events;
use crate::host::Host;
use crate::journal::NewRun;

/// The signals that end a verb which goes on until one comes, and its exit code then.
const ENDING: [(SignalKind, i32); 3] =
    [(SignalKind::hangup(), 129), (SignalKind::interrupt(), 130), (SignalKind::terminate(), 143)];

/// What such a verb works with.
pub(super) struct Look {
    /// The services.
    pub host: Arc<Host>,
    stdout: Stdout,
    signalled: Arc<AtomicI32>,
}

/// Does what a verb does, in the repository around `repo` or the working directory, and returns the exit
/// code: that of `act`, unless a signal came that it waited for, or nobody reads what it prints.
///
/// # Errors
/// Usage, for settings that cannot be; what `act` says.
pub(super) fn with(
    repo: Option<&Path>,
    act: impl AsyncFnOnce(&Look) -> Result<i32>,
) -> Result<i32> {
    let environment = session::environment();
    let cwd = std::env::current_dir().or_kind(Kind::Io, || "the working directory is gone")?;
    let flags = Flags { repo: repo.map(Path::to_owned), ..Flags::default() };
    let sources = session::sources(&flags, &environment, &cwd)?;
    let events = Events::new(vec![Arc::new(progress::Plain::new(false, false, Box::new(say)))]);
    let workers = session::workers()?;
    let host = session::host(sources, NewRun::new("", ""), None, environment, events, &workers)?;
    let look = Look { host, stdout: Stdout::default(), signalled: Arc::default() };
    let ended = workers.block_on(async {
        let ended = act(&look).await;
        look.host.close().await;
        ended
    });
    // Threads that still wait for a file or a process must not hold up the end.
    workers.shutdown_background();
    match look.signalled.load(Ordering::Relaxed) {
        0 if look.stdout.is_closed() => ended.map(|_| 141),
        0 => ended,
        code => Ok(code),
    }
}

impl Look {
    /// Writes to standard output; returns whether somebody reads it.
    pub fn print(&self, text: &str) -> bool {
        self.print_bytes(text.as_bytes())
    }

    /// As [`Look::print`], for what may be no text.
    pub fn print_bytes(&self, bytes: &[u8]) -> bool {
        self.stdout.write(bytes);
        !self.stdout.is_closed()
    }

    /// Writes a value as JSON for people and programs, on several lines.
    ///
    /// # Errors
    /// Internal, for what JSON cannot say.
    pub fn print_json(&self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value);
        let text = text.or_kind(Kind::Internal, || "cannot write JSON")?;
        self.print(&(text + "\n"));
        Ok(())
    }

    /// Returns what the first signal cancels from now on; a second one ends the process at once. Until
    /// this is called, the first one does.
    ///
    /// # Errors
    /// Io, when signals cannot be awaited.
    pub fn interrupted(&self) -> Result<CancellationToken> {
        let token = CancellationToken::new();
        for (kind, code) in ENDING {
            let mut stream = signal(kind).or_kind(Kind::Io, || "cannot await signals")?;
            let (token, signalled) = (token.clone(), Arc::clone(&self.signalled));
            self.host.spawn(async move {
                while stream.recv().await.is_some() {
                    if signalled.swap(code, Ordering::Relaxed) != 0 {
                        signals::quit(code);
                    }
                    token.cancel();
                }
            });
        }
        Ok(token)
    }
}
