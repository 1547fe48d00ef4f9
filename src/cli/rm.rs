//! `agentlua rm ID`: what one agent left goes, if nothing is lost with it.

use std::sync::Arc;

use super::terminal::{Stdout, say};
use super::{Flags, Rm, progress, session};
use crate::error::{Kind, Result, ResultExt};
use crate::event::Events;
use crate::journal::NewRun;

/// Removes what an agent left and returns the exit code.
pub(super) fn main(rm: &Rm) -> Result<i32> {
    let environment = session::environment();
    let cwd = std::env::current_dir().or_kind(Kind::Io, || "the working directory is gone")?;
    let flags = Flags { repo: rm.repo.clone(), ..Flags::default() };
    let sources = session::sources(&flags, &environment, &cwd)?;
    let events = Events::new(vec![Arc::new(progress::Plain::new(false, false, Box::new(say)))]);
    let workers = session::workers()?;
    let host = session::host(sources, NewRun::new("", ""), None, environment, events, &workers)?;
    let removed = workers.block_on(Arc::clone(&host).remove_agent(&rm.id, rm.force))?;
    let stdout = Stdout::default();
    stdout.write((removed.account().join("\n") + "\n").as_bytes());
    workers.block_on(host.close());
    workers.shutdown_background();
    Ok(if stdout.is_closed() { 141 } else { 0 })
}
