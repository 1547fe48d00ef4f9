//! Structured output: the final answer as a value that fits a JSON Schema.
//!
//! Where the model's final text can be held to a schema that is done. Every other model is offered a
//! tool, `StructuredOutput`, whose input is the schema; what it writes instead, JSON alone or in a
//! fence, is taken as well. Either way the value is checked here, against all of the schema: what does
//! not fit goes back with the reasons, [`TRIES`] times in all, and the last value is kept whatever
//! becomes of the agent.

mod schema;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use schema::Schema;

use super::query::Query;
use crate::error::{Error, Kind};
use crate::tool::{Context, Tool, ToolError, ToolOutput};

/// The tool that takes the final answer.
pub const TOOL: &str = "StructuredOutput";
/// How many answers may fail to fit.
const TRIES: u32 = 5;
/// What was answered so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Answers {
    /// The last value, whether it fits or not.
    last: Option<Value>,
    /// Whether it fits.
    fits: bool,
    /// How many did not.
    failed: u32,
    /// Why the last did not.
    violations: Vec<String>,
    /// Whether the last reply ended without one.
    missing: bool,
}

impl Answers {
    /// Forgets how many did not fit.
    pub(super) fn forgive(&mut self) {
        self.failed = 0;
    }
}

/// The structured output of one conversation.
#[derive(Debug)]
pub(super) struct Structured {
    schema: Arc<Schema>,
    /// Whether the final text is the answer, and not a call.
    native: bool,
    /// Whether the model can be made to call the tool.
    forced: bool,
    answers: Mutex<Answers>,
}

/// What becomes of a final text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// There is an answer, and it fits.
    Fits,
    /// The model is told this.
    Told(String),
    /// It had its tries.
    Spent,
}

impl Structured {
    /// Begins what a query asks for.
    pub fn new(query: &Query) -> Option<Arc<Self>> {
        let schema = Arc::clone(query.schema.as_ref()?);
        // Who steps in has to be able to do the same.
        let mut models = std::iter::once(&query.model)
            .chain(query.fallbacks.iter().map(|fallback| &fallback.model));
        let native = models.clone().all(|model| model.capabilities().native_format);
        let forced = models.all(|model| model.capabilities().forced_tool);
        Some(Arc::new(Self { schema, native, forced, answers: Mutex::default() }))
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what was answered so far.
    pub fn so_far(&self) -> Answers {
        self.answers().clone()
    }

    /// Goes on from what was answered in an earlier life of the agent.
    pub fn go_on_from(&self, answers: Answers) {
        *self.answers() = answers;
    }

    /// Returns the schema that final texts are held to, where the model can be.
    pub fn format(&self) -> Option<Arc<Value>> {
        self.native.then(|| Arc::clone(self.schema.wire()))
    }

    /// Returns the tool that takes the answer, where there is need of one.
    pub fn tool(self: &Arc<Self>) -> Option<Arc<dyn Tool>> {
        (!self.native).then(|| Arc::new(Answer(Arc::clone(self))) as Arc<dyn Tool>)
    }

    /// Reports whether calls of the tool `name` are answers.
    pub fn takes(&self, name: &str) -> bool {
        !self.native && name == TOOL
    }

    /// Returns the tool that the next reply has to call: only when the model ended without it.
    pub fn must_call(&self) -> Option<Arc<str>> {
        (!self.native && self.forced && self.answers().missing).then(|| TOOL.into())
    }

    /// Returns what the agent is told before it begins.
    pub fn announcement(&self) -> String {
        if self.native {
            // A wire carries less of a schema than there may be in it.
            format!(
                "When you are done, your last message is one JSON object and nothing else. It has \
                 to fit this JSON Schema: {}",
                self.schema.wire()
            )
        } else {
            format!(
                "When you are done, call {TOOL} once with your final answer: its input is the \
                 form that the answer has to have."
            )
        }
    }

    /// Returns the last value, whether it fits or not.
    pub fn value(&self) -> Option<Value> {
        self.answers().last.clone()
    }

    /// Reports whether the last value fits.
    pub fn fits(&self) -> bool {
        self.answers().fits
    }

    /// Reports whether there were as many tries as there may be.
    pub fn is_spent(&self) -> bool {
        self.answers().failed >= TRIES
    }

    /// Asks for an answer again: the work was not good.
    pub fn reopen(&self) {
        self.answers().fits = false;
    }

    /// Judges a value that the model gives; returns what does not fit.
    fn judge(&self, given: Value) -> Result<(), String> {
        let value = self.schema.unwrapped(given);
        let mut answers = self.answers();
        answers.missing = false;
        match self.schema.fitted(&value) {
            Ok(value) => {
                answers.last = Some(value);
                answers.fits = true;
                Ok(())
            }
            Err(violations) => {
                let listed = format!("- {}", violations.join("\n- "));
                answers.last = Some(value);
                answers.fits = false;
                answers.failed += 1;
                answers.violations = violations;
                Err(listed)
            }
        }
    }

    /// Judges a final text.
    pub fn judge_text(&self, text: &str) -> Judged {
        let again = if self.native {
            "Answer again with all of the JSON object, mended, and nothing else.".to_owned()
        } else {
            format!("Call {TOOL} with all of the answer, mended.")
        };
        let told = match value_in(text).map(|given| self.judge(given)) {
            Some(Ok(())) => return Judged::Fits,
            Some(Err(listed)) => {
                format!("Your answer does not fit its schema:\n{listed}\n{again}")
            }
            // The text beside an answer that was given before.
            None if self.fits() => return Judged::Fits,
            None => {
                let mut answers = self.answers();
                answers.failed += 1;
                answers.violations = vec!["the final text has no JSON value".to_owned()];
                if self.native {
                    format!("Your answer is not JSON. {again}")
                } else {
                    format!("Your final answer is still to be given: call {TOOL} with it.")
                }
            }
        };
        self.answers().missing = true;
        if self.is_spent() { Judged::Spent } else { Judged::Told(told) }
    }

    /// Returns why there is no answer that fits.
    pub fn error(&self) -> Error {
        let answers = self.answers();
        let why = answers.violations.join("; ");
        let message = format!("no answer fitted the schema in {TRIES} tries; the last: {why}");
        let error =
            Error::new(Kind::Model, message).with("violations", answers.violations.clone().into());
        if answers.last.is_none() {
            return error;
        }
        error.hint("the last value is in `e.outcome.structured_output`")
    }
}

/// Returns the JSON value that a text is, or that its only fence holds.
fn value_in(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let mut parts = text.split("```");
    let (_, fenced, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let inside = fenced.strip_prefix("json").or_else(|| fenced.strip_prefix("JSON"));
    serde_json::from_str(inside.unwrap_or(fenced).trim()).ok()
}

/// The tool that takes the answer.
struct Answer(Arc<Structured>);

impl Tool for Answer {
    fn name(&self) -> &'static str {
        TOOL
    }

    fn description(&self) -> &'static str {
        "Gives your final answer, in the form that was asked for: its input is the answer. Call it \
         once, alone, when the task is done; calling it ends your work."
    }

