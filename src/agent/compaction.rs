//! Room in the model's context: what happens when a conversation no longer fits.
//!
//! The model itself sums up what was done, in a fixed form; the conversation goes on from the first
//! message and whatever else the user said, word for word, that summary, and the last turns as they
//! were. It happens ahead of the end where the size of the context is known, and else when the model
//! says so. It is no turn; its tokens count. Every step either shrinks the conversation or is the last.

use std::sync::Arc;

use super::history::{History, shorten, without_middle};
use super::session::Session;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::model::{Message, Reply, Request, StopReason};

/// The last turns are kept as they were as long as they are less than this part of the conversation.
const KEPT: usize = 4;
/// How often room is made before a model that still finds none is believed.
const TRIES: u32 = 2;
/// How many of the last results stay whole in front of the one who sums up, when not all fit.
const WHOLE_RESULTS: usize = 4;
/// What stays of the others, in bytes.
const STUB: usize = 240;
/// The longest summary, in bytes.
const LONGEST_SUMMARY: usize = 64 * 1024;
/// What a picture or a document weighs, in bytes of text.
const PICTURE: usize = 6_000;
/// Bytes of a token, roughly; for numbers that people see.
const TOKEN: u64 = 4;

const QUESTION: &str = "\
This conversation is about to become too long, and will go on from a summary that you write now. Answer \
with the summary alone, as text; call no tool. Whoever goes on sees the first message, your summary and \
perhaps the last steps, so leave out nothing that the work still needs. Use these headings:

## Task
What is to be done, with every limit and wish of the user, those that came later too; word for word where \
the words matter.
## Decisions
What was found out and decided, and why; what was tried and did not work.
## Files
Each file that was changed or matters: its path, what was done, the state that it is in.
## Checks
The commands that check the work, and what they said last: what is green, what is red and why.
## Left to do
The next steps in their order, beginning with the one that was under way.";

/// What is known of the room that is left.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Tokens of the conversation with the last reply, since room was made.
    tokens: Option<u64>,
    /// The same for the first reply after that: less it cannot be.
    least: Option<u64>,
    /// How often room was made since the model last found some.
    squeezed: u32,
}

