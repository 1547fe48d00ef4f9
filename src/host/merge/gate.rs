//! Who is asked before a merge lands: a command or a function that verifies it, a function or agents that
//! resolve its conflicts.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Host, Team};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::{Conflict, Footing, Proposal, Repo, Trial, Worktree};
use crate::host::steps::Merging;
use crate::process::{Ended, Invocation, Limits, What, env};

/// A day, as for every command of a script.
const TIMEOUT: Duration = Duration::from_hours(24);

/// How much of what a command wrote is kept: its end, where the failures are.
const MAX_OUTPUT: usize = 16 << 10;

/// What somebody on the script's thread will have said.
pub type Answer<'a, T> = LocalBoxFuture<'a, Result<T>>;

/// Verifies merged files.
pub trait Verifier {
    /// Looks at the files in a worktree; returns what is wrong with them, if anything.
    fn verify(&self, worktree: Worktree) -> Answer<'_, Option<String>>;
}

/// Resolves conflicts.
pub trait Resolver {
    /// Makes of the half-merged files in a worktree what they are to be.
    fn resolve<'a>(&'a self, conflict: &'a Conflict, worktree: Worktree) -> Answer<'a, Resolved>;
}

/// What came of resolving conflicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The files are as they are to be; perhaps with the reason why lines of a side are not in them.
    Done(Option<String>),
    /// Nothing was said: the files have to speak for themselves.
    Unsaid,
    /// They are not, perhaps with a reason.
    Not(Option<String>),
}

/// Who resolves conflicts.
#[derive(Clone, Copy)]
pub enum OnConflict<'a> {
    /// A function.
    Call(&'a dyn Resolver),
    /// Agents.
    Ask(&'a Team),
}

/// How merged files are verified.
#[derive(Clone)]
pub enum Verify<'a> {
    /// A command that has to succeed.
    Command(String),
    /// A function.
    Call(&'a dyn Verifier),
}

/// Who is asked before a merge lands.
#[derive(Clone, Default)]
pub struct Gate<'a> {
    /// How the merged files are verified.
    pub verify: Option<Verify<'a>>,
    /// The command that prepares the worktree in which that is done.
    pub setup: Option<String>,
    /// Who resolves conflicts.
    pub on_conflict: Option<OnConflict<'a>>,
    /// Whether a merge that has lost lines of a side is refused unless there is a reason for that; by
    /// agents it always is.
    pub keeps_all: bool,
    /// A commit that was verified before.
    pub verified: Option<String>,
    /// What the landing is written down with, in the script's steps.
    pub merging: Option<Merging>,
    /// Calls the merge off. What has begun to land is landed.
    pub cancel: CancellationToken,
}

impl Gate<'_> {
    /// Refuses to go on with a merge that was called off.
    pub(in crate::host) fn require_going(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(called_off()) } else { Ok(()) }
    }
}

pub(in crate::host) fn called_off() -> Error {
    Error::new(Kind::Cancelled, "the merge was called off before anything moved")
}

/// Longer output is not part of a message.
const REASON_BYTES: usize = 200;

/// A verification that said no.
pub(in crate::host) struct Failure {
    /// What said no, and how: the beginning of a sentence.
    pub what: String,
    /// Its last lines.
    pub output: String,
}

impl Failure {
    /// Returns the error of the merge that was verified.
    pub fn error(&self, name: &str, into: &str) -> Error {
        let message = format!("{} after merging `{name}` into `{into}`", self.what);
        Error::new(Kind::Verify, message + &self.reason())
            .with("merge", json!({ "status": "verify_failed", "output": self.output }))
    }

    /// Returns the error for a target that is not good as it is.
    pub fn error_of_base(&self, into: &str) -> Error {
        let message = format!("{} on `{into}` as it is, with nothing merged", self.what);
        Error::new(Kind::Verify, message + &self.reason())
            .with("merge", json!({ "status": "verify_failed", "output": self.output }))
    }

    /// Returns the end of a message: the output, where it is one short line.
    fn reason(&self) -> String {
        let line = self.output.trim();
        if line.is_empty() || line.len() > REASON_BYTES || line.contains('\n') {
            return String::new();
        }
        format!(": {line}")
    }
}

impl Host {
    /// Verifies the merged files in a temporary worktree; returns how that failed, if it did.
    pub(in crate::host) async fn verified(
        &self,
        repo: &Arc<Repo>,
        proposal: &Proposal,
        gate: &Gate<'_>,
    ) -> Result<Option<Failure>> {
        let Some(verify) = &gate.verify else { return Ok(None) };
        gate.require_going()?;
        let root = self.worktree_root()?;
        let (repo, proposal) = (Arc::clone(repo), proposal.clone());
        let make = async move { Trial::of(&repo, &proposal, &root, Footing::Commit).await };
        let trial = self.beside(make).await??;
        let verdict = self.judged(trial.worktree(), verify, gate).await;
        self.close_trial(Arc::new(trial)).await;
        gate.require_going()?;
        verdict
    }

    async fn judged(
        &self,
        worktree: &Worktree,
        verify: &Verify<'_>,
        gate: &Gate<'_>,
    ) -> Result<Option<Failure>> {
        if let Some(setup) = &gate.setup
            && let Some(mut failure) = self.command(setup, worktree, gate).await?
        {
            failure.what = format!("the setup {}", failure.what);
            return Ok(Some(failure));
        }
        match verify {
            Verify::Command(command) => self.command(command, worktree, gate).await,
            Verify::Call(verifier) => {
                let why = verifier.verify(worktree.clone()).await?;
                let failed = |output| Failure { what: "`verify` failed".to_owned(), output };
                Ok(why.map(|why| failed(last(&why))))
            }
        }
    }

    /// Runs a command in a worktree; returns how it failed, if it did.
    async fn command(
        &self,
        command: &str,
        worktree: &Worktree,
        gate: &Gate<'_>,
    ) -> Result<Option<Failure>> {
        let invocation = Invocation {
            what: What::Shell(command.to_owned()),
            cwd: worktree.path().to_owned(),
            // What it runs was written by agents: it sees what their own commands see.
            env: env::allowed(self.environment.clone().into_iter()),
            stdin: Vec::new(),
            merge_stderr: true,
        };
        let limits =
            Limits { timeout: TIMEOUT, head: 0, tail: MAX_OUTPUT, spill: None, spill_max: 0 };
        let (processes, cancel) = (self.processes.clone(), gate.cancel.clone());
        let finished = self
            .beside(async move { processes.run(invocation, limits, &cancel).await })
            .await?
            .or_kind(Kind::Io, || format!("cannot run `{command}`"))?;
        if finished.ended == Ended::Cancelled {
            return Err(called_off());
        }
        let Some(how) = finished.failure(TIMEOUT) else { return Ok(None) };
        let output = finished.stdout.text();
        Ok(Some(Failure { what: format!("`{command}` {how}"), output: last(&output) }))
    }
}

/// Cuts all but the end of a long text.
fn last(text: &str) -> String {
    let text = text.trim();
    if text.len() <= MAX_OUTPUT {
        return text.to_owned();
    }
    let cut = text.ceil_char_boundary(text.len() - MAX_OUTPUT);
    format!("[{cut} bytes left out here]\n{}", &text[cut..])
}
