//! Commands of agents and scripts: started behind a gate, held to their limits, ended as a group.
//!
//! A command does nothing before the guardian knows its group. The gate waits for one line on
//! standard input; if the host dies before it opens the gate, it reads end of file and nothing runs.
//! The gate of a script is its own first statement, which saves a process start (a third of what a
//! short command costs); a program has a small shell before it that becomes it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, join, maybe_done, select};
use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::process::Child;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::capture::{Capture, Captured, Keep};
use super::group::Group;
use super::guardian::Guard;
use super::locate::located;

/// How long a command that is called off has between TERM and KILL.
pub(super) const GRACE: Duration = Duration::from_millis(200);
/// How long output is waited for that background children of an ended command still hold open.
const SETTLE: Duration = Duration::from_millis(100);
/// How long a killed process may take to be gone.
const REAP: Duration = Duration::from_secs(5);

/// Waits for a line; the rest of standard input is the command's.
pub(super) const GATE: &str = "IFS= read -r _ || exit 125; ";
/// The same, for commands that read nothing: a pipe would make some programs wait for it.
const GATE_NO_STDIN: &str = "IFS= read -r _ || exit 125; exec </dev/null; ";
/// Becomes the command.
const BECOME: &str = r#"exec "$@""#;

/// What to run.
#[derive(Clone, Debug)]
pub enum What {
    /// A script for `bash -c`, or for `sh -c` where there is no bash.
    Shell(String),
    /// A program, looked up in the `PATH` of its environment, and its arguments.
    Program(String, Vec<String>),
}

/// A command, with nothing inherited but what is said here.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What to run.
    pub what: What,
    /// Where.
    pub cwd: PathBuf,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// What it reads; `/dev/null` when empty.
    pub stdin: Vec<u8>,
    /// Whether standard error goes where standard output goes, in the order of writing.
    pub merge_stderr: bool,
}

/// What a command may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest time.
    pub timeout: Duration,
    /// How many of the first bytes of each stream are kept in memory.
    pub head: usize,
    /// How many of the last bytes of each stream are kept in memory.
    pub tail: usize,
    /// A file to be made for output that is longer than head and tail; that of standard error,
    /// when it is separate, has `.stderr` appended.
    pub spill: Option<PathBuf>,
    /// The most bytes that such a file gets.
    pub spill_max: u64,
}

/// Why a command is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, or by a signal of somebody else.
    Exited,
    /// Its time was up.
    TimedOut,
    /// It was called off.
    Cancelled,
}

/// A command that is over.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Why.
    pub ended: Ended,
    /// The exit code, absent when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: Captured,
    /// What it wrote to standard error; empty when merged.
    pub stderr: Captured,
    /// How long it took.
    pub duration: Duration,
}

impl Finished {
    /// Says how it failed, as what follows a command's name in a sentence; nothing when it went well.
    /// `timeout` is the time that it had. Being called off is for the caller to see first.
    pub fn failure(&self, timeout: Duration) -> Option<String> {
        Some(match (self.ended, self.code, self.signal) {
            (Ended::Exited, Some(0), _) => return None,
            // What a shell says of a command that it cannot run.
            (Ended::Exited, Some(127), _) => {
                "failed with exit code 127: a command was not found".to_owned()
            }
            (Ended::Exited, Some(126), _) => {
                "failed with exit code 126: a command cannot be run".to_owned()
            }
            (Ended::Exited, Some(code), _) => format!("failed with exit code {code}"),
            (Ended::Exited, None, Some(signal)) => format!("was ended by signal {signal}"),
            (Ended::Exited, None, None) => "failed".to_owned(),
            (Ended::TimedOut, ..) => format!("was not done after {}", spoken(timeout)),
            (Ended::Cancelled, ..) => "was called off".to_owned(),
        })
    }
}

/// Returns a duration as people say it.
fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 7_200 && seconds.is_multiple_of(3_600) => {
            format!("{} h", seconds / 3_600)
        }
        seconds if seconds >= 120 && seconds.is_multiple_of(60) => {
            format!("{} minutes", seconds / 60)
        }
        _ => {
            format!("{:.3}", duration.as_secs_f64())
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
                + " s"
        }
    }
}

/// Starts commands and sees to their end; clones share one guardian.
#[derive(Clone)]
pub struct Processes {
    pub(super) guard: Arc<Guard>,
}

