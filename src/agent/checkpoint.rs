//! Snapshots of the work so far: one after each turn that wrote, taken while the model thinks about
//! its next.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::error::Result;
use crate::event::Events;
use crate::git::{Touched, Worktree};
use crate::workspace::disk::Disk;

/// Takes an agent's snapshots, one at a time.
pub(super) struct Checkpoints {
    worktree: Worktree,
    disk: Arc<Disk>,
    events: Events,
    under_way: Option<JoinHandle<Result<Option<String>>>>,
    /// What a snapshot that failed was to hold.
    missed: Option<Touched>,
    warned: bool,
}

impl Checkpoints {
    pub(super) fn new(worktree: Worktree, disk: Arc<Disk>, events: Events) -> Self {
        Self { worktree, disk, events, under_way: None, missed: None, warned: false }
    }

    /// Lets the first snapshot take in everything.
    pub(super) fn missing_all(self) -> Self {
        Self { missed: Some(Touched::Anything), ..self }
    }

    /// Begins the snapshot of a turn whose calls have ended. `swept` says that more than the file
    /// tools may have written.
    pub(super) fn begin(&mut self, turn: u32, swept: bool) {
        let paths: Vec<PathBuf> = self.disk.take_written();
        if paths.is_empty() && !swept {
            return;
        }
        let touched = match self.missed.take() {
            None if !swept => Touched::Paths(paths),
            _ => Touched::Anything,
        };
        let worktree = self.worktree.clone();
        let step = async move { worktree.snapshot_turn(turn, touched).await };
        self.under_way = Some(tokio::spawn(step));
    }

    /// Waits for the snapshot that is under way: nothing may write meanwhile.
    pub(super) async fn settled(&mut self) {
        let Some(step) = &mut self.under_way else { return };
        // Taken out only then: who stops waiting, as a cancelled turn does, leaves it to be waited for by
        // who takes the work in, with the same index.
        let ended = step.await;
        self.under_way = None;
        let Ok(Err(error)) = ended else { return };
        // The next one takes in everything that this one should have.
        self.missed = Some(Touched::Anything);
        // Where the folder was deleted, that is told at the end.
        if self.worktree.path().is_dir() && !std::mem::replace(&mut self.warned, true) {
            let id = self.worktree.id();
            self.events.warn(format!("{id}: {error:#}; its files are only in its worktree"));
        }
    }
}
