//! Whether the work is good: a command of the project's own or a function of the script, asked when
//! the agent says that it is done. What it says against the work goes back to the agent.
//!
//! A command sees what the agent's own commands see. Its runs are counted; the run before the first
//! turn, the [`baseline`](super::baseline), is none of them.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::baseline::Baseline;
use super::command::{self, Failure, cancelled};
use super::conclude::Verdict;
use super::outcome::Subtype;
use super::session::{Ending, Session};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::git::{self, Side, Spec, Worktree};

/// The longest time of one run, in which an agent's own limit may end it sooner.
pub(super) const TIMEOUT: Duration = Duration::from_hours(1);

/// How work is verified.
#[derive(Clone)]
pub struct Verify {
    /// What decides.
    pub by: Check,
    /// How often it may fail.
    pub attempts: u32,
}

/// What decides whether work is good.
#[derive(Clone)]
pub enum Check {
    /// A shell command in the worktree; exit code 0 is good.
    Command(String),
    /// A function of the script.
    Function(std::sync::Arc<dyn Verifier>),
}

/// Something of the script that looks at an agent's work.
pub trait Verifier: Send + Sync {
    /// Looks at the outcome so far and at the files; returns what is wrong, if anything. Dropping the
    /// future gives the call up.
    ///
    /// # Errors
    /// What kept it from deciding; that counts against the work too.
    fn verify(
        &self,
        outcome: Value,
        worktree: Option<Worktree>,
    ) -> BoxFuture<'_, Result<Option<String>>>;

    /// Returns the hash of its code.
    fn code(&self) -> &str;
}

/// What verification came to, as scripts read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Whether the last run was good; absent before the first.
    pub ok: Option<bool>,
    /// How often it ran.
    pub attempts: u32,
    /// How the command ended before the agent began: `passed` or `failed`.
    pub baseline: Option<&'static str>,
    /// What the last run said, if it was not good.
    pub output: Option<String>,
}

/// The verification of one conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Verifying {
    attempts: u32,
    /// How many of them were not good. These are bounded: who was good and is sent on, by a hook or by
    /// word of the script, is verified again.
    failures: u32,
    baseline: Option<Baseline>,
    /// Why the last run was not good.
    failure: Option<Failure>,
}

impl Verifying {
    /// Returns what it came to, if there is anything to verify.
    pub fn summary(&self, verify: Option<&Verify>) -> Option<Verification> {
        verify?;
        Some(Verification {
            ok: (self.attempts > 0).then_some(self.failure.is_none()),
            attempts: self.attempts,
            baseline: self.baseline.as_ref().and_then(Baseline::word),
            output: self.failure.as_ref().map(|failure| failure.output.clone()),
        })
    }

    /// Forgets how often the work was not good.
    pub fn forgive(&mut self) {
        self.failures = 0;
    }

    fn was_red(&self) -> bool {
        self.baseline.as_ref().is_some_and(|baseline| baseline.word() == Some("failed"))
    }

    fn error(&self, failure: &Failure, branch: Option<&str>) -> Error {
        let times = match self.failures {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            times => format!("{times} times"),
        };
        let before = if self.was_red() { ", as it did before the agent began" } else { "" };
        let message = format!("verify failed {times}{before}: {}", failure.what);
        let error = Error::new(Kind::Verify, message).with("output", failure.output.clone().into());
        match branch {
            Some(branch) => error.hint(format!("look at the work: git diff HEAD...{branch}")),
            None => error,
        }
    }

    fn told(&self, failure: &Failure, attempts: u32) -> String {
        let left = match attempts - self.failures {
            1 => "is run once more".to_owned(),
            left => format!("is run {left} times more at most"),
        };
        let before = if self.was_red() { " It failed before you began, too." } else { "" };
        format!(
            "Your work was verified, and it is not good yet: {}.{before} Mend that and finish \
             again; the verification {left}. {}",
            failure.what,
            failure.quoted()
        )
    }
}

