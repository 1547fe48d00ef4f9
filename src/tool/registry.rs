//! The tools of an agent, in the order in which the model is told of them.

use std::sync::Arc;

use serde_json::Value;

use super::bash::Bash;
use super::edit::Edit;
use super::glob::Glob;
use super::grep::Grep;
use super::read::Read;
use super::write::Write;
use super::{Context, Tool, ToolError, ToolOutput};

/// An ordered set of tools; cheap to clone.
#[derive(Clone, Default)]
pub struct Registry(Vec<Arc<dyn Tool>>);

impl Registry {
    /// Makes a registry of these tools.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self(tools)
    }

    /// Returns the tools that every agent can be offered.
    pub fn builtin() -> Self {
        let (read, write, edit) = (Arc::new(Read), Arc::new(Write), Arc::new(Edit));
        Self(vec![read, write, edit, Arc::new(Bash), Arc::new(Glob), Arc::new(Grep)])
    }

    /// Returns the names of the built-in tools that an agent has only when its rules list them;
    /// `Agent` is made by the agent layer.
    pub fn optional() -> [&'static str; 2] {
        ["WebFetch", "Agent"]
    }

    /// Adds a tool at the end.
    pub fn add(&mut self, tool: Arc<dyn Tool>) {
        self.0.push(tool);
    }

    /// Leaves only the tools that `keep` approves of.
    pub fn retain(&mut self, mut keep: impl FnMut(&dyn Tool) -> bool) {
        self.0.retain(|tool| keep(&**tool));
    }

    /// Returns the tools, in order.
    pub fn tools(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.0.iter()
    }

    /// Returns the names of the built-in tools.
    pub fn builtin_names() -> impl Iterator<Item = String> {
        Self::builtin().0.into_iter().map(|tool| tool.name().to_owned())
    }

    /// Returns the tool `name`.
    pub fn tool(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.0.iter().find(|tool| tool.name() == name)
    }

    /// Runs a call of the tool `name`; a name that nothing has is answered with those that there
    /// are.
    pub async fn call(&self, name: &str, input: Value, context: &Context) -> ToolOutput {
        let Some(tool) = self.tool(name) else {
            let names: Vec<_> = self.0.iter().map(|tool| tool.name()).collect();
            let names = names.join(", ");
            return Err(ToolError::reply(format!("there is no tool `{name}`; there are: {names}")));
        };
        tool.call(input, context).await
    }
}
