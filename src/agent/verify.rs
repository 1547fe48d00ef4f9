//! Whether the work is good: a command of the project's own or a function of the script, asked when
//! the agent says that it is done.

use std::sync::Arc;

use super::function::Function;

/// How work is verified.
#[derive(Clone)]
pub struct Verify {
    /// What decides.
    pub by: Check,
    /// How often it runs at most.
    pub attempts: u32,
}

/// What decides whether work is good.
#[derive(Clone)]
pub enum Check {
    /// A shell command in the worktree; exit code 0 is good.
    Command(String),
    /// A function of the script.
    Function(Arc<dyn Function>),
}
