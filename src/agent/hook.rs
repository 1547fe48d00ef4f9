//! Functions of the script that are told of steps of an agent, and may change or stop them.

use std::sync::Arc;

use super::function::Function;

/// The hooks of one agent; absent where the script gave none.
#[derive(Clone, Default)]
pub struct Hooks {
    /// Before a tool runs.
    pub pre_tool_use: Option<Arc<dyn Function>>,
    /// After a tool ran.
    pub post_tool_use: Option<Arc<dyn Function>>,
    /// When the agent says that it is done.
    pub stop: Option<Arc<dyn Function>>,
}
