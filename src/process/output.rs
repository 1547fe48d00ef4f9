//! Programs of the host itself (git): run to the end, output kept whole.
//!
//! The guardian does not know them: git that is killed in the middle of a merge or a checkout leaves
//! locks and half a tree behind, while git that is left alone ends by itself, in order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

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
    /// The file it reads instead, from its beginning.
    pub input: Option<Arc<File>>,
    /// An empty file that it is to hold open for as long as it runs: its standard input, when it has
    /// nothing else to read.
    pub lifeline: Option<Arc<File>>,
    /// How many bytes it may write to standard output, if not as many as it likes.
    pub most: Option<u64>,
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
/// When it cannot be started, is not done after `limit`, or writes more than it may
/// ([`io::ErrorKind::FileTooLarge`]); it is then killed.
pub async fn output(command: Command, limit: Duration) -> io::Result<Output> {
    let program = located(&command.program, std::env::var_os("PATH").as_deref(), Path::new("."));
    let mut child = tokio::process::Command::new(program.unwrap_or(command.program.into()));
    child.args(&command.args).env_clear().envs(&command.env).process_group(0);
    if let Some(cwd) = &command.cwd {
        child.current_dir(cwd);
    }
    child.stdin(match (&command.input, &command.lifeline) {
        (Some(file), _) => {
            (&**file).rewind()?;
            file.try_clone()?.into()
        }
        _ if !command.stdin.is_empty() => Stdio::piped(),
        (None, Some(file)) => file.try_clone()?.into(),
        (None, None) => Stdio::null(),
    });
    child.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn()?;
    let mut group = Group::new(child.id())?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A program that does not read all of it says why on its own standard error.
            let _ = stdin.write_all(&command.stdin).await;
        }
        Ok(())
    };
    let run = async {
        tokio::try_join!(feed, whole(stdout, command.most), whole(stderr, None), child.wait())
    };
    let done = tokio::time::timeout(limit, run).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("not done after {} s", limit.as_secs()))
    })?;
    let ((), stdout, stderr, status) = done?;
    group.reaped();
    Ok(Output { code: status.code(), signal: status.signal(), stdout, stderr })
}

/// Reads to the end, or fails beyond `most` bytes.
async fn whole(stream: Option<impl AsyncRead + Unpin>, most: Option<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Some(stream) = stream else { return Ok(bytes) };
    let most = most.unwrap_or(u64::MAX - 1);
    stream.take(most + 1).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 > most {
        let why = format!("it wrote more than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        Command {
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            ..Command::default()
        }
    }

    #[tokio::test]
    async fn output_is_whole_and_the_environment_is_what_was_said() {
        let command = Command { stdin: b"in".to_vec(), ..sh("cat; echo \"[$HOME]\" >&2; exit 3") };
        let done = output(command, Duration::from_mins(1)).await.unwrap();
        assert_eq!(
            (done.code, done.stdout, done.stderr),
            (Some(3), b"in".to_vec(), b"[]\n".to_vec())
        );
    }

    #[tokio::test]
    async fn what_writes_more_than_it_may_is_ended() {
        let few = Command { most: Some(3), ..sh("printf abc") };
        assert_eq!(output(few, Duration::from_mins(1)).await.unwrap().stdout, b"abc");
        let endless = Command { most: Some(3), ..sh("while :; do echo x; done") };
        let error = output(endless, Duration::from_mins(1)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut command = sh("sleep 300 > fifo & echo started > fifo; wait");
        command.cwd = Some(dir.path().to_owned());
        command.env.insert("PATH".into(), path.into());
        // Reads until the last writer is gone.
        let reader = tokio::task::spawn_blocking(move || std::fs::read_to_string(fifo).unwrap());
        let error = output(command, Duration::from_secs(2)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(reader.await.unwrap(), "started\n");
    }
}
