//! Whether a call may run: the hooks are asked, then the rules, then `can_use_tool`.
//!
//! A refusal of anybody stands. What a hook or `can_use_tool` lets run, no rule may forbid, and an
//! input that one of them changed is weighed like the model's own. Every refusal is told to the model
//! and noted.

use serde_json::{Value, json};

use super::function::Function;
use super::hook::Point;
use super::hook_output::Decision;
use super::outcome::Denial;
use super::permission::Verdict;
use super::session::Session;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::model::ToolCall;
use crate::suggest::snake_case;
use crate::tool::registry::Registry;

/// What became of the question.
pub(super) enum Consent {
    /// It runs.
    Given {
        /// With this.
        input: Value,
        /// The model is told this beside the result.
        beside: Vec<String>,
    },
    /// It does not run, and the model is told why.
    Refused {
        /// Why.
        told: String,
        /// What is noted, unless it was no question of permission.
        denial: Option<Denial>,
        /// Why the agent ends too, if it does.
        ends: Option<Error>,
    },
}

/// What the hooks said before a call.
#[derive(Default)]
struct Asked {
    decision: Option<Decision>,
    refused: Option<String>,
    beside: Vec<String>,
}

/// What `can_use_tool` answered.
enum Answer {
    Run(Option<Value>),
    Refuse { why: String, interrupts: bool },
    LeftToRules,
}

impl Session<'_> {
    /// Decides about a call.
    ///
    /// # Errors
    /// What a function of the script raised; cancelled, when a hook said not to go on.
    pub(super) async fn consent(&self, call: &ToolCall) -> Result<Consent, Error> {
        if self.tools.tool(&call.name).is_none() {
            let ours = Registry::builtin_names().any(|name| name == call.name)
                || Registry::optional().contains(&&*call.name)
                || call.name.starts_with("mcp__");
            if !ours {
                // The registry says which tools there are.
                return Ok(Consent::Given { input: json!({}), beside: Vec::new() });
            }
            let offered: Vec<_> = self.tools.tools().map(|tool| tool.name()).collect();
            let has = if offered.is_empty() { "no tools".to_owned() } else { offered.join(", ") };
            let why = format!("this agent may not use {}; it has {has}", call.name);
            return self.refuse(call, None, why, false).await;
        }
        let mut input = match &call.input {
            Ok(input @ Value::Object(_)) => input.clone(),
            Ok(_) => return Ok(unreadable("the arguments are not a JSON object".to_owned())),
            Err(text) => return Ok(unreadable(format!("the arguments could not be read: {text}"))),
        };
        // Its final answer is nobody's to forbid.
        if self.structured.as_ref().is_some_and(|structured| structured.takes(&call.name)) {
            return Ok(Consent::Given { input, beside: Vec::new() });
        }
        let asked = self.ask_hooks(call, &mut input).await?;
        if let Some(why) = asked.refused {
            return self.refuse(call, Some(&input), why, false).await;
        }
        let open = match self.weigh(call, &input) {
            Verdict::Denied(why) => return self.refuse(call, Some(&input), why, false).await,
            Verdict::Allowed if asked.decision != Some(Decision::Ask) => None,
            Verdict::Allowed => Some(Err("nobody was there to be asked".to_owned())),
            Verdict::Open(_) if asked.decision == Some(Decision::Allow) => None,
            Verdict::Open(Ok(())) if asked.decision == Some(Decision::Ask) => {
                Some(Err("nobody was there to be asked".to_owned()))
            }
            Verdict::Open(otherwise) => Some(otherwise),
        };
        let Some(otherwise) = open else {
            return Ok(Consent::Given { input, beside: asked.beside });
        };
        let answer = match &self.query.can_use_tool {
            Some(function) => self.ask_script(&**function, call, &input).await?,
            None => Answer::LeftToRules,
        };
        match (answer, otherwise) {
            (Answer::Refuse { why, interrupts }, _) => {
                return self.refuse(call, Some(&input), why, interrupts).await;
            }
            (Answer::LeftToRules, Err(why)) => {
                return self.refuse(call, Some(&input), why, false).await;
            }
            (Answer::Run(Some(other)), _) => {
                input = other;
                if let Verdict::Denied(why) = self.weigh(call, &input) {
                    return self.refuse(call, Some(&input), why, false).await;
                }
            }
            (Answer::Run(None), _) | (Answer::LeftToRules, Ok(())) => {}
        }
        Ok(Consent::Given { input, beside: asked.beside })
    }

    fn weigh(&self, call: &ToolCall, input: &Value) -> Verdict {
        self.query.rules.weigh(&call.name, input, self.context.workspace.root())
    }

    async fn ask_hooks(&self, call: &ToolCall, input: &mut Value) -> Result<Asked, Error> {
        let mut asked = Asked::default();
        // Each hook is told the input as the one before has left it.
        let current = std::sync::Mutex::new(std::mem::take(input));
        let locked = || current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let told = || json!({ "tool_input": *locked() });
        self.tell_hooks(Point::PreToolUse, Some(call), told, |output| {
            if let Some(changed) = output.input {
                *locked() = changed;
            }
            asked.beside.extend(output.context);
            asked.refused = output.blocks;
            // Who wants somebody to be asked is not overruled by who does not.
            if asked.decision != Some(Decision::Ask) {
                asked.decision = output.decision.or(asked.decision);
            }
            asked.refused.is_none()
        })
        .await?;
        *input = current.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(asked)
    }

    async fn ask_script(
        &self,
        function: &dyn Function,
        call: &ToolCall,
        input: &Value,
    ) -> Result<Answer, Error> {
        let args = vec![json!(call.name), input.clone(), self.about(Some(call))];
        let returned = self.call_script(function, args).await?;
        answer(&returned)
    }

    /// Notes that a call is not allowed, and tells those who want to know.
    async fn refuse(
        &self,
        call: &ToolCall,
        input: Option<&Value>,
        why: String,
        interrupts: bool,
    ) -> Result<Consent, Error> {
        let input = input.or(call.input.as_ref().ok()).cloned().unwrap_or_default();
        self.events.emit(Event::ToolDenied {
            agent: self.context.agent.clone(),
            tool: call.name.clone(),
            tool_use_id: call.id.clone(),
            reason: why.clone(),
        });
        let told = || json!({ "tool_input": input, "reason": why });
        // The denial is noted whatever comes of it.
        let heard = self.tell_hooks(Point::PermissionDenied, Some(call), told, |_| true).await;
        let interruption = interrupts.then(|| {
            Error::new(Kind::Cancelled, format!("`can_use_tool` stopped the agent: {why}"))
        });
        Ok(Consent::Refused {
            told: format!("denied: {why}"),
            denial: Some(Denial {
                tool_name: call.name.clone(),
                tool_use_id: call.id.clone(),
                tool_input: input,
            }),
            ends: heard.err().or(interruption),
        })
    }
}