    fn input_schema(&self) -> Value {
        (**self.0.schema.wire()).clone()
    }

    fn read_only(&self) -> bool {
        true
    }

    fn summary(&self, _input: &Value) -> String {
        String::new()
    }

    fn call<'a>(&'a self, input: Value, _context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        let judged = self.0.judge(input);
        async move {
            match judged {
                Ok(()) => Ok("Your answer fits.".to_owned().into()),
                Err(listed) => Err(ToolError::Reply(format!(
                    "Your answer does not fit its schema:\n{listed}\nCall {TOOL} again with all of \
                     it, mended."
                ))),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn structured(schema: &Value, native: bool) -> Structured {
        let schema = Arc::new(Schema::new(schema).unwrap());
        Structured { schema, native, forced: true, answers: Mutex::default() }
    }

    fn score() -> Value {
        json!({
            "type": "object",
            "properties": { "score": { "type": "integer" }, "note": { "type": "string" } },
            "required": ["score"],
            "additionalProperties": false,
        })
    }

    #[test]
    fn json_is_found_bare_and_in_one_fence() {
        for text in [
            "{\"a\":1}",
            " {\"a\":1}\n",
            "Here:\n```json\n{\"a\":1}\n```\nDone.",
            "```\n{\"a\":1}```",
        ] {
            assert_eq!(value_in(text), Some(json!({ "a": 1 })), "{text}");
        }
        for text in
            ["", "a", "{\"a\":1} and more", "```json\n1\n```\n```json\n2\n```", "```json\n{"]
        {
            assert_eq!(value_in(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_value_is_kept_when_the_tries_are_spent() {
        let structured = structured(&score(), false);
        for number in 1..TRIES {
            let told = structured.judge(json!({ "score": number.to_string() })).unwrap_err();
            assert!(told.contains("is not of type \"integer\""), "{told}");
            assert!(!structured.is_spent());
        }
        assert_eq!(structured.judge_text("no JSON"), Judged::Spent);
        assert_eq!(structured.value(), Some(json!({ "score": "4" })));
        assert!(structured.error().message.ends_with("the final text has no JSON value"));
    }

    #[test]
    fn the_tool_is_forced_only_when_the_model_ended_without_it() {
        let structured = structured(&score(), false);
        assert_eq!(structured.must_call(), None);
        assert!(matches!(structured.judge_text("I am done."), Judged::Told(_)));
        assert_eq!(structured.must_call().as_deref(), Some(TOOL));
        structured.judge(json!({ "score": 1 })).unwrap();
        assert_eq!(structured.must_call(), None);
        assert_eq!(structured.judge_text("I am done."), Judged::Fits);
        structured.reopen();
        assert!(matches!(structured.judge_text("I am done."), Judged::Told(_)));
        assert_eq!(structured.value(), Some(json!({ "score": 1 })));
    }

    #[test]
    fn a_text_that_does_not_fit_is_sent_back() {
        let structured = structured(&score(), true);
        assert_eq!(structured.must_call(), None);
        assert!(structured.format().is_some());
        let Judged::Told(told) = structured.judge_text("{\"score\":true}") else { panic!() };
        assert!(told.contains("- `/score`: true is not of type \"integer\""), "{told}");
        assert!(structured.announcement().contains("\"required\":[\"score\"]"));
        assert_eq!(structured.judge_text("```json\n{\"score\":1}\n```"), Judged::Fits);
    }
}