impl Session<'_> {
    /// Asks for the reply of a turn, and makes room for it where there is none.
    pub(super) async fn ask_with_room(&mut self) -> Result<Arc<Reply>, Error> {
        self.hear().await?;
        if self.is_crowded() {
            self.make_room_ahead().await?;
        }
        loop {
            match self.ask().await {
                Err(error) if is_overflow(&error) => self.make_room().await?,
                Err(error) => return Err(error),
                Ok(reply) => {
                    if reply.stop != StopReason::ContextOverflow {
                        self.room.squeezed = 0;
                        let tokens = reply.usage.total_input() + reply.usage.output_tokens;
                        self.room.tokens = Some(tokens);
                        self.room.least.get_or_insert(tokens);
                    }
                    return Ok(reply);
                }
            }
        }
    }

    /// Reports whether the next question may not fit, as far as that is known.
    fn is_crowded(&self) -> bool {
        let able = self.model().capabilities();
        let (Some(window), Some(tokens)) = (able.context_window, self.room.tokens) else {
            return false;
        };
        let most = self.query.limits.max_output_tokens.or(able.max_output).unwrap_or_default();
        let limit = (window / 5 * 4).min(window.saturating_sub(most.into())).max(window / 2);
        // What is left after a summary may be much; summing it up again brings nothing.
        let grown = self.room.least.is_none_or(|least| tokens > least + window / 10);
        tokens > limit && grown
    }

    /// Makes room before the model asks for it. That it cannot is no failure: the model may still find
    /// some.
    async fn make_room_ahead(&mut self) -> Result<(), Error> {
        let before = self.room.tokens;
        match self.make_room_from(self.history.clone()).await {
            Err(error) if is_overflow(&error) => {
                (self.room.least, self.room.squeezed) = (before, 0);
                Ok(())
            }
            made => made,
        }
    }

    /// Makes room after the model said that the conversation no longer fits.
    pub(super) async fn make_room(&mut self) -> Result<(), Error> {
        let mut fitting = self.history.clone();
        fitting.shorten_old(WHOLE_RESULTS, STUB);
        self.make_room_from(fitting).await
    }

    /// Puts a summary of `told` in the place of what was said, but for the last turns.
    async fn make_room_from(&mut self, told: History) -> Result<(), Error> {
        self.room.squeezed += 1;
        if self.room.squeezed > TRIES {
            return Err(self.no_room());
        }
        self.tell_compaction("auto").await?;
        let before = weight_of(self.history.messages());
        let summary = self.summary_of(told).await?;
        let share = if self.room.squeezed == 1 { before / KEPT } else { 0 };
        let (from, longest) = cut(self.history.messages(), share);
        self.history.sum_up(&summary, from, longest)?;
        self.keep_summary(summary, from, longest).await;
        let after = weight_of(self.history.messages());
        let tokens = |weight: usize| weight as u64 / TOKEN;
        let known = self.room.tokens.take().unwrap_or_else(|| tokens(before));
        self.room.least = None;
        self.asker.forget_size();
        self.events.emit(Event::Compacted {
            agent: self.context.agent.clone(),
            before: known,
            after: known.saturating_mul(tokens(after)) / tokens(before).max(1),
        });
        Ok(())
    }

    /// Asks the model to sum up a conversation, and once more for less of it if that does not fit.
    async fn summary_of(&mut self, told: History) -> Result<String, Error> {
        let mut less = told.clone();
        less.shorten_old(0, STUB);
        let (from, longest) = cut(less.messages(), weight_of(less.messages()) / (2 * KEPT));
        less.sum_up("[what was said in between is left out]", from, longest)?;
        for mut history in [told, less] {
            history.nudge(QUESTION);
            let request = Request {
                messages: history.messages().to_vec(),
                format: None,
                must_call: None,
                ..self.request()
            };
            match self.answer(request).await {
                Ok(reply) if reply.stop == StopReason::ContextOverflow => {}
                Ok(reply) if reply.text.trim().is_empty() => {}
                Ok(reply) => return Ok(framed(reply.text.trim())),
                Err(error) if is_overflow(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(self.no_room())
    }

    fn no_room(&self) -> Error {
        let model = self.model();
        let name = model.name();
        let message = format!("the conversation no longer fits into the context of `{name}`");
        Error::new(Kind::Model, message)
            .with("reason", OVERFLOW.into())
            .hint("give the agent a smaller task, or a model with a larger context")
    }
}

/// The word of models for a conversation that does not fit (`model/fault.rs`).
const OVERFLOW: &str = "context_overflow";

fn is_overflow(error: &Error) -> bool {
    error.detail("reason").is_some_and(|reason| reason == OVERFLOW)
}

/// Returns a summary as it stands in the conversation.
fn framed(summary: &str) -> String {
    let mut text = String::from(
        "<summary>\nThe conversation had become too long; this is what was said and done so far. Go on \
         from here. A file has to be read again before you rely on what was in it.\n\n",
    );
    if summary.len() > LONGEST_SUMMARY {
        text.push_str(&without_middle(summary, LONGEST_SUMMARY));
    } else {
        text.push_str(summary);
    }
    text.push_str("\n</summary>");
    text
}

/// Returns where what is kept as it was begins, a reply or the end, and the longest result that is kept
/// whole: as many of the last turns as weigh no more than `share`. The last turn's results are cut
/// rather than lost.
fn cut(messages: &[Message], share: usize) -> (usize, usize) {
    let (mut from, mut left) = (messages.len(), share);
    let turns = (1..messages.len()).rev();
    for at in turns.filter(|at| matches!(messages[*at], Message::Assistant(_))) {
        let turn = &messages[at..from];
        let weight = weight_of(turn);
        if weight <= left {
            (from, left) = (at, left - weight);
            continue;
        }
        let said = weight_of(&turn[..1]);
        if from == messages.len() && said < share / 2 {
            let results = turn.iter().map(|message| match message {
                Message::User { results, .. } => results.len(),
                Message::Assistant(_) => 0,
            });
            let results = results.sum::<usize>();
            let longest = (share - said) / results.max(1);
            let fits = {
                let mut turn = turn.to_vec();
                for message in &mut turn {
                    shorten(message, longest);
                }
                // The notes on what is missing come on top.
                weight_of(&turn) <= share + results * STUB
            };
            if results > 0 && longest >= STUB && fits {
                return (at, longest);
            }
        }
        break;
    }
    (from, usize::MAX)
}

fn weight_of(messages: &[Message]) -> usize {
    let weight = |message: &Message| match message {
        Message::User { results, texts } => {
            let results =
                results.iter().map(|result| result.content.len() + PICTURE * result.media.len());
            results.chain(texts.iter().map(String::len)).sum::<usize>()
        }
        Message::Assistant(reply) => reply.weight(),
    };
    messages.iter().map(weight).sum()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
