//! A line for each turn: what it called, what that took.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::View;
use super::text::{self, Width};
use crate::agent::budget::usd;
use crate::agent::spoken::Spoken;
use crate::cli::look::Look;
use crate::cli::progress::{duration, thousands};
use crate::host::Host;
use crate::host::onlooker::{News, What};
use crate::journal::AgentRow;
use crate::model::Reply;

/// The lines, as far as they are written.
pub(super) struct Turns {
    host: Arc<Host>,
    json: bool,
    /// Whether there are several agents, so that each line names its own.
    named: bool,
    has_heading: bool,
    agents: HashMap<String, Progress>,
    width: Width,
}

/// How far an agent is.
#[derive(Default)]
struct Progress {
    turns: u32,
    /// When the model was given what it answers next.
    asked_at: i64,
    /// A turn whose calls are under way.
    turn: Option<Turn>,
}

/// A turn.
struct Turn {
    number: u32,
    model: String,
    reply: Reply,
    asked_at: i64,
}

impl Turns {
    /// Makes the lines for standard output.
    pub fn new(look: &Look, json: bool, named: bool) -> Self {
        Self {
            host: Arc::clone(&look.host),
            json,
            named,
            has_heading: false,
            agents: HashMap::new(),
            width: Width::of_stdout(),
        }
    }

    fn line(&mut self, agent: &str, turn: &Turn, until: Option<i64>) -> String {
        let Turn { number, model, reply, asked_at } = turn;
        let took = until.filter(|_| *asked_at > 0).and_then(|at| u64::try_from(at - asked_at).ok());
        let cost = self.host.price(model).map(|price| price.cost(&reply.usage));
        if self.json {
            let tools: Vec<Value> = reply
                .calls
                .iter()
                .map(|call| json!({ "name": call.name, "input": call.input.as_ref().ok() }))
                .collect();
            let object = json!({
                "agent_id": agent,
                "turn": number,
                "model": model,
                "tools": tools,
                "usage": reply.usage,
                "cost_usd": cost,
                "duration_ms": took,
            });
            return format!("{object}\n");
        }
        let mut text = String::new();
        let dash = || "-".to_owned();
        let tools: Vec<String> = reply.calls.iter().map(text::call).collect();
        let tools = if tools.is_empty() { dash() } else { tools.join(", ") };
        let tokens = format!(
            "{}/{}",
            thousands(reply.usage.total_input()),
            thousands(reply.usage.output_tokens)
        );
        let cells = (cost.map_or_else(dash, usd), took.map_or_else(dash, duration));
        if !std::mem::replace(&mut self.has_heading, true) {
            let name = if self.named { format!("{:<12}  ", "AGENT") } else { String::new() };
            let _ = writeln!(
                text,
                "{name}TURN  {:<12}  {:<8}  {:<11}  TOOLS",
                "TOKENS", "COST", "TIME"
            );
        }
        let name = if self.named { format!("{agent:<12}  ") } else { String::new() };
        let line = format!("{name}{number:<4}  {tokens:<12}  {:<8}  {:<11}  ", cells.0, cells.1);
        let tools = self.width.line(line.chars().count(), &tools);
        let _ = writeln!(text, "{line}{tools}");
        text
    }

    /// Ends the turn that is under way.
    fn flush(&mut self, agent: &str, until: Option<i64>) -> String {
        let turn = self.agents.get_mut(agent).and_then(|progress| progress.turn.take());
        turn.map(|turn| self.line(agent, &turn, until)).unwrap_or_default()
    }
}

impl View for Turns {
    fn show(&mut self, news: &News) -> String {
        let (What::Said(kept, _), Some(agent)) = (&news.what, &news.agent) else {
            return String::new();
        };
        let mut text = self.flush(agent, Some(news.at));
        let progress = self.agents.entry(agent.clone()).or_default();
        if let Spoken::Reply(model, reply) = kept {
            progress.turns += 1;
            progress.turn = Some(Turn {
                number: progress.turns,
                model: model.clone(),
                reply: (**reply).clone(),
                asked_at: progress.asked_at,
            });
            if reply.calls.is_empty() {
                text += &self.flush(agent, Some(news.at));
            }
        } else {
            progress.asked_at = news.at;
        }
        text
    }

    fn end(&mut self, _: &[AgentRow]) -> String {
        let mut agents: Vec<String> = self.agents.keys().cloned().collect();
        agents.sort_unstable();
        agents.iter().map(|agent| self.flush(agent, None)).collect()
    }
}
