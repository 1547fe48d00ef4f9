//! `agentlua stop ID`: an agent or a run ends, from any shell, and keeps its work.

use super::terminal::Stdout;
use super::{Stop, session};
use crate::error::Result;
use crate::host::steering::Stopped;

/// Stops an agent or a run and returns the exit code.
pub(super) fn main(stop: &Stop) -> Result<i32> {
    let visit = session::Visit::of(stop.repo.as_deref())?;
    let stopped = visit.wait(visit.host.stop_from_outside(&stop.id))?;
    let text = match stopped {
        Stopped::Agent(id) => format!("{id} is stopping; its work is kept\n"),
        Stopped::Run(id) => format!(
            "{id} is stopping; the work of its agents is kept\nagentlua resume {id} goes on with it\n"
        ),
    };
    let stdout = Stdout::default();
    stdout.write(text.as_bytes());
    visit.leave();
    Ok(if stdout.is_closed() { 141 } else { 0 })
}
