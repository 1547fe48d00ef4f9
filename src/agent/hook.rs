//! Functions of the script that are told of steps of an agent, and may change or stop them.
//!
//! Names, inputs and outputs are those of the Agent SDK. An error that one raises ends the agent.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Map, Value, json};

use super::function::Function;
use super::session::Session;
use crate::agent::hook_output::Output;
use crate::error::{Error, Kind, Result};
use crate::model::ToolCall;

/// How often a stop hook may send the agent back to work.
const MAX_STOPS: u32 = 8;
/// How long the script may take when the agent has ended.
pub(super) const LAST_WORD: Duration = Duration::from_secs(10);

/// When a hook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before a tool runs.
    PreToolUse,
    /// After a tool ran.
    PostToolUse,
    /// After a tool failed.
    PostToolUseFailure,
    /// After a call was denied.
    PermissionDenied,
    /// Before the first turn.
    SessionStart,
    /// Before the prompt is sent.
    UserPromptSubmit,
    /// When the agent says that it is done.
    Stop,
    /// Before the conversation is made shorter.
    PreCompact,
    /// When the agent has ended.
    SessionEnd,
}

impl Point {
    /// All of them, by the names of the options.
    pub const ALL: [(&'static str, Self); 9] = [
        ("pre_tool_use", Self::PreToolUse),
        ("post_tool_use", Self::PostToolUse),
        ("post_tool_use_failure", Self::PostToolUseFailure),
        ("permission_denied", Self::PermissionDenied),
        ("session_start", Self::SessionStart),
        ("user_prompt_submit", Self::UserPromptSubmit),
        ("stop", Self::Stop),
        ("pre_compact", Self::PreCompact),
        ("session_end", Self::SessionEnd),
    ];

    /// Returns the option's name.
    pub fn option(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, point)| *point == self).map_or("", |(name, _)| name)
    }
}

/// One hook.
#[derive(Clone)]
pub struct Hook {
    /// When it is told.
    pub point: Point,
    /// The tools that it is told of: names with `*`; all when empty.
    pub tools: Vec<String>,
    /// What is called.
    pub function: Arc<dyn Function>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// The hooks of one agent, in the order in which they are asked.
#[derive(Clone, Default)]
pub struct Hooks(Vec<Hook>);

impl Hooks {
    /// Makes a set of hooks.
    pub fn new(hooks: Vec<Hook>) -> Self {
        Self(hooks)
    }

    /// Returns them, in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = &Hook> {
        self.0.iter()
    }

    /// Returns those that are told of calls.
    pub(super) fn of_tools(&self) -> Self {
        let of_tools = |hook: &&Hook| {
            use Point::{PermissionDenied, PostToolUse, PostToolUseFailure, PreToolUse};
            matches!(hook.point, PreToolUse | PostToolUse | PostToolUseFailure | PermissionDenied)
        };
        Self(self.0.iter().filter(of_tools).cloned().collect())
    }

    /// Returns those that are told of a point, and of a tool.
    fn at(&self, point: Point, tool: Option<&str>) -> impl Iterator<Item = &Hook> {
        let fits = move |hook: &&Hook| {
            let named =
                |tool| hook.tools.iter().any(|name| super::permission::covers_name(name, tool));
            hook.point == point && (hook.tools.is_empty() || tool.is_none_or(named))
        };
        self.0.iter().filter(fits)
    }
}

