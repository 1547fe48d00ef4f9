//! How a conversation stands beside what was said in it: what is counted against its limits, what its
//! outcome tells, which files the model knows. It is written down with each message, so that whoever
//! goes on with a conversation that was cut off counts on.
//!
//! What only grows is written as what is new; the rest is written when it has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::outcome::Denial;
use super::past::Earlier;
use super::session::Session;
use super::structured::Answers;
use super::verify::Verifying;
use crate::event::Usage;
use crate::journal::{AgentChange, AgentRow};
use crate::model::Message;

/// How a conversation stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Standing {
    turns: u32,
    usage: Usage,
    api_ms: u64,
    #[serde(skip_serializing_if = "is_zero")]
    stops: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    denials: Vec<Denial>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verifying: Option<Verifying>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<Answers>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    seen: BTreeMap<String, u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Standing {
    /// Takes in what was written later.
    pub(super) fn follow(&mut self, later: Self) {
        let Self { turns, usage, api_ms, stops, denials, verifying, answers, seen } = later;
        (self.turns, self.usage, self.api_ms, self.stops) = (turns, usage, api_ms, stops);
        self.denials.extend(denials);
        self.verifying = verifying.or(self.verifying.take());
        self.answers = answers.or(self.answers.take());
        self.seen.extend(seen);
    }
}

/// What was written down of a session's standing.
#[derive(Debug, Default)]
pub(super) struct Written {
    denials: usize,
    verifying: Verifying,
    answers: Option<Answers>,
}

impl Session<'_> {
    /// Returns how it stands, as far as that was not written down.
    pub(super) fn standing(&mut self) -> Standing {
        let denials = self.denials[self.written.denials..].to_vec();
        self.written.denials = self.denials.len();
        let verifying = (self.verifying != self.written.verifying).then(|| self.verifying.clone());
        self.written.verifying.clone_from(&self.verifying);
        let answers = self.structured.as_ref().map(|structured| structured.so_far());
        let changed = (answers != self.written.answers).then(|| answers.clone()).flatten();
        self.written.answers = answers;
        Standing {
            turns: self.turns,
            usage: self.usage,
            api_ms: u64::try_from(self.api_time.as_millis()).unwrap_or(u64::MAX),
            stops: self.stops,
            denials,
            verifying,
            answers: changed,
            seen: self.context.seen.news(),
        }
    }

    /// Takes up what an earlier life of the agent has come to, whose row is `before`. One that had ended
    /// gets new tries at what it had failed at.
    pub(super) fn take_up(&mut self, earlier: Option<Earlier>, before: &AgentRow) {
        self.goes_on = earlier.is_some();
        let Earlier { standing, heard } = earlier.unwrap_or_default();
        self.heard_before = heard;
        let Standing { turns, usage, api_ms, stops, denials, verifying, answers, seen } = standing;
        // The row may know of a reply that could not be kept, and the conversation of one more.
        // The end of a life counts a question that had no answer, too: it is asked again.
        self.turns = if before.status.is_final() { turns } else { turns.max(before.turns) };
        self.usage = most(usage, before.usage);
        self.api_time = Duration::from_millis(api_ms);
        self.denials = denials;
        self.written.denials = self.denials.len();
        self.context.seen.recall(seen);
        let had_ended = before.status.is_final();
        self.stops = if had_ended { 0 } else { stops };
        if let Some(mut verifying) = verifying {
            if had_ended {
                verifying.forgive();
            }
            self.verifying = verifying;
        }
        if let (Some(structured), Some(mut answers)) = (&self.structured, answers) {
            if had_ended {
                answers.forgive();
            }
            structured.go_on_from(answers);
        }
        let replies = self.history.messages().iter().rev().filter_map(|message| match message {
            Message::Assistant(reply) => Some(reply),
            Message::User { .. } => None,
        });
        self.stop_reason = replies.clone().next().map(|reply| reply.stop.as_str().to_owned());
        let text = replies.map(|reply| &reply.text).find(|text| !text.trim().is_empty());
        self.last_text = text.cloned().unwrap_or_default();
    }

    /// Shows in the registry how far the agent has come.
    pub(super) async fn show_progress(&self) {
        if self.transcript.is_none() {
            return; // It works for one that is shown.
        }
        let change = AgentChange {
            turns: Some(self.turns),
            usage: Some(self.usage),
            // The purse begins with what earlier lives have spent.
            cost_usd: self.query.purse.cost(),
            ..AgentChange::default()
        };
        // Whatever cannot be written here fails again, and is told, where the agent's end is written.
        let _ = self.asker.store().update(&self.context.agent, change).await;
    }
}

/// Returns the more of two counts of the same.
fn most(one: Usage, other: Usage) -> Usage {
    Usage {
        input_tokens: one.input_tokens.max(other.input_tokens),
        output_tokens: one.output_tokens.max(other.output_tokens),
        cache_read_input_tokens: one.cache_read_input_tokens.max(other.cache_read_input_tokens),
        cache_creation_input_tokens: one
            .cache_creation_input_tokens
            .max(other.cache_creation_input_tokens),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_gathered_and_the_rest_is_as_it_was_last() {
        let mut standing = Standing::default();
        let seen = |name: &str, print| BTreeMap::from([(name.to_owned(), print)]);
        let first = Standing { turns: 1, stops: 2, seen: seen("a", 1), ..Standing::default() };
        let second = Standing {
            turns: 2,
            seen: seen("a", 3),
            verifying: Some(Verifying::default()),
            ..Standing::default()
        };
        for later in [first, second, Standing { turns: 3, ..Standing::default() }] {
            let text = serde_json::to_string(&later).unwrap();
            standing.follow(serde_json::from_str(&text).unwrap());
        }
        assert_eq!((standing.turns, standing.stops), (3, 0));
        assert_eq!(standing.seen, seen("a", 3));
        assert_eq!(standing.verifying, Some(Verifying::default()));
    }
}