fn unreadable(told: String) -> Consent {
    Consent::Refused { told, denial: None, ends: None }
}

/// Reads what `can_use_tool` returned.
fn answer(returned: &[Value]) -> Result<Answer, Error> {
    let wrong = |what: &str| Error::new(Kind::Tool, format!("`can_use_tool` returned {what}"));
    let reason = |why: Option<&Value>| match why {
        None | Some(Value::Null) => Ok("`can_use_tool` of the script refused it".to_owned()),
        Some(Value::String(why)) => Ok(why.clone()),
        Some(_) => Err(wrong("a reason that is no string")),
    };
    match returned {
        [] | [Value::Null, ..] => Ok(Answer::LeftToRules),
        [Value::Bool(true), ..] => Ok(Answer::Run(None)),
        [Value::Bool(false), rest @ ..] => {
            Ok(Answer::Refuse { why: reason(rest.first())?, interrupts: false })
        }
        [Value::Object(fields), ..] => {
            let field = |name: &str| {
                fields.iter().find(|(key, _)| snake_case(key) == name).map(|(_, value)| value)
            };
            let known =
                ["behavior", "updated_input", "updated_permissions", "message", "interrupt"];
            if let Some(key) = fields.keys().find(|key| !known.contains(&&*snake_case(key))) {
                return Err(wrong(&format!("the unknown field `{key}`")).hint(format!(
                    "it takes {}",
                    known.map(|name| format!("`{name}`")).join(", ")
                )));
            }
            match field("behavior").and_then(Value::as_str) {
                Some("allow") => match field("updated_input") {
                    None | Some(Value::Null) => Ok(Answer::Run(None)),
                    Some(input @ Value::Object(_)) => Ok(Answer::Run(Some(input.clone()))),
                    Some(_) => Err(wrong("`updated_input` that is no table")),
                },
                Some("deny") => Ok(Answer::Refuse {
                    why: reason(field("message"))?,
                    interrupts: field("interrupt") == Some(&Value::Bool(true)),
                }),
                _ => Err(wrong("no `behavior` of `allow` or `deny`")),
            }
        }
        [other, ..] => Err(wrong(&format!("`{other}`"))
            .hint("return true, false and a reason, a table with `behavior`, or nothing")),
    }
}
