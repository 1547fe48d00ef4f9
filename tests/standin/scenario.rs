//! The scripted model: what it says next, from a directive and the conversation alone.
//!
//! It knows no wire format and keeps no state. When a result is not what it needs its final text
//! starts with `SCENARIO FAILED:`, so that a test that looks at the text sees it.

use serde_json::{Value, json};

use super::directive::Directive;
use super::talk::{Call, Outcome, Part, Reply, Step, Talk};
use super::{mishap, work};

/// The start of the text of a scenario that cannot go on.
pub const FAILED: &str = "SCENARIO FAILED:";
pub const OVER: &str = "Nothing more to do.";

/// The next reply, or why there is none.
pub type Next = Result<Reply, Stray>;

/// Why there is no next reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stray {
    /// A result is not what the scenario needs: the model says so.
    Failed(String),
    /// The client did what it must never do: the request is refused.
    Violation(String),
}

/// Ends a scenario whose needs are not met.
pub fn failed<T>(why: impl Into<String>) -> Result<T, Stray> {
    Err(Stray::Failed(why.into()))
}

/// Where a conversation stands.
pub struct Turn<'a> {
    pub directive: Directive,
    pub steps: &'a [Step],
    /// From 1, counted from the message with the directive.
    pub number: u32,
    /// The same was asked, and answered in full, before.
    pub again: bool,
}

impl<'a> Turn<'a> {
    /// Finds the newest directive of the user, if there is one.
    pub fn find(talk: &'a Talk, again: bool) -> Result<Option<Self>, String> {
        for (index, step) in talk.steps.iter().enumerate().rev() {
            let Step::User { text, .. } = step else { continue };
            let Some(directive) = Directive::find(text) else { continue };
            let steps = &talk.steps[index..];
            let replies = steps.iter().filter(|step| matches!(step, Step::Assistant { .. }));
            let number = u32::try_from(replies.count()).unwrap_or(u32::MAX).saturating_add(1);
            return directive.map(|directive| Some(Self { directive, steps, number, again }));
        }
        Ok(None)
    }

    /// Returns the value of a parameter.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.directive.text(key)
    }

    /// Returns the value of a parameter as a number.
    pub fn parameter(&self, key: &str) -> Option<u64> {
        self.directive.number(key)
    }

    pub fn need(&self, key: &str) -> Result<&str, Stray> {
        let name = &self.directive.name;
        self.text(key).ok_or_else(|| Stray::Failed(format!("`{name}` needs `{key}=`")))
    }

    /// Returns the calls of a turn with their results.
    pub fn outcomes(&self, turn: u32) -> Vec<(&Call, &Outcome)> {
        let mut replies = self.steps.iter().enumerate().filter_map(|(index, step)| match step {
            Step::Assistant { calls, .. } => Some((index, calls)),
            Step::User { .. } => None,
        });
        let Some((index, calls)) = replies.nth(turn.saturating_sub(1) as usize) else {
            return Vec::new();
        };
        let Some(Step::User { results, .. }) = self.steps.get(index + 1) else { return Vec::new() };
        let paired = |call| results.iter().find(|result: &&Outcome| Call::id(call) == result.id);
        calls.iter().filter_map(|call| Some((call, paired(call)?))).collect()
    }

    /// Returns the results of the turn before.
    pub fn last(&self) -> Vec<(&Call, &Outcome)> {
        self.outcomes(self.number - 1)
    }

    /// Returns the text of the result `index` of a turn, which must have succeeded.
    pub fn good(&self, turn: u32, index: usize) -> Result<&str, Stray> {
        let outcomes = self.outcomes(turn);
        let Some((call, outcome)) = outcomes.get(index) else {
            return failed(format!("turn {turn} has no result {index}"));
        };
        if outcome.failed {
            return failed(format!("{} failed: {}", call.name, outcome.text));
        }
        Ok(&outcome.text)
    }

    /// Fails unless every result of the turn before is good.
    pub fn all_good(&self) -> Result<(), Stray> {
        match self.last().iter().find(|(_, outcome)| outcome.failed) {
            Some((call, outcome)) => failed(format!("{} failed: {}", call.name, outcome.text)),
            None => Ok(()),
        }
    }

    /// Returns the texts of the turn before's results, joined.
    pub fn seen(&self) -> String {
        self.last().iter().map(|(_, outcome)| outcome.text.as_str()).collect::<Vec<_>>().join("\n")
    }
}

impl Call {
    fn id(call: &Self) -> &str {
        &call.id
    }
}

/// Returns what the model says; a talk without a directive has nothing for it to do.
pub fn next(turn: Option<&Turn<'_>>) -> Next {
    let Some(turn) = turn else { return Ok(Reply::text("Nothing to do.")) };
    let reply = match turn.directive.name.as_str() {
        "text" => Ok(mishap::one_text(turn)),
        "slow" => Ok(mishap::slow(turn)),
        "fix" => work::fix(turn),
        "edit" | "peers" => work::edit_once(turn),
        "write" | "commit" => work::write(turn),
        "steady" => Ok(work::steady(turn)),
        "look" => work::look(turn),
        "long" => work::long(turn),
        "bash" => work::bash(turn),
        "call" => work::call(turn),
        "loop" => Ok(Reply::calls("", [probe(turn, 0)])),
        "many" => work::many(turn),
        "unknown_tool" => mishap::unknown_tool(turn),
        "bad_arguments" => mishap::bad_arguments(turn),
        "empty" => Ok(mishap::empty(turn)),
        "refusal" => Ok(mishap::refusal(turn)),
        "max_tokens" => mishap::max_tokens(turn),
        "thinking" => mishap::thinking(turn),
        other => failed(format!("there is no scenario `{other}`")),
    };
    match reply {
        Err(Stray::Failed(why)) => Ok(Reply::text(format!("{FAILED} {why}"))),
        other => other.map(without_empty_text),
    }
}

fn without_empty_text(mut reply: Reply) -> Reply {
    reply.parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
    reply
}

pub fn read(path: &str) -> (&'static str, Value) {
    ("Read", json!({"file_path": path}))
}

pub fn shell(command: &str) -> (&'static str, Value) {
    ("Bash", json!({"command": command}))
}

pub fn replace(path: &str, old: &str, new: &str) -> (&'static str, Value) {
    ("Edit", json!({"file_path": path, "old_string": old, "new_string": new}))
}

/// Returns a call that only looks: a Read where there is a `file`, else a command.
pub fn probe(turn: &Turn<'_>, index: u64) -> (&'static str, Value) {
    match (turn.text("file"), turn.text("command")) {
        (Some(file), _) => read(file),
        (None, Some(command)) => shell(command),
        (None, None) => shell(&format!("echo {index}")),
    }
}
