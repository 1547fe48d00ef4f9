//! One tool of a server, as the agent calls it.

use std::time::Duration;

use futures_util::future::BoxFuture;
use rmcp::RoleClient;
use rmcp::model::{CallToolRequestParams, Tool as Described};
use rmcp::service::{Peer, ServiceError};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::content;
use super::link::told;
use crate::process::LastWords;
use crate::tool::{Context, Tool, ToolError, ToolOutput};

/// The longest time of one call.
const CALL_LIMIT: Duration = Duration::from_mins(10);
/// How many characters of a description the model is told.
const DESCRIPTION_CHARS: usize = 2_000;

/// A tool of a server.
pub(super) struct Remote {
    server: String,
    name: String,
    original: String,
    description: String,
    schema: Value,
    read_only: bool,
    peer: Peer<RoleClient>,
    words: LastWords,
}

impl Remote {
    /// Takes a tool as the server describes it.
    pub(super) fn new(
        server: &str,
        tool: Described,
        peer: Peer<RoleClient>,
        words: LastWords,
    ) -> Self {
        let description = tool.description.unwrap_or_default();
        let description = match description.char_indices().nth(DESCRIPTION_CHARS) {
            Some((cut, _)) => format!("{}…", &description[..cut]),
            None => description.into_owned(),
        };
        let mut schema = Value::Object(tool.input_schema.as_ref().clone());
        // Providers want this word, and servers forget it for tools without arguments.
        if schema.get("type").is_none() {
            schema["type"] = json!("object");
        }
        Self {
            server: server.to_owned(),
            name: String::new(),
            original: tool.name.into_owned(),
            description,
            schema,
            read_only: tool.annotations.and_then(|hints| hints.read_only_hint).unwrap_or(false),
            peer,
            words,
        }
    }

    /// Returns the server's name.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Returns the name that the server has for it.
    pub(super) fn original(&self) -> &str {
        &self.original
    }

    /// Sets the name that the model is told.
    pub(super) fn set_name(&mut self, name: String) {
        self.name = name;
    }

    /// Says what a failed request means for the model.
    async fn failure(&self, error: &ServiceError) -> ToolError {
        let mut told = format!("the MCP server `{}` failed: {}", self.server, told(error));
        if let ServiceError::TransportClosed = error {
            let words = self.words.heard().await;
            if !words.is_empty() {
                told.extend([":\n", &words]);
            }
        }
        ToolError::Reply(told)
    }
}

impl Tool for Remote {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn input_schema(&self) -> Value {
        self.schema.clone()
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn summary(&self, input: &Value) -> String {
        input.to_string()
    }

    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        Box::pin(async move {
            let mut params = CallToolRequestParams::new(self.original.clone());
            if let Value::Object(arguments) = input {
                params = params.with_arguments(arguments);
            }
            let called = timeout(CALL_LIMIT, self.peer.call_tool(params));
            // A call that is given up is called off: the server is told.
            match context.cancel.run_until_cancelled(called).await {
                None => Err(ToolError::reply("cancelled before it was done")),
                Some(Err(_)) => Err(ToolError::Reply(format!(
                    "the MCP server `{}` did not answer within {} minutes",
                    self.server,
                    CALL_LIMIT.as_secs() / 60
                ))),
                Some(Ok(Err(error))) => Err(self.failure(&error).await),
                Some(Ok(Ok(result))) => content::output(result, context.sees),
            }
        })
    }
}
