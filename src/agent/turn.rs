//! The calls of one turn: run once there is consent, those that only read side by side, the others
//! one after the other, and one result for each whatever happens.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::consent::Consent;
use super::history;
use super::hook::Point;
use super::outcome::Denial;
use super::session::Session;
use super::structured;
use crate::error::Error;
use crate::event::{Event, ToolSummary};
use crate::model::{Reply, ToolCall, ToolResult};
use crate::tool::{Output, ToolError, ToolOutput};

/// The longest argument shown for a call.
const SUMMARY_WIDTH: usize = 60;

/// Tools that run also where the recorded results of the others are used.
const RUN_ALWAYS: [&str; 6] = ["Read", "Write", "Edit", "Glob", "Grep", structured::TOOL];

/// What one call came to.
struct Answered {
    result: ToolResult,
    denial: Option<Denial>,
    /// Why the agent ends with it, if it does.
    ends: Option<Error>,
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
        let mut failed = None;
        let mut rest = reply.calls.as_slice();
        while let Some(first) = rest.first() {
            let together = rest.iter().take_while(|call| self.only_reads(call)).count();
            let (batch, after) = rest.split_at(together.max(1));
            rest = after;
            let this = &*self;
            let came = if together > 1 {
                join_all(batch.iter().map(|call| this.run_call(call))).await
            } else {
                vec![self.run_call(first).await]
            };
            for one in came {
                match one {
                    Ok(one) => answered.push(one),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            if failed.is_some() || answered.iter().any(|one: &Answered| one.ends.is_some()) {
                break;
            }
        }
        // Also of a turn that ends the agent.
        self.denials.extend(answered.iter_mut().filter_map(|one| one.denial.take()));
        if let Some(error) = failed {
            return Err(error);
        }
        let swept = reply.calls.iter().any(|call| self.sweeps(call));
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.begin(self.turns, swept);
        }
        let mut results = Vec::with_capacity(answered.len());
        let mut ends = None;
        for one in answered {
            ends = ends.or(one.ends);
            results.push(one.result);
        }
        ends.map_or(Ok(results), Err)
    }

    /// Answers a reply that was cut off from its results: none of its calls runs again, save that which
    /// only gives the final answer.
    ///
    /// # Errors
    /// As [`Self::run_calls`].
    pub(super) async fn cut_off(&mut self, reply: &Reply) -> Result<Vec<ToolResult>, Error> {
        let mut results = history::interrupted(reply);
        let Some(structured) = self.structured.clone() else { return Ok(results) };
        for (call, result) in reply.calls.iter().zip(&mut results) {
            if structured.takes(&call.name) {
                *result = self.run_call(call).await?.result;
            }
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
        let (output, denial, ends) = match self.consent(call).await? {
            Consent::Given { input, beside } => {
                let output = if let Some(recorded) = self.recorded(call).await? {
                    // All that the model was told then, the words of hooks among it.
                    recorded
                } else {
                    let output = self.tools.call(&call.name, input.clone(), &self.context).await;
                    self.heard(call, &input, output, beside).await?
                };
                (output, None, None)
            }
            Consent::Refused { told, denial, ends } => (Err(ToolError::Reply(told)), denial, ends),
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
        Ok(Answered { result, denial, ends })
    }

    /// Returns what a call came to when the run was recorded, where that stands for running it. Tools
    /// that only touch the agent's files run all the same, so that its work is there; so does the one
    /// that takes its answer.
    async fn recorded(&self, call: &ToolCall) -> Result<Option<ToolOutput>, Error> {
        if RUN_ALWAYS.contains(&&*call.name) {
            return Ok(None);
        }
        let (model, caller) = (self.model(), self.caller());
        let Some(recorded) = model.recorded(&caller, &call.id) else { return Ok(None) };
        let ToolResult { content, is_error, .. } = recorded.await?;
        Ok(Some(if is_error { Err(ToolError::Reply(content)) } else { Ok(content.into()) }))
    }

    /// Tells the hooks what a call came to, and returns what the model is told of it.
    async fn heard(
        &self,
        call: &ToolCall,
        input: &Value,
        output: ToolOutput,
        mut beside: Vec<String>,
    ) -> Result<ToolOutput, Error> {
        let (point, field, said) = match &output {
            Ok(output) => (Point::PostToolUse, "tool_response", output.text.clone()),
            Err(ToolError::Reply(text)) => (Point::PostToolUseFailure, "error", text.clone()),
            Err(ToolError::Fatal(_)) => return Ok(output),
        };
        let mut replaced = None;
        let told = || json!({ "tool_input": input, field: said });
        self.tell_hooks(point, Some(call), told, |output| {
            beside.extend(output.context);
            beside.extend(output.blocks);
            replaced = output.result.or(replaced.take());
            true
        })
        .await?;
        let worded = |text: String| {
            let first = replaced.unwrap_or(text);
            std::iter::once(first).chain(beside).collect::<Vec<_>>().join("\n\n")
        };
        Ok(match output {
            Ok(Output { text, media }) => Ok(Output { text: worded(text), media }),
            Err(ToolError::Reply(text)) => Err(ToolError::Reply(worded(text))),
            fatal => fatal,
        })
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
