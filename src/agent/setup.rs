//! The command that prepares a worktree, before anybody is asked anything: once for each worktree, and
//! again when it is another command.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::Worktree;
use crate::process::{Ended, Invocation, Limits, Processes, What};

/// The longest time: installing what a large project needs takes minutes.
const TIMEOUT: Duration = Duration::from_mins(30);
/// How much of its output is kept, from the start and from the end.
const HEAD: usize = 1_000;
const TAIL: usize = 30_000;
/// How many of its last lines an error quotes.
const QUOTED: usize = 15;

/// Runs `command` in a worktree, unless it has run there before.
///
/// # Errors
/// Git, with the last lines of its output, when it fails; cancelled.
pub async fn run(
    processes: &Processes,
    worktree: &Worktree,
    command: &str,
    env: BTreeMap<String, String>,
    cancel: &CancellationToken,
) -> Result<()> {
    if worktree.was_set_up_by(command) {
        return Ok(());
    }
    run_once(processes, worktree.path(), command, env, cancel).await?;
    worktree.note_setup(command)
}

/// Runs `command` in a folder that nobody sets up again.
///
/// # Errors
/// As [`run`].
pub(super) async fn run_once(
    processes: &Processes,
    folder: &Path,
    command: &str,
    env: BTreeMap<String, String>,
    cancel: &CancellationToken,
) -> Result<()> {
    let invocation = Invocation {
        what: What::Shell(command.to_owned()),
        cwd: folder.to_owned(),
        env,
        stdin: Vec::new(),
        merge_stderr: true,
    };
    let limits = Limits { timeout: TIMEOUT, head: HEAD, tail: TAIL, spill: None, spill_max: 0 };
    let trouble = || format!("cannot run the setup `{command}`");
    let finished = processes.run(invocation, limits, cancel).await.or_kind(Kind::Io, trouble)?;
    if finished.ended == Ended::Cancelled {
        return Err(Error::new(Kind::Cancelled, "the setup was cancelled"));
    }
    let Some(how) = finished.failure(TIMEOUT) else { return Ok(()) };
    let text = finished.stdout.text();
    let lines: Vec<_> = text.trim_end().lines().collect();
    let last = lines[lines.len().saturating_sub(QUOTED)..].join("\n");
    let quoted = if last.is_empty() { String::new() } else { format!(":\n{last}") };
    Err(Error::new(Kind::Git, format!("the setup `{command}` {how}{quoted}")))
}
