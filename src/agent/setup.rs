//! The command that prepares a worktree, before anybody is asked anything: once for each worktree, and
//! again when it is another command.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::command::{self, Failure};
use crate::error::{Error, Kind, Result};
use crate::git::Worktree;
use crate::process::Processes;

/// The longest time: installing what a large project needs takes minutes.
const TIMEOUT: Duration = Duration::from_mins(30);
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
    let failure = command::failure(processes, command, folder, env, TIMEOUT, cancel).await?;
    let Some(Failure { what, output }) = failure else { return Ok(()) };
    let lines: Vec<_> = output.lines().collect();
    let last = lines[lines.len().saturating_sub(QUOTED)..].join("\n");
    let quoted = if last.is_empty() { String::new() } else { format!(":\n{last}") };
    Err(Error::new(Kind::Git, format!("the setup {what}{quoted}")))
}
