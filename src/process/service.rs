//! A program that runs beside its owner and is talked to through its standard input and output,
//! until it is ended or dropped; then its whole process group ends, as that of a command does.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use rustix::process::Signal;

use super::run::{GATE, GRACE, Invocation, Leader, Processes};

/// How much of what it writes to standard error is kept, from the end.
const KEPT: usize = 4 * 1024;
/// How long the last words of a program that has ended are waited for.
const LISTEN: Duration = Duration::from_secs(2);
/// How long it has to end by itself once nobody writes to it.
const FAREWELL: Duration = Duration::from_millis(500);

/// A program that runs.
pub struct Service {
    leader: Leader,
    words: LastWords,
    _reader: AbortOnDropHandle<()>,
}

/// The last of what a program wrote to standard error; clones tell of the same program.
#[derive(Clone, Debug)]
pub struct LastWords {
    kept: Arc<Mutex<Vec<u8>>>,
    /// Cancelled when there is no more to come.
    over: CancellationToken,
}

impl LastWords {
    /// Makes those of somebody who says nothing.
    pub fn none() -> Self {
        let none = Self::awaited();
        none.over.cancel();
        none
    }

    fn awaited() -> Self {
        Self { kept: Arc::default(), over: CancellationToken::new() }
    }

    /// Returns them, at most 4 KiB, once the program has closed standard error or has had two seconds
    /// for it.
    pub async fn heard(&self) -> String {
        // Somebody else may hold the pipe open.
        let _ = timeout(LISTEN, self.over.cancelled()).await;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let end = kept.len().saturating_sub(KEPT);
        String::from_utf8_lossy(&kept[end..]).trim().to_owned()
    }

    /// Reads a pipe to its end, and keeps the last of it.
    async fn keep(self, pipe: Option<Receiver>) {
        let _over = self.over.drop_guard_ref();
        let Some(mut pipe) = pipe else { return };
        let mut buffer = Vec::with_capacity(8 * 1024);
        while let Ok(1..) = pipe.read_buf(&mut buffer).await {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.append(&mut buffer);
            // Trimmed seldom, so that each byte is moved about once.
            if kept.len() > 2 * KEPT {
                let surplus = kept.len() - KEPT;
                kept.drain(..surplus);
            }
        }
    }
}

impl Processes {
    /// Starts a program that is served by the caller: returns it with the pipe that it reads and the
    /// pipe that it writes. What the invocation says of standard input and error does not count.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn serve(&self, invocation: Invocation) -> io::Result<(Service, Sender, Receiver)> {
        let invocation = Invocation { merge_stderr: false, ..invocation };
        let (leader, mut pipes) = Leader::start(&self.guard, &invocation, GATE)?;
        let words = LastWords::awaited();
        let reader = tokio::spawn(words.clone().keep(pipes.stderr));
        pipes.stdin.write_all(b"\n").await?;
        let service = Service { leader, words, _reader: AbortOnDropHandle::new(reader) };
        Ok((service, pipes.stdin, pipes.stdout))
    }
}

impl Service {
    /// Returns what tells its last words.
    pub fn last_words(&self) -> LastWords {
        self.words.clone()
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&self) {
        // Listens before it looks, so that no end is missed.
        if let Ok(mut ends) = signal(SignalKind::child()) {
            let _ = self.leader.exit(&mut ends).await;
        }
    }

    /// Ends it, and returns its last words: leaves it half a second to end by itself, as its input is closed by now, then sends
    /// TERM, then KILL to whatever is left of its group.
    pub async fn end(mut self) -> String {
        if timeout(FAREWELL, self.ended()).await.is_err() {
            self.leader.group.signal(Signal::TERM);
            let _ = timeout(GRACE, self.ended()).await;
        }
        self.leader.group.signal(Signal::KILL);
        // A process that KILL does not end is beyond help here.
        let _ = self.leader.reap().await;
        self.words.heard().await
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::super::alive;
    use super::super::run::What;
    use super::*;

    async fn started(script: &str) -> (Service, Sender, BufReader<Receiver>) {
        let processes = Processes::new(std::env::current_exe().unwrap());
        let path = std::env::var("PATH").unwrap();
        let invocation = Invocation {
            what: What::Shell(script.to_owned()),
            cwd: "/".into(),
            env: [("PATH".to_owned(), path)].into(),
            stdin: Vec::new(),
            merge_stderr: true,
        };
        let (service, stdin, stdout) = processes.serve(invocation).await.unwrap();
        (service, stdin, BufReader::new(stdout))
    }

    async fn line(stdout: &mut BufReader<Receiver>) -> String {
        let mut line = String::new();
        stdout.read_line(&mut line).await.unwrap();
        line.trim().to_owned()
    }

    #[tokio::test]
    async fn it_answers_and_ends_when_its_input_ends() {
        let script = "echo up >&2; while read -r word; do echo \"<$word>\"; done; echo bye >&2";
        let (service, mut stdin, mut stdout) = started(script).await;
        stdin.write_all(b"a\n").await.unwrap();
        assert_eq!(line(&mut stdout).await, "<a>");
        drop(stdin);
        service.ended().await;
        let words = service.last_words();
        assert_eq!(words.heard().await, "up\nbye");
        assert_eq!(service.end().await, "up\nbye");
    }

    #[tokio::test]
    async fn one_that_does_not_listen_is_ended_with_what_it_started() {
        let script = "trap '' TERM; sleep 300 & echo $!; while :; do sleep 1; done";
        for dropped in [false, true] {
            let (service, stdin, mut stdout) = started(script).await;
            let child = line(&mut stdout).await.parse().unwrap();
            assert!(alive::exists(child));
            drop(stdin);
            if dropped {
                drop(service);
            } else {
                service.end().await;
            }
            // Its new parent takes a moment to bury it.
            while alive::exists(child) && !is_zombie(child) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    fn is_zombie(id: u32) -> bool {
        std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    }

    #[tokio::test]
    async fn much_on_standard_error_is_read_and_its_end_kept() {
        let script = "head -c 10000000 /dev/zero | tr '\\0' x >&2; echo end >&2; echo done";
        let (service, _stdin, mut stdout) = started(script).await;
        assert_eq!(line(&mut stdout).await, "done");
        let words = service.end().await;
        assert!(words.ends_with("xend") && words.len() <= KEPT);
    }
}
