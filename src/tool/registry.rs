//! The tools of an agent, in the order in which the model is told of them.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::bash::Bash;
use super::edit::Edit;
use super::glob::Glob;
use super::grep::Grep;
use super::read::Read;
use super::write::Write;
use super::{Context, Tool, ToolError, ToolOutput};

/// A tool as a model is told of it.
#[derive(Clone, Debug, Serialize)]
pub struct Spec {
    /// The name that calls use.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// A JSON Schema of an object.
    pub input_schema: Value,
}

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

    /// Returns what the model is told, in order.
    pub fn specs(&self) -> Vec<Spec> {
        let spec = |tool: &Arc<dyn Tool>| Spec {
            name: tool.name().to_owned(),
            description: tool.description().to_owned(),
            input_schema: tool.input_schema(),
        };
        self.0.iter().map(spec).collect()
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
