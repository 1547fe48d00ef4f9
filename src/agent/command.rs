//! A command of an agent's that has to succeed: what prepares its worktree, what verifies its work.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result, ResultExt};
use crate::model::cassette::OUTPUT;
use crate::process::{Ended, Invocation, Limits, Processes, What};

/// How many bytes of output are kept, half from its start and half from its end.
const SHOWN: usize = 30_000;
/// How many characters of a reason stand in an error's message.
const REASON_CHARS: usize = 200;

/// Why something is not good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    /// What said no, and how: one line.
    pub what: String,
    /// All that it said.
    pub output: String,
}

impl Failure {
    /// Makes one of a reason that somebody gave.
    pub fn said(output: String) -> Self {
        let line = output.trim().lines().next().unwrap_or_default();
        let what = match line.char_indices().nth(REASON_CHARS) {
            Some((cut, _)) => format!("{}…", &line[..cut]),
            None => line.to_owned(),
        };
        Self { what, output: capped(output) }
    }

    /// Returns all that it said as a model is told.
    pub fn quoted(&self) -> String {
        match self.output.as_str() {
            "" => "It said nothing.".to_owned(),
            output => format!("{OUTPUT}{output}"),
        }
    }
}

/// Runs a command in `folder`; returns how it failed, if it did.
///
/// # Errors
/// Cancelled; io, when it cannot be started.
pub(super) async fn failure(
    processes: &Processes,
    command: &str,
    folder: &Path,
    env: BTreeMap<String, String>,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<Option<Failure>> {
    let invocation = Invocation {
        what: What::Shell(command.to_owned()),
        cwd: folder.to_owned(),
        env,
        stdin: Vec::new(),
        merge_stderr: true,
    };
    let half = SHOWN / 2;
    let limits = Limits { timeout, head: half, tail: half, spill: None, spill_max: 0 };
    let finished = processes.run(invocation, limits, cancel).await;
    let finished = finished.or_kind(Kind::Io, || format!("cannot run `{command}`"))?;
    if finished.ended == Ended::Cancelled {
        return Err(cancelled());
    }
    let output = finished.stdout.text().trim().to_owned();
    Ok(finished.failure(timeout).map(|how| Failure { what: format!("`{command}` {how}"), output }))
}

/// Says that somebody called it off.
pub(super) fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "the agent was cancelled")
}

/// Leaves out the middle of a long text.
fn capped(text: String) -> String {
    if text.len() <= SHOWN {
        return text;
    }
    let head = text.floor_char_boundary(SHOWN / 2);
    let tail = text.ceil_char_boundary(text.len() - SHOWN / 2);
    format!("{}\n[{} bytes left out here]\n{}", &text[..head], tail - head, &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_long_reason_is_left_out() {
        let long = format!("first{}last", "ü".repeat(SHOWN));
        let said = Failure::said(long);
        assert!(said.output.len() < SHOWN + 100 && said.output.contains("bytes left out here"));
        assert!(said.output.starts_with("first") && said.output.ends_with("last"));
        assert_eq!(said.what.chars().count(), REASON_CHARS + 1);
    }
}