impl Session<'_> {
    /// Runs the command before the first turn, or learns how it ended for a sibling; tells the agent.
    ///
    /// # Errors
    /// Cancelled.
    pub(super) async fn take_baseline(&mut self) -> Result<()> {
        let query = self.query;
        let Some(Verify { by: Check::Command(command), .. }) = &query.verify else { return Ok(()) };
        let began = Instant::now();
        let baseline = self.bench.baseline(command, &self.context).await?;
        match &baseline {
            Baseline::Unknown(why) => {
                let agent = &self.context.agent;
                self.events
                    .warn(format!("{agent}: `{command}` could not be run before it began: {why}"));
            }
            Baseline::Passed => self.note_run(0, began, None),
            Baseline::Failed(failure) => self.note_run(0, began, Some(failure)),
        }
        let mut told = format!(
            "Your work is verified: when you say that you are done, `{command}` is run in your \
             directory, and has to succeed."
        );
        if let Baseline::Failed(failure) = &baseline {
            // Writing to a string cannot fail.
            let _ = write!(
                told,
                " It fails before you begin, so what it complains of need not be your doing: {}. {}",
                failure.what,
                failure.quoted()
            );
        }
        self.verifying.baseline = Some(baseline);
        self.keep_said(vec![told]).await
    }

    /// Verifies the work. `result` is the final text.
    ///
    /// # Errors
    /// Cancelled; io, when a command cannot be run at all.
    pub(super) async fn verify(&mut self, result: &str) -> Result<Verdict> {
        let query = self.query;
        let Some(verify) = &query.verify else { return Ok(Verdict::Accepted) };
        // It may write, and a snapshot is of files that nobody writes.
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.settled().await;
        }
        let began = Instant::now();
        let failure = match &verify.by {
            Check::Command(command) => {
                let (processes, env) = (&self.context.processes, self.context.env.clone());
                let folder = self.context.workspace.root().to_owned();
                command::failure(processes, command, &folder, env, TIMEOUT, &self.context.cancel)
                    .await?
            }
            Check::Function(function) => {
                let outcome = self.so_far(result).await?;
                let worktree = self.bench.worktree().cloned();
                tokio::select! {
                    biased;
                    () = self.context.cancel.cancelled() => return Err(cancelled()),
                    objection = function.verify(outcome, worktree) => match objection {
                        Ok(objection) => objection.map(Failure::said),
                        Err(error) => Some(Failure::said(error.message)),
                    },
                }
            }
        };
        self.verifying.attempts += 1;
        self.verifying.failures += u32::from(failure.is_some());
        self.verifying.failure.clone_from(&failure);
        self.note_run(self.verifying.attempts, began, failure.as_ref());
        Ok(match failure {
            None => Verdict::Accepted,
            Some(failure) if self.verifying.failures >= verify.attempts => {
                let error = Some(self.verifying.error(&failure, self.context.branch.as_deref()));
                Verdict::Failed(Ending { subtype: Subtype::ErrorVerify, error })
            }
            Some(failure) => Verdict::Again(vec![self.verifying.told(&failure, verify.attempts)]),
        })
    }

    fn note_run(&self, attempt: u32, began: Instant, failure: Option<&Failure>) {
        self.events.emit(Event::Verified {
            agent: self.context.agent.clone(),
            attempt,
            ok: failure.is_none(),
            message: failure.map(|failure| failure.what.clone()),
            duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// Returns the outcome as it would be if the work is good, save for what is known at the end only.
    async fn so_far(&self, result: &str) -> Result<Value> {
        let worktree = self.bench.worktree();
        let mut files = Vec::new();
        if let Some(worktree) = worktree {
            let base = worktree.base_commit().to_owned();
            let spec = Spec::Between { from: base, to: Side::Worktree(Box::new(worktree.clone())) };
            let diff = git::diff(worktree.repo(), spec, &[]).await?;
            files = diff.files.into_iter().map(|file| file.path).collect();
            files.sort();
        }
        Ok(json!({
            "ok": true,
            "subtype": Subtype::Success.as_str(),
            "result": result,
            "structured_output": self.structured.as_ref().and_then(|structured| structured.value()),
            "id": self.context.agent,
            "session_id": self.events.session(),
            "label": self.context.label,
            "branch": self.context.branch,
            "worktree_path": worktree.map(|worktree| worktree.path().display().to_string()),
            "base_commit": worktree.map(Worktree::base_commit),
            "files_changed": files,
            "num_turns": self.turns,
            "usage": self.usage,
            "stop_reason": self.stop_reason,
            "permission_denials": self.denials,
        }))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn failure(output: &str) -> Failure {
        Failure::said(output.to_owned())
    }

    #[test]
    fn an_error_says_how_often_and_whether_it_was_red_before() {
        let mut verifying = Verifying { failures: 1, ..Verifying::default() };
        let error = verifying.error(&failure("bad\nvery"), None);
        assert_eq!(error.message, "verify failed once: bad");
        assert_eq!(error.detail("output").unwrap(), "bad\nvery");
        verifying.failures = 3;
        verifying.baseline = Some(Baseline::Failed(failure("x")));
        assert_eq!(
            verifying.error(&failure("bad"), None).message,
            "verify failed 3 times, as it did before the agent began: bad"
        );
    }
}