impl Processes {
    /// Makes a starter of commands whose guardian is `program`, our own binary.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { guard: Arc::new(Guard::new(program.into())) }
    }

    /// Runs a command until it ends, its time is up or `cancel` is cancelled; then ends its whole
    /// process group. Dropping the future kills the group too.
    ///
    /// # Errors
    /// When it cannot be started. How it ended is no error.
    pub async fn run(
        &self,
        invocation: Invocation,
        limits: Limits,
        cancel: &CancellationToken,
    ) -> io::Result<Finished> {
        let start = Instant::now();
        let mut stdout = Capture::new(limits.keep(""));
        let mut stderr = Capture::new(limits.keep(".stderr"));
        // Listens before there is a child, so that no end is missed.
        let mut ends = signal(SignalKind::child())?;
        let gate = if invocation.stdin.is_empty() { GATE_NO_STDIN } else { GATE };
        let (mut leader, pipes) = Leader::start(&self.guard, &invocation, gate)?;
        let ended = {
            let feed = open_gate(pipes.stdin, invocation.stdin);
            let read = join(stdout.fill(Some(pipes.stdout)), stderr.fill(pipes.stderr));
            let mut pumps = pin!(maybe_done(join(feed, read)));
            let ended = {
                let over = pin!(async {
                    tokio::select! {
                        biased;
                        gone = leader.exit(&mut ends) => gone.map(|()| Ended::Exited),
                        () = cancel.cancelled() => Ok(Ended::Cancelled),
                        () = tokio::time::sleep(limits.timeout) => Ok(Ended::TimedOut),
                    }
                });
                match select(over, &mut pumps).await {
                    Either::Left((ended, _)) => ended?,
                    Either::Right(((), over)) => over.await?,
                }
            };
            // A pause that runs out is no fault: what comes next is the same, with force.
            if ended == Ended::Exited {
                let _ = timeout(SETTLE, &mut pumps).await;
            } else {
                leader.group.signal(Signal::TERM);
                let _ = timeout(GRACE, join(leader.exit(&mut ends), &mut pumps)).await;
            }
            leader.group.signal(Signal::KILL);
            let _ = timeout(SETTLE, &mut pumps).await;
            ended
        };
        let status = leader.reap().await?;
        Ok(Finished {
            ended,
            code: status.code(),
            signal: status.signal(),
            stdout: stdout.finish(),
            stderr: stderr.finish(),
            duration: start.elapsed(),
        })
    }
}

#[cfg(test)]
impl Processes {
    pub(super) fn guardian(&self) -> Option<rustix::process::Pid> {
        self.guard.guardian()
    }

    pub(super) fn groups(&self) -> Vec<i32> {
        self.guard.groups()
    }
}

impl Limits {
    fn keep(&self, suffix: &str) -> Keep {
        let spill = self.spill.as_ref().map(|path| {
            let mut path = OsString::from(path);
            path.push(suffix);
            PathBuf::from(path)
        });
        Keep { head: self.head, tail: self.tail, spill, spill_max: self.spill_max }
    }
}

/// Lets the command run and gives it what it reads.
async fn open_gate(mut gate: Sender, stdin: Vec<u8>) {
    // A command that does not read all of it is free not to.
    if gate.write_all(b"\n").await.is_ok() {
        let _ = gate.write_all(&stdin).await;
    }
}

/// Our ends of a child's streams.
pub(super) struct Pipes {
    pub(super) stdin: Sender,
    pub(super) stdout: Receiver,
    pub(super) stderr: Option<Receiver>,
}

/// The first process of a group, registered with the guardian until it is dropped.
pub(super) struct Leader {
    child: Child,
    pub(super) group: Group,
    guard: Arc<Guard>,
}

impl Leader {
    /// Starts a command as far as its gate.
    pub(super) fn start(
        guard: &Arc<Guard>,
        invocation: &Invocation,
        gate: &str,
    ) -> io::Result<(Self, Pipes)> {
        let (child, pipes) = spawn(invocation, gate)?;
        let group = Group::new(child.id())?;
        let leader = Self { child, group, guard: Arc::clone(guard) };
        guard.register(leader.id())?;
        Ok((leader, pipes))
    }

    /// Waits until the leader has ended, and leaves it unreaped: its number stays its own.
    pub(super) async fn exit(&self, ends: &mut Signals) -> io::Result<()> {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(self.group.leader()), look)?.is_none() {
            ends.recv().await;
        }
        Ok(())
    }

    fn id(&self) -> i32 {
        self.group.leader().as_raw_pid()
    }

    pub(super) async fn reap(&mut self) -> io::Result<ExitStatus> {
        let status = timeout(REAP, self.child.wait()).await.map_err(|_| {
            let text = format!("process {} does not end", self.id());
            io::Error::new(io::ErrorKind::TimedOut, text)
        })??;
        self.group.reaped();
        Ok(status)
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.group.signal(Signal::KILL);
        self.guard.release(self.id());
    }
}

