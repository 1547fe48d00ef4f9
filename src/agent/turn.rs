//! The calls of one turn: checked against the rules, those that only read side by side, the others
//! one after the other, and one result for each whatever happens.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::Value;

use super::outcome::Denial;
use super::session::Session;
use crate::error::Error;
use crate::event::{Event, ToolSummary};
use crate::model::{Reply, ToolCall, ToolResult};
use crate::tool::registry::Registry;
use crate::tool::{Output, ToolError};

/// The longest argument shown for a call.
const SUMMARY_WIDTH: usize = 60;

/// What one call came to.
struct Answered {
    result: ToolResult,
    denial: Option<Denial>,
}

impl Session<'_> {
    /// Runs the calls of `reply`, and returns their results in the calls' order.
    ///
    /// # Errors
    /// What a tool says that the agent cannot go on with.
    pub(super) async fn run_calls(&mut self, reply: &Reply) -> Result<Vec<ToolResult>, Error> {
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.settled().await;
        }
        let mut answered = Vec::with_capacity(reply.calls.len());
        let mut rest = reply.calls.as_slice();
        while let Some(first) = rest.first() {
            let together = rest.iter().take_while(|call| self.only_reads(call)).count();
            let (batch, after) = rest.split_at(together.max(1));
            rest = after;
            if together > 1 {
                let this = &*self;
                for one in join_all(batch.iter().map(|call| this.run_call(call))).await {
                    answered.push(one?);
                }
            } else {
                answered.push(self.run_call(first).await?);
            }
        }
        let swept = reply.calls.iter().any(|call| self.sweeps(call));
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.begin(self.turns, swept);
        }
        let mut results = Vec::with_capacity(answered.len());
        for one in answered {
            self.denials.extend(one.denial);
            results.push(one.result);
        }
        Ok(results)
    }

    fn only_reads(&self, call: &ToolCall) -> bool {
        self.tools.tool(&call.name).is_some_and(|tool| tool.read_only())
    }

    /// Tells whether a call can write more than the workspace knows of.
    fn sweeps(&self, call: &ToolCall) -> bool {
        let tells = ["Write", "Edit"].contains(&&*call.name);
        !tells && self.tools.tool(&call.name).is_some_and(|tool| !tool.read_only())
    }

    async fn run_call(&self, call: &ToolCall) -> Result<Answered, Error> {
        let began = Instant::now();
        let mut denial = None;
        let output = match self.checked(call, &mut denial) {
            Ok(input) => self.tools.call(&call.name, input, &self.context).await,
            Err(refusal) => Err(ToolError::Reply(refusal)),
        };
        let (Output { text: content, media }, is_error) = match output {
            Ok(output) => (output, false),
            Err(ToolError::Reply(text)) => (text.into(), true),
            Err(ToolError::Fatal(error)) => return Err(error),
        };
        self.events.emit(Event::ToolFinished {
            agent: self.context.agent.clone(),
            turn: self.turns,
            tool: call.name.clone(),
            ok: !is_error,
            duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        let (id, name) = (call.id.clone(), call.name.clone());
        let result = ToolResult { id, name, content, media, is_error };
        Ok(Answered { result, denial })
    }

    /// Returns the input of a call that may run, or what the model is told instead.
    fn checked(&self, call: &ToolCall, denial: &mut Option<Denial>) -> Result<Value, String> {
        if !self.is_offered(&call.name) && Registry::builtin_names().any(|name| name == call.name) {
            let offered: Vec<_> = self.tools.tools().map(|tool| tool.name()).collect();
            let reason =
                format!("this agent may not use {}; it has {}", call.name, offered.join(", "));
            return Err(self.deny(call, reason, denial));
        }
        let input = match &call.input {
            Ok(input @ Value::Object(_)) => input.clone(),
            Ok(_) => return Err("the arguments are not a JSON object".to_owned()),
            Err(text) => return Err(format!("the arguments could not be read: {text}")),
        };
        if call.name == "Bash"
            && let Some(command) = input.get("command").and_then(Value::as_str)
            && let Some(reason) = self.query.rules.refusal(command)
        {
            return Err(self.deny(call, reason, denial));
        }
        Ok(input)
    }

    fn is_offered(&self, name: &str) -> bool {
        self.tools.tool(name).is_some()
    }

    /// Notes that a call is not allowed; returns what the model is told.
    fn deny(&self, call: &ToolCall, reason: String, denial: &mut Option<Denial>) -> String {
        let told = format!("denied: {reason}");
        *denial = Some(Denial {
            tool_name: call.name.clone(),
            tool_use_id: call.id.clone(),
            tool_input: call.input.clone().unwrap_or_default(),
        });
        self.events.emit(Event::ToolDenied {
            agent: self.context.agent.clone(),
            tool: call.name.clone(),
            tool_use_id: call.id.clone(),
            reason,
        });
        told
    }

    /// Returns the calls as people see them.
    pub(super) fn summaries(&self, reply: &Reply) -> Vec<ToolSummary> {
        let summary = |call: &ToolCall| {
            let argument = match (self.tools.tool(&call.name), &call.input) {
                (Some(tool), Ok(input)) => one_line(&tool.summary(input)),
                _ => String::new(),
            };
            ToolSummary { tool: call.name.clone(), argument }
        };
        reply.calls.iter().map(summary).collect()
    }
}

fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    match line.char_indices().nth(SUMMARY_WIDTH) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}
