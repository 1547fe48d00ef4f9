//! The loop: ask the model, run what it calls, tell it the results, until it has nothing to call.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::asking::Asker;
use super::baseline::Bench;
use super::checkpoint::Checkpoints;
use super::compaction::Room;
use super::conclude::Verdict;
use super::going_on::Place;
use super::history::History;
use super::live::Live;
use super::outcome::{Denial, Subtype};
use super::query::Query;
use super::standing::Written;
use super::structured::Structured;
use super::subagent::Tab;
use super::transcript::Transcript;
use super::verify::Verifying;
use crate::crash;
use crate::error::{Error, Kind};
use crate::event::{Events, Usage};
use crate::model::{Reply, StopReason, ToolSpec};
use crate::tool::Context;
use crate::tool::registry::Registry;

/// How often a model that says nothing at all is asked to go on.
const MAX_NUDGES: u32 = 3;
/// How long tools may take to stop when the agent has to.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(3);

/// One conversation with a model, with tools.
pub struct Session<'a> {
    pub(super) query: &'a Query,
    pub(super) tools: &'a Registry,
    pub(super) context: Context,
    pub(super) events: Events,
    pub(super) base_commit: Option<String>,
    pub(super) system: Arc<str>,
    pub(super) offered: Arc<[ToolSpec]>,
    pub(super) history: History,
    pub(super) transcript: Option<Transcript>,
    pub(super) live: Arc<Live>,
    pub(super) room: Room,
    pub(super) tab: Option<Tab>,
    pub(super) asker: Asker,
    pub(super) checkpoints: Option<Checkpoints>,
    pub(super) turns: u32,
    pub(super) denials: Vec<Denial>,
    pub(super) usage: Usage,
    pub(super) api_time: Duration,
    pub(super) last_text: String,
    pub(super) stop_reason: Option<String>,
    pub(super) structured: Option<Arc<Structured>>,
    pub(super) verifying: Verifying,
    pub(super) bench: Bench,
    /// Its id, as hooks and outcomes have it.
    pub(super) conversation: String,
    /// How often a stop hook has sent the agent back.
    pub(super) stops: u32,
    /// How often the model was asked to go on after it had said nothing.
    pub(super) nudges: u32,
    /// Whether it was cut off, and goes on.
    pub(super) goes_on: bool,
    /// What the script said to the agent in an earlier life.
    pub(super) heard_before: Vec<String>,
    pub(super) written: Written,
}

/// How the loop came to its end.
pub struct Ending {
    /// Which way.
    pub subtype: Subtype,
    /// Why, unless it succeeded.
    pub error: Option<Error>,
}

impl Ending {
    /// Makes that of an agent that is done.
    pub(super) fn success() -> Self {
        Self { subtype: Subtype::Success, error: None }
    }

    fn new(subtype: Subtype, error: Error) -> Self {
        Self { subtype, error: Some(error) }
    }
}

/// What a reply asks for.
enum Step {
    /// Its calls run, and their results are sent.
    Answer,
    /// It is asked to go on.
    GoOn(&'static str),
    /// It was empty: it cannot be kept, and the model is asked again.
    Nudge,
    /// It is the final answer.
    Done,
    /// It refused.
    Refused,
    /// The conversation no longer fits.
    Overflowed,
}

impl Step {
    /// Tells whether the reply is part of the conversation.
    fn keeps(&self) -> bool {
        matches!(self, Self::Answer | Self::GoOn(_) | Self::Done)
    }
}

impl Session<'_> {
    /// Runs the loop to its end. Cancelling the context's token, or the time limit, ends it within
    /// [`STOP_GRACE`].
    pub async fn run(&mut self) -> Ending {
        let cancel = self.context.cancel.clone();
        let (limits, deadline) = (&self.query.limits, self.asker.deadline);
        let deadline = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let work = self.converse();
        tokio::pin!(work);
        let stopped = tokio::select! {
            biased;
            () = cancel.cancelled() => Ending::new(Subtype::ErrorCancelled, Error::new(Kind::Cancelled, "the agent was cancelled")),
            ending = &mut work => return ending.unwrap_or_else(|error| match error.kind {
                Kind::Cancelled => Ending::new(Subtype::ErrorCancelled, error),
                Kind::Budget => Ending::new(Subtype::ErrorMaxBudgetUsd, error),
                _ => Ending::new(Subtype::ErrorDuringExecution, error),
            }),
            () = deadline => Ending::new(Subtype::ErrorTimeout, limits.overdue()),
        };
        // Tools hear of it through the token and kill what they started.
        cancel.cancel();
        let _ = tokio::time::timeout(STOP_GRACE, work).await;
        stopped
    }