fn spawn(invocation: &Invocation, gate: &str) -> io::Result<(Child, Pipes)> {
    let cwd = &invocation.cwd;
    let path = invocation.env.get("PATH").map(OsStr::new);
    let mut command = match &invocation.what {
        What::Shell(script) => shell_command(gate, script, invocation),
        What::Program(program, args) => {
            let found = located(program.as_ref(), path, cwd).ok_or_else(|| {
                let text = format!("there is no program `{program}`");
                io::Error::new(io::ErrorKind::NotFound, text)
            })?;
            let mut command = before(gate, &found);
            command.args(args);
            command
        }
    };
    command.current_dir(cwd).env_clear().envs(&invocation.env).process_group(0);
    let (stdin, stdin_ours) = io::pipe()?;
    let (stdout_ours, stdout) = io::pipe()?;
    let mut stderr_ours = None;
    if invocation.merge_stderr {
        command.stderr(stdout.try_clone()?);
    } else {
        let (ours, stderr) = io::pipe()?;
        stderr_ours = Some(Receiver::from_owned_fd(OwnedFd::from(ours))?);
        command.stderr(stderr);
    }
    command.stdin(Stdio::from(stdin)).stdout(stdout);
    let pipes = Pipes {
        stdin: Sender::from_owned_fd(OwnedFd::from(stdin_ours))?,
        stdout: Receiver::from_owned_fd(OwnedFd::from(stdout_ours))?,
        stderr: stderr_ours,
    };
    // `command` holds the child's ends: it is dropped here, or the output would never end.
    let child = command.spawn().map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot run a command in `{}`: {error}", cwd.display()),
        )
    })?;
    Ok((child, pipes))
}

/// Returns the gate as a process of its own, which becomes `program`.
fn before(gate: &str, program: &Path) -> tokio::process::Command {
    let mut command = tokio::process::Command::new("/bin/sh");
    command.args(["-c", &format!("{gate}{BECOME}"), "sh"]).arg(program);
    command
}

fn shell_command(gate: &str, script: &str, invocation: &Invocation) -> tokio::process::Command {
    let path = invocation.env.get("PATH").map(OsStr::new);
    let shell = shell(path, &invocation.cwd);
    let name = shell.file_name().unwrap_or_default().to_owned();
    // Bash runs that file before the first statement, and so before a gate inside the script.
    let mut command = if invocation.env.contains_key("BASH_ENV") {
        let mut command = before(gate, &shell);
        command.args(["-c", script]);
        command
    } else {
        let mut command = tokio::process::Command::new(shell);
        // On the first line, so that line numbers in messages are the script's own.
        command.arg("-c").arg(format!("{gate}{script}"));
        command
    };
    command.arg(name);
    command
}

/// Returns bash as commands find it in `path`, seen from `cwd`; or what there is.
pub fn shell(path: Option<&OsStr>, cwd: &Path) -> PathBuf {
    located("bash".as_ref(), path, cwd)
        .or_else(|| located("/bin/bash".as_ref(), None, cwd))
        .unwrap_or_else(|| "/bin/sh".into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ran(command: &tokio::process::Command, stdin: Stdio) -> (Option<i32>, String) {
        let command = command.as_std();
        let mut again = std::process::Command::new(command.get_program());
        let done = again.args(command.get_args()).stdin(stdin).output().unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    }

    #[test]
    fn a_gate_that_nobody_opens_lets_nothing_through() {
        for gate in [GATE, GATE_NO_STDIN] {
            let invocation = |env| Invocation {
                what: What::Shell(String::new()),
                cwd: "/".into(),
                env,
                stdin: Vec::new(),
                merge_stderr: true,
            };
            let bash_env = [("BASH_ENV".to_owned(), "/dev/null".to_owned())].into();
            let mut program = before(gate, Path::new("/bin/echo"));
            program.arg("ran");
            let script = "echo ran\necho ran";
            for command in [
                program,
                shell_command(gate, script, &invocation(BTreeMap::new())),
                shell_command(gate, script, &invocation(bash_env)),
            ] {
                assert_eq!(ran(&command, Stdio::null()), (Some(125), String::new()));
                let (line, ours) = io::pipe().unwrap();
                io::Write::write_all(&mut &ours, b"\n").unwrap();
                drop(ours);
                let (code, text) = ran(&command, line.into());
                assert!(code == Some(0) && text.starts_with("ran\n"), "{code:?} {text}");
            }
        }
    }
}
