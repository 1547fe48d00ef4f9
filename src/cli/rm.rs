//! `agentlua rm ID`: what one agent left goes, if nothing is lost with it.

use std::sync::Arc;

use super::table::size;
use super::terminal::{Stdout, say};
use super::{Flags, Rm, progress, session};
use crate::error::{Kind, Result, ResultExt};
use crate::event::Events;
use crate::host::gc::Removed;

/// Removes what an agent left and returns the exit code.
pub(super) fn main(rm: &Rm) -> Result<i32> {
    let environment = session::environment();
    let cwd = std::env::current_dir().or_kind(Kind::Io, || "the working directory is gone")?;
    let flags = Flags { repo: rm.repo.clone(), ..Flags::default() };
    let sources = session::sources(&flags, &environment, &cwd)?;
    let events = Events::new(vec![Arc::new(progress::Plain::new(false, false, Box::new(say)))]);
    let workers = session::workers()?;
    let host = session::host(sources, "", environment, events, &workers)?;
    let removed = workers.block_on(Arc::clone(&host).remove_agent(&rm.id, rm.force))?;
    let stdout = Stdout::default();
    stdout.write(text(&removed).as_bytes());
    workers.block_on(host.close());
    workers.shutdown_background();
    Ok(if stdout.is_closed() { 141 } else { 0 })
}

/// Returns what went, on a line.
fn text(removed: &Removed) -> String {
    let Some(swept) = &removed.swept else {
        return format!("{} had left nothing\n", removed.id);
    };
    let mut parts = Vec::new();
    if swept.worktree_path.is_some() {
        parts.push(format!("worktree ({})", size(swept.bytes)));
    }
    if let Some(branch) = &swept.branch {
        parts.push(format!("branch `{branch}`"));
    }
    if parts.is_empty() {
        parts.push("refs".to_owned());
    }
    format!("removed {}: {}; {}\n", removed.id, parts.join(", "), swept.why)
}