    async fn converse(&mut self) -> Result<Ending, Error> {
        self.tell_begin();
        let mut ending = None;
        if self.goes_on {
            match self.find_place().await? {
                Place::Asking => {}
                Place::Said(reply) => ending = self.follow(&reply, true).await?,
                Place::Over(over) => ending = Some(over),
            }
        } else {
            self.tell_beginning().await?;
            self.foretell().await?;
        }
        loop {
            if let Some(ending) = ending {
                return Ok(ending);
            }
            if self.turns >= self.query.limits.max_turns {
                return Ok(out_of_turns(self.query.limits.max_turns));
            }
            self.turns += 1;
            self.context.turn.store(self.turns, Ordering::Relaxed);
            self.live.turn.store(self.turns, Ordering::Relaxed);
            let reply = self.ask_with_room().await?;
            ending = self.follow(&reply, false).await?;
        }
    }

    /// Does what a reply asks for; returns how the agent ends if it does. One that was `kept` in an earlier
    /// life was told then, and its calls may have run.
    async fn follow(&mut self, reply: &Arc<Reply>, kept: bool) -> Result<Option<Ending>, Error> {
        let step = next_step(reply);
        if !kept {
            if step.keeps() {
                self.keep_reply(reply).await?;
            } else {
                self.show_progress().await;
            }
            self.tell_reply(reply).await;
        }
        match step {
            Step::Answer => {
                let results =
                    if kept { self.cut_off(reply).await? } else { self.run_calls(reply).await? };
                crash::point("tool.ran");
                let (mut told, ending) = self.answered(&results).await?.parts();
                if kept {
                    told.extend(self.note_on_files());
                }
                self.keep_answer(results, told).await?;
                let Some(ending) = ending else { return Ok(None) };
                Ok(self.is_over(&ending).await?.then_some(ending))
            }
            Step::GoOn(text) => {
                self.keep_answer(Vec::new(), vec![text.to_owned()]).await?;
                Ok(None)
            }
            Step::Nudge if self.nudges < MAX_NUDGES => {
                self.nudges += 1;
                self.history
                    .nudge("Your answer was empty. Go on with the task, or say that it is done.");
                Ok(None)
            }
            Step::Nudge => {
                let name = self.query.model.name();
                Err(Error::new(Kind::Model, format!("`{name}` answers with nothing")))
            }
            Step::Done => match self.conclude(reply).await? {
                Verdict::Accepted => {
                    let ending = Ending::success();
                    Ok(self.is_over(&ending).await?.then_some(ending))
                }
                Verdict::Again(told) => {
                    self.keep_answer(Vec::new(), told).await?;
                    Ok(None)
                }
                Verdict::Failed(ending) => Ok(Some(ending)),
            },
            Step::Refused => Ok(Some(refusal(reply))),
            Step::Overflowed => {
                self.make_room().await?;
                Ok(None)
            }
        }
    }
}

fn out_of_turns(limit: u32) -> Ending {
    let turns = if limit == 1 { "turn" } else { "turns" };
    let why = format!("the agent was not done after {limit} {turns}");
    let error = Error::new(Kind::Budget, why).hint("raise `max_turns`, or give it a smaller task");
    Ending::new(Subtype::ErrorMaxTurns, error)
}

fn refusal(reply: &Reply) -> Ending {
    let said = reply.text.trim();
    let why = if said.is_empty() { "without a word" } else { said };
    Ending::new(
        Subtype::ErrorRefusal,
        Error::new(Kind::Refused, format!("the model refused: {why}"))
            .hint("ask for it in other words, or choose another `model`"),
    )
}

/// Decides by what is in a reply first: some servers say `stop` beside tool calls.
fn next_step(reply: &Reply) -> Step {
    match &reply.stop {
        StopReason::Refusal => Step::Refused,
        _ if !reply.calls.is_empty() => Step::Answer,
        StopReason::ContextOverflow => Step::Overflowed,
        _ if reply.is_empty() => Step::Nudge,
        StopReason::MaxTokens => {
            Step::GoOn("Your answer was cut by the output limit. Go on from where it ended.")
        }
        StopReason::PauseTurn => Step::GoOn("Go on."),
        _ => Step::Done,
    }
}
