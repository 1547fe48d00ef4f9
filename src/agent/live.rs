//! An agent while it lives, as handles on it and its siblings see it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::function::Role;
use super::inbox::Inbox;

/// What is known of an agent while it lives, for handles on it.
#[derive(Debug, Default)]
pub struct Live {
    /// Its id, once it has one.
    pub id: OnceLock<String>,
    /// Its branch, once it has one.
    pub branch: OnceLock<String>,
    /// What it is told while it works.
    pub inbox: Inbox,
    /// Whether it has left the queue.
    pub working: AtomicBool,
    /// The turn that is under way.
    pub turn: AtomicU32,
    /// Calls of the script's functions: the turn of the last one, and how many of each role were in that.
    calls: Mutex<(u32, [u32; Role::COUNT])>,
    /// Whether somebody outside of the script has stopped it.
    pub stopped: AtomicBool,
    /// Counts it among the agents that want a worktree.
    wanting: Mutex<Option<Wanting>>,
}

impl Live {
    /// Notes that the agent has its ground, or cannot get one: it waits for none any more.
    pub(super) fn has_ground(&self) {
        drop(self.wanting.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Numbers a call of one of the script's functions: its turn, and its number among those of its role
    /// in that, from 1. A replay has none of the model's, so the others must not count them.
    pub fn next_call(&self, role: Role) -> (u32, u32) {
        let turn = self.turn.load(Ordering::Relaxed);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.0 != turn {
            *calls = (turn, [0; Role::COUNT]);
        }
        let number = &mut calls.1[role as usize];
        *number += 1;
        (turn, *number)
    }

    /// Keeps an agent among those that will want a worktree, until it has one or is no more.
    pub fn expects_worktree(&self, wanting: Wanting) {
        *self.wanting.lock().unwrap_or_else(PoisonError::into_inner) = Some(wanting);
    }
}

/// An agent that will want a worktree, as long as it is kept.
#[derive(Debug)]
pub struct Wanting(Arc<AtomicUsize>);

impl Wanting {
    /// Counts one more.
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Wanting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
