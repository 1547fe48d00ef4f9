//! Programs of the host itself (git): run to the end, output kept whole.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::group::Group;
use super::locate::located;

/// A program to run, with nothing inherited but what is said here.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// The program, looked up in the host's own `PATH`.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Where it runs.
    pub cwd: Option<PathBuf>,
    /// Its whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// What it reads.
    pub stdin: Vec<u8>,
}

/// How a program ended and what it wrote.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code, absent when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

/// Runs `command` to its end, in its own process group; dropping the future kills the group.
///
/// # Errors
/// When it cannot be started, or is not done after `limit` (it is then killed).
pub async fn output(command: Command, limit: Duration) -> io::Result<Output> {
    let program = located(&command.program, std::env::var_os("PATH").as_deref(), Path::new("."));
    let mut child = tokio::process::Command::new(program.unwrap_or(command.program.into()));
    child.args(&command.args).env_clear().envs(&command.env).process_group(0);
    if let Some(cwd) = &command.cwd {
        child.current_dir(cwd);
    }
    child.stdin(if command.stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
    child.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn()?;
    let mut group = Group::new(child.id())?;
    let stdin = child.stdin.take();
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A program that does not read all of it says why on its own standard error.
            let _ = stdin.write_all(&command.stdin).await;
        }
    };
    let run = async { tokio::join!(feed, child.wait_with_output()).1 };
    let done = tokio::time::timeout(limit, run).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("not done after {} s", limit.as_secs()))
    })??;
    group.reaped();
    Ok(Output {
        code: done.status.code(),
        signal: done.status.signal(),
        stdout: done.stdout,
        stderr: done.stderr,
    })
}
