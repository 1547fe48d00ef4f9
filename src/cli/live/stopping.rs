//! Ctrl-Z: the block goes before the shell says that the run has stopped, and comes back with it.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{screen, terminal};

/// How long the system may take to stop us.
const STOPPING: Duration = Duration::from_millis(100);

/// Awaits it from now on.
///
/// # Errors
/// When signals cannot be awaited.
pub fn watch() -> io::Result<()> {
    let mut stream = signal(SignalKind::from_raw(terminal::SUSPEND))?;
    tokio::spawn(async move {
        while stream.recv().await.is_some() {
            // The thread may sleep: the whole process is to.
            let stopped = tokio::task::spawn_blocking(|| {
                let _hidden = screen::Hidden::now();
                terminal::stop_here();
                std::thread::sleep(STOPPING);
            });
            let _ = stopped.await;
        }
    });
    Ok(())
}
