//! A process group that is killed when its owner lets go of it.
//!
//! A group id may be signalled only while its leader is not reaped: after that the number can belong
//! to somebody else. Whoever reaps the leader says so with [`Group::reaped`].

use std::io;

use rustix::process::{Pid, Signal, kill_process_group};

/// A group, named by its leader.
pub(super) struct Group {
    leader: Pid,
    live: bool,
}

impl Group {
    /// Takes the group whose leader has the process id `id`.
    pub(super) fn new(id: Option<u32>) -> io::Result<Self> {
        let leader = id.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let leader = leader.ok_or_else(|| io::Error::other("the child has no process id"))?;
        Ok(Self { leader, live: true })
    }

    /// Returns the process that the group is named after.
    pub(super) fn leader(&self) -> Pid {
        self.leader
    }

    /// Sends `signal` to every member. A group that has just ended is no fault.
    pub(super) fn signal(&self, signal: Signal) {
        if self.live {
            let _ = kill_process_group(self.leader, signal);
        }
    }

    /// Notes that the leader is reaped: the group is never signalled again.
    pub(super) fn reaped(&mut self) {
        self.live = false;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
