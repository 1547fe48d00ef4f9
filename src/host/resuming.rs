//! Which run is gone on with: one that was cut off or has failed, of those that began where one stands.

use std::path::Path;

use super::Host;
use crate::error::{Error, Kind, Result};
use crate::journal::RunRow;

/// How many runs are listed where none is the one that was meant.
const SHOWN: usize = 5;

/// The run that is meant.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'w> {
    /// The one with this id, or the only one whose id begins so.
    Named(&'w str),
    /// The last of this script that is not finished.
    LastOf(&'w Path),
    /// The last that is not finished.
    Last,
}

impl Host {
    /// Finds the run to go on with; nothing, when a script has none that is not finished.
    ///
    /// # Errors
    /// Usage, for a run that there is not, that is going on, or that cannot be started again.
    pub async fn run_to_resume(&self, wanted: Wanted<'_>) -> Result<Option<RunRow>> {
        let store = self.home_store().await?;
        let runs = self.beside(async move { store.runs().await }).await??;
        match wanted {
            Wanted::Named(id) => {
                let run = named(&runs, id)?;
                resumable(run)?;
                Ok(Some(run.clone()))
            }
            Wanted::LastOf(script) => {
                let is_of = |run: &&RunRow| {
                    let file = run.command.as_ref().and_then(|command| command.script.as_ref());
                    file.is_some_and(|file| is_same(Path::new(file), script))
                };
                let mut of_script = runs.iter().rev().filter(is_of);
                // Beside one that is going on another would be paid for.
                if let Some(going) = of_script.clone().find(|run| run.alive) {
                    resumable(going)?;
                }
                Ok(of_script.find(|run| is_unfinished(run)).cloned())
            }
            Wanted::Last => {
                let run = runs.iter().rev().find(|run| is_unfinished(run)).cloned();
                run.map(Some).ok_or_else(|| nothing(&runs))
            }
        }
    }
}

/// Finds a run by its id or the start of it.
pub(super) fn named<'r>(runs: &'r [RunRow], id: &str) -> Result<&'r RunRow> {
    if let Some(run) = runs.iter().find(|run| run.id == id) {
        return Ok(run);
    }
    let bare = |run: &RunRow| run.id.strip_prefix("run-").is_some_and(|rest| rest.starts_with(id));
    let starts = |run: &&RunRow| !id.is_empty() && (run.id.starts_with(id) || bare(run));
    let matching: Vec<&RunRow> = runs.iter().filter(starts).collect();
    match matching[..] {
        [run] => Ok(run),
        [] => Err(Error::usage(format!("no run here has the id `{id}`")).hint(last_few(runs))),
        _ => {
            let ids: Vec<&str> = matching.iter().take(SHOWN).map(|run| run.id.as_str()).collect();
            let more = if matching.len() > SHOWN { ", …" } else { "" };
            Err(Error::usage(format!("`{id}` may be {}{more}", ids.join(", "))))
        }
    }
}

/// Says what became of a run, after its name.
pub(super) fn fate(run: &RunRow) -> String {
    match run.status.as_deref() {
        _ if run.alive => "is going on".to_owned(),
        None => "was cut off".to_owned(),
        Some("interrupted") => "was interrupted".to_owned(),
        Some("degraded") => "ended with agents that had failed".to_owned(),
        Some(status) => format!("has {status}"),
    }
}

fn resumable(run: &RunRow) -> Result<()> {
    let id = &run.id;
    if run.alive {
        return Err(Error::usage(format!("`{id}` is going on in another process"))
            .hint(format!("agentlua logs {id} -f, or agentlua stop {id}")));
    }
    if is_known(run) {
        return Ok(());
    }
    Err(Error::usage(if run.script == "repl" {
        format!("`{id}` was a session: there is no script to go on with")
    } else {
        format!("`{id}` was begun by an earlier version, which did not keep its script")
    }))
}

/// Tells whether it is known how to start a run again.
fn is_known(run: &RunRow) -> bool {
    let known =
        |command: &crate::journal::Command| command.script.is_some() || !command.source.is_empty();
    run.command.as_ref().is_some_and(known)
}

fn is_unfinished(run: &RunRow) -> bool {
    !run.alive && is_known(run) && run.status.as_deref() != Some("completed")
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

fn nothing(runs: &[RunRow]) -> Error {
    let going: Vec<&str> = runs.iter().filter(|run| run.alive).map(|run| run.id.as_str()).collect();
    let error = Error::new(
        Kind::Usage,
        "there is nothing to resume: no run here was cut off or has failed",
    );
    match going[..] {
        [] => error.hint("agentlua resume RUN goes on with one that is finished, too"),
        _ => error.hint(format!("still going on: {}", going.join(", "))),
    }
}

fn last_few(runs: &[RunRow]) -> String {
    if runs.is_empty() {
        return "there was none yet; runs are known where their repository is".to_owned();
    }
    let shown = runs.iter().rev().take(SHOWN);
    let shown: Vec<String> =
        shown.map(|run| format!("{} ({}, {})", run.id, run.script, fate(run))).collect();
    format!("the last here: {}", shown.join("; "))
}
