//! Child processes: how they start, what they may take, and that they end.
//!
//! Each child leads a process group of its own, so that a Ctrl-C of the terminal reaches agentlua
//! first, and so that a whole tree can be ended. Nothing here uses `pre_exec`: with it the standard
//! library forks instead of `posix_spawn`, which costs hundreds of milliseconds in a large process.
//!
//! Commands of agents and scripts go through [`Processes`]: they have limits, and the [`guardian`]
//! ends them when the host is gone; so it does with a [`Service`], which runs until it is ended. Programs of
//! the host itself go through [`output()`]. A run in the [`background`] outlives whoever started it.

pub mod alive;
pub mod background;
pub mod capture;
pub mod env;
mod group;
pub mod guardian;
mod locate;
pub mod output;
pub mod run;
pub mod seclusion;
pub mod service;

pub use capture::{Captured, Spill};
pub use guardian::{GUARDIAN_ARG, guardian_main};
pub use locate::own_program;
pub use output::{Command, Output, output};
pub use run::{Ended, Finished, Invocation, Limits, Processes, What, shell};
pub use seclusion::secluded;
pub use service::{LastWords, Service};

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
