//! Child processes: how they start, what they may take, and that they end.
//!
//! Each child leads a process group of its own, so that a Ctrl-C of the terminal reaches agentlua
//! first, and so that a whole tree can be ended. Nothing here uses `pre_exec`: with it the standard
//! library forks instead of `posix_spawn`, which costs hundreds of milliseconds in a large process.

pub mod output;

/// To be written.
pub struct Processes;

pub use output::{Command, Output, output};
