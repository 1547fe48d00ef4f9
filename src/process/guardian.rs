//! The guardian: one small process beside the host that outlives a `kill -9` of it, and then ends
//! every command that still runs.
//!
//! It holds the read end of a pipe whose only write end is in the host. The host says `+7001` when
//! the group 7001 may run and `-7001` when it has ended; end of file means that the host is gone.
//! What was written before the end is still read, so a group is safe from the moment that
//! [`Guard::register`] returns. The write end is close-on-exec: a child that held it would keep the
//! guardian waiting for ever.

use std::collections::BTreeSet;
use std::io::{self, BufRead, PipeWriter, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// The argument that makes our binary a guardian.
pub const GUARDIAN_ARG: &str = "__guardian";

/// Is the guardian: reads standard input to its end, kills what is left, returns an exit code.
///
/// The binary calls it when its first argument is [`GUARDIAN_ARG`].
pub fn guardian_main() -> i32 {
    let mut groups = BTreeSet::new();
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Some((sign, id)) = line.split_at_checked(1) else { continue };
        // 1 is init, and no group of ours.
        let Some(id) = id.parse().ok().filter(|id: &i32| *id > 1) else { continue };
        match sign {
            "+" => groups.insert(id),
            "-" => groups.remove(&id),
            _ => false,
        };
    }
    for group in groups.into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    0
}

/// The host's side: knows the live groups and keeps a guardian that knows them too.
pub(super) struct Guard {
    program: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    link: Option<Link>,
    groups: BTreeSet<i32>,
}

impl Guard {
    /// Makes a guard that starts `program` as the guardian when it is first needed.
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program, state: Mutex::default() }
    }

    /// Makes sure that `group` dies with the host.
    pub(super) fn register(&self, group: i32) -> io::Result<()> {
        let mut state = self.state();
        state.groups.insert(group);
        if state.link.as_mut().is_some_and(|link| link.say('+', group).is_ok()) {
            return Ok(());
        }
        // There is none yet, or somebody killed it: a new one learns of every live group.
        state.link = None;
        let link = Link::start(&self.program).and_then(|mut link| {
            state.groups.iter().try_for_each(|group| link.say('+', *group))?;
            Ok(link)
        });
        match link {
            Ok(link) => {
                state.link = Some(link);
                Ok(())
            }
            Err(error) => {
                state.groups.remove(&group);
                let program = self.program.display();
                Err(io::Error::new(
                    error.kind(),
                    format!("cannot start the guardian `{program} {GUARDIAN_ARG}`: {error}"),
                ))
            }
        }
    }

    /// Notes that `group` has ended.
    pub(super) fn release(&self, group: i32) {
        let mut state = self.state();
        let known = state.groups.remove(&group);
        if known && state.link.as_mut().is_some_and(|link| link.say('-', group).is_err()) {
            // A guardian that does not listen would kill a number that is no longer ours.
            state.link = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn guardian(&self) -> Option<Pid> {
        self.state().link.as_ref().map(|link| Pid::from_child(&link.process))
    }

    #[cfg(test)]
    pub(super) fn groups(&self) -> Vec<i32> {
        self.state().groups.iter().copied().collect()
    }
}

/// A running guardian.
struct Link {
    pipe: PipeWriter,
    process: Child,
}

impl Link {
    fn start(program: &PathBuf) -> io::Result<Self> {
        let (reader, pipe) = io::pipe()?;
        // A guardian that somebody has stopped must not stop the host too.
        rustix::io::ioctl_fionbio(&pipe, true)?;
        // No environment: it holds the host's keys, and a process's environment can be read.
        // A group of its own: the terminal's Ctrl-C is for the host.
        let process = Command::new(program)
            .arg(GUARDIAN_ARG)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { pipe, process })
    }

    fn say(&mut self, sign: char, group: i32) -> io::Result<()> {
        // One short write: whole or not at all.
        self.pipe.write_all(format!("{sign}{group}\n").as_bytes())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Killed, not asked: groups that still live have moved to another guardian.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes the test binary a guardian: started as `binary __guardian` it runs this test alone.
    #[test]
    fn __guardian() {
        if std::env::args().nth(1).as_deref() == Some(GUARDIAN_ARG) {
            guardian_main();
        }
    }
}
