//! The tool `Agent`: a task that an agent hands to one of its own kind, which answers with its final
//! text. It works on the same ground with the same model, tools and rules, but for this tool; what it
//! takes counts as the agent's own, and its turns come out of the agent's limit. Agents of one turn work
//! one after the other, so that the limit binds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::asking::Asker;
use super::baseline::Bench;
use super::conversation::{self, Setting};
use super::fleet::Order;
use super::history::History;
use super::outcome::{Denial, Subtype};
use super::query::Query;
use super::session::Session;
use crate::error::Error;
use crate::event::{Event, Events, Posted, Reporter, Usage};
use crate::tool::registry::Registry;
use crate::tool::seen::Seen;
use crate::tool::{Context, Output, Tool, ToolError, ToolOutput};

/// The name of the tool.
pub(super) const NAME: &str = "Agent";

const DESCRIPTION: &str = "\
Hands a task to an agent of your own kind, with the same files and tools, and answers with its final text. \
Use it for what needs much looking and ends in a short answer, such as a search through many files: what it \
reads does not fill your conversation. It knows nothing of yours: the prompt has to say everything, also what \
to answer. What it changes in the files is changed for you too.";

/// What sub-agents took, until their parent has counted it.
#[derive(Clone, Default)]
pub(super) struct Tab(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    turns: u32,
    /// How many there were, in all of the parent's life.
    agents: u32,
    usage: Usage,
    api_time: Duration,
    denials: Vec<Denial>,
}

impl Tab {
    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tool.
pub(super) struct SubAgent {
    query: Query,
    tools: Registry,
    events: Events,
    asker: Asker,
    bench: Bench,
    before: Option<String>,
    tab: Tab,
}

impl SubAgent {
    /// Makes the tool for the agent of an order, with the tools that its agents have, and the tab that
    /// they run up. `before` is what the repository tells agents.
    pub(super) fn new(
        order: &Order,
        tools: Registry,
        asker: Asker,
        bench: Bench,
        before: Option<String>,
    ) -> (Self, Tab) {
        let mut query = order.query.clone();
        // What is asked of the parent's work is asked of the parent.
        query.limits.timeout = None;
        (query.schema, query.verify) = (None, None);
        query.hooks = query.hooks.of_tools();
        let tab = Tab::default();
        let events = Events::new(vec![Arc::new(Muffled(order.events.clone()))])
            .within(order.events.session().unwrap_or_default(), None);
        let this = Self { query, tools, events, asker, bench, before, tab: tab.clone() };
        (this, tab)
    }

    async fn run(&self, prompt: &str, parent: &Context) -> ToolOutput {
        let spent = parent.turn.load(Ordering::Relaxed) + self.tab.taken().turns;
        let left = self.query.limits.max_turns.saturating_sub(spent);
        if left == 0 {
            return Err(ToolError::reply("no turns are left for another agent: do it yourself"));
        }
        let mut query = self.query.clone();
        query.limits.max_turns = left;
        prompt.clone_into(&mut query.prompt);
        query.call_path = self.next_path(parent);
        let setting = Setting {
            query: &query,
            tools: &self.tools,
            events: self.events.clone(),
            asker: self.asker.clone(),
            bench: self.bench.clone(),
            base_commit: None,
            conversation: self.events.session().unwrap_or_default().to_owned(),
            context: Context {
                workspace: Arc::clone(&parent.workspace),
                seen: Seen::default(),
                env: parent.env.clone(),
                spill_dir: parent.spill_dir.clone(),
                processes: parent.processes.clone(),
                cancel: parent.cancel.child_token(),
                agent: parent.agent.clone(),
                label: parent.label.clone(),
                branch: parent.branch.clone(),
                turn: AtomicU32::new(0),
                sees: parent.sees,
            },
        };
        let texts =
            conversation::opening(&query, parent.workspace.root(), self.before.clone(), None);
        let mut session = setting.session(History::new(texts));
        // Boxed: a session that runs tools that run sessions has no size.
        let ending = session.run().boxed().await;
        self.run_up(&mut session);
        let text = session.last_text.clone();
        match (ending.subtype, ending.error) {
            (Subtype::Success, _) => Ok(Output::from(text)),
            (Subtype::ErrorCancelled, Some(error)) => Err(ToolError::Fatal(error)),
            (subtype, error) => Err(ToolError::Reply(unfinished(subtype, error.as_ref(), &text))),
        }
    }

    /// Returns the place of the next of them: beneath its parent's, and the turn that it is called in.
    fn next_path(&self, parent: &Context) -> String {
        let mut taken = self.tab.taken();
        taken.agents += 1;
        let (turn, agents) = (parent.turn.load(Ordering::Relaxed), taken.agents);
        format!("{}@{turn}/agent#{agents}", self.query.call_path)
    }

    fn run_up(&self, session: &mut Session<'_>) {
        let mut taken = self.tab.taken();
        taken.turns += session.turns;
        taken.usage += session.usage;
        taken.api_time += session.api_time;
        taken.denials.append(&mut session.denials);
    }
}

fn unfinished(subtype: Subtype, error: Option<&Error>, text: &str) -> String {
    let why = error.map_or(subtype.as_str().to_owned(), ToString::to_string);
    let said = if text.is_empty() { String::new() } else { format!("; it last said:\n{text}") };
    format!("the agent did not finish: {why}{said}")
}

/// Passes on what sub-agents do, but not what they say: a conversation is one agent's.
struct Muffled(Events);

impl Reporter for Muffled {
    fn report(&self, event: &Posted) {
        let event: &Event = event;
        if !matches!(
            event,
            Event::ConversationBegan { .. } | Event::Said { .. } | Event::Answered { .. }
        ) {
            self.0.emit(event.clone());
        }
    }
}

impl Tool for SubAgent {
    fn name(&self) -> &'static str {
        NAME
    }

    fn description(&self) -> &'static str {
        DESCRIPTION
    }

    fn input_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "description": { "type": "string", "description": "the task in three to five words" },
                "prompt": { "type": "string", "description": "the whole task" },
                "subagent_type": { "type": "string", "description": "not needed: there is one kind" },
            },
            "required": ["description", "prompt"],
        })
    }

    fn read_only(&self) -> bool {
        false
    }

    fn summary(&self, input: &Value) -> String {
        input.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        async move {
            match input.get("prompt").and_then(Value::as_str).map(str::trim) {
                Some(prompt) if !prompt.is_empty() => self.run(prompt, context).await,
                _ => Err(ToolError::reply("`prompt` must be a text that says the whole task")),
            }
        }
        .boxed()
    }
}

impl Session<'_> {
    /// Counts what the agents took that this one handed tasks to.
    pub(super) fn settle_tab(&mut self) {
        let Some(tab) = &self.tab else { return };
        let taken = {
            let mut tab = tab.taken();
            let agents = tab.agents;
            std::mem::replace(&mut *tab, Taken { agents, ..Taken::default() })
        };
        self.turns += taken.turns;
        self.usage += taken.usage;
        self.api_time += taken.api_time;
        self.denials.extend(taken.denials);
    }
}