impl Session<'_> {
    /// Calls a function of the script; cancelling the agent gives the call up.
    pub(super) async fn call_script(
        &self,
        function: &dyn Function,
        args: Vec<Value>,
    ) -> Result<Vec<Value>> {
        tokio::select! {
            biased;
            () = self.context.cancel.cancelled() => Err(Error::new(Kind::Cancelled, "the agent was cancelled")),
            returned = function.call(args) => returned.map_err(|mut error| {
                // Something that the script waited for was cancelled, and not this agent: it failed.
                if error.kind == Kind::Cancelled && !self.context.cancel.is_cancelled() {
                    error.kind = Kind::Tool;
                }
                error
            }),
        }
    }

    /// Returns who asks, for functions of the script.
    pub(super) fn about(&self, call: Option<&ToolCall>) -> Value {
        json!({
            "agent_id": self.context.agent,
            "label": self.context.label,
            "branch": self.context.branch,
            "cwd": self.context.workspace.root().display().to_string(),
            "turn": self.turns,
            "tool_use_id": call.map(|call| &call.id),
        })
    }

    /// Tells the hooks of a point one after the other, and hands what each says to `hear`, which says
    /// whether the next one is asked. `input` is what is special about the point; it is read anew for each.
    ///
    /// # Errors
    /// What a hook raised, or what it returned and is not understood; cancelled, when it said not to go on.
    pub(super) async fn tell_hooks(
        &self,
        point: Point,
        call: Option<&ToolCall>,
        mut input: impl FnMut() -> Value + Send,
        mut hear: impl FnMut(Output) -> bool + Send,
    ) -> Result<()> {
        let tool = call.map(|call| call.name.as_str());
        for hook in self.query.hooks.at(point, tool) {
            let mut told = Map::new();
            told.insert("hook_event_name".to_owned(), json!(format!("{point:?}")));
            told.insert("session_id".to_owned(), json!(self.conversation));
            let about = self.about(call);
            for field in ["cwd", "agent_id", "label", "branch", "turn"] {
                told.insert(field.to_owned(), about[field].clone());
            }
            if let Some(call) = call {
                told.insert("tool_name".to_owned(), json!(call.name));
                told.insert("tool_use_id".to_owned(), json!(call.id));
            }
            if let Value::Object(special) = input() {
                told.extend(special);
            }
            let args = vec![Value::Object(told), json!(call.map(|call| &call.id)), about];
            let asked = self.call_script(&*hook.function, args);
            let returned = match hook.timeout {
                None => asked.await?,
                Some(limit) => tokio::time::timeout(limit, asked).await.map_err(|_| {
                    let name = point.option();
                    Error::new(
                        Kind::Timeout,
                        format!("the hook `{name}` took longer than {limit:?}"),
                    )
                })??,
            };
            let output = Output::read(point, &returned)?;
            if let Some(message) = &output.message {
                self.events.warn(format!("{}: {message}", self.context.agent));
            }
            if let (Some(why), false) = (&output.ends, point == Point::Stop) {
                let name = point.option();
                let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                return Err(Error::new(
                    Kind::Cancelled,
                    format!("the hook `{name}` stopped the agent{why}"),
                ));
            }
            if !hear(output) {
                break;
            }
        }
        Ok(())
    }

    /// Tells the hooks of the beginning; what they add follows the prompt.
    pub(super) async fn tell_beginning(&mut self) -> Result<()> {
        let mut added = Vec::new();
        let goes_on = self.history.messages().len() > 1;
        let source = if goes_on { "resume" } else { "startup" };
        let start = || json!({ "source": source });
        self.tell_hooks(Point::SessionStart, None, start, |output| {
            added.extend(output.context);
            true
        })
        .await?;
        let mut blocked = None;
        let prompt = || json!({ "prompt": self.query.prompt });
        self.tell_hooks(Point::UserPromptSubmit, None, prompt, |output| {
            added.extend(output.context);
            blocked = output.blocks;
            blocked.is_none()
        })
        .await?;
        if let Some(why) = blocked {
            let message = format!("the hook `user_prompt_submit` refused the prompt: {why}");
            return Err(Error::new(Kind::Cancelled, message));
        }
        self.keep_said(added).await
    }

    /// Asks whether the agent may stop; returns what it is told when it may not.
    pub(super) async fn ask_stop_hook(&mut self, text: &str) -> Result<Option<String>> {
        let active = self.stops > 0;
        let input = || json!({ "stop_hook_active": active, "last_assistant_message": text });
        let mut told = None;
        self.tell_hooks(Point::Stop, None, input, |output| {
            if output.ends.is_none() {
                told = output.blocks.or_else(|| output.context.into_iter().next());
            }
            told.is_none() && output.ends.is_none()
        })
        .await?;
        if told.is_some() && self.stops == MAX_STOPS {
            let agent = &self.context.agent;
            self.events.warn(format!(
                "{agent}: its stop hook sent it back {MAX_STOPS} times; its answer stands now"
            ));
            return Ok(None);
        }
        self.stops += u32::from(told.is_some());
        Ok(told)
    }

    /// Tells the hooks that the conversation is about to be made shorter.
    pub(super) async fn tell_compaction(&self, trigger: &str) -> Result<()> {
        let input = || json!({ "trigger": trigger });
        self.tell_hooks(Point::PreCompact, None, input, |_| true).await
    }

    /// Tells the hooks that the agent has ended. A script that has ended itself is told nothing.
    pub(super) async fn tell_end(&self, subtype: &str) -> Result<()> {
        for hook in self.query.hooks.at(Point::SessionEnd, None) {
            let input = json!({
                "hook_event_name": "SessionEnd",
                "session_id": self.conversation,
                "cwd": self.context.workspace.root().display().to_string(),
                "agent_id": self.context.agent,
                "reason": subtype,
            });
            let args = vec![input, Value::Null, self.about(None)];
            // Not by `call_script`: the agent may have been cancelled, and its end is told all the same.
            let asked = hook.function.call(args).map(|returned| match returned {
                Err(error) if error.kind != Kind::Cancelled => Err(error),
                _ => Ok(()),
            });
            match tokio::time::timeout(hook.timeout.unwrap_or(LAST_WORD), asked).await {
                Ok(told) => told?,
                Err(_) => self.events.warn(format!(
                    "{}: the hook `session_end` was not done in time",
                    self.context.agent
                )),
            }
        }
        Ok(())
    }
}
