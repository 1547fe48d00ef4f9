//! Conversations, written down while they are held: each message is kept in the journal before anything
//! follows from it, so that another process can take the conversation up, wherever this one ends.
//!
//! An agent that takes up another's conversation writes down whose, and how much of it; so nothing is
//! there twice. What a provider sent is kept as it is. Pictures are not kept, and of a result of more
//! than [`LONGEST_RESULT`] bytes or a reply of more than [`LONGEST_REPLY`] only a part is.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::history::{History, without_middle};
use super::spoken::Spoken;
use super::standing::Standing;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Events, Usage};
use crate::journal::Store;
use crate::model::rate::RateLimits;
use crate::model::{Model, Reply, StopReason, ToolCall, ToolResult, anthropic};

/// The longest result that is kept whole, in bytes.
const LONGEST_RESULT: usize = 256 * 1024;
/// The longest reply that is kept as the provider sent it, in bytes.
const LONGEST_REPLY: usize = 4 << 20;
/// How many agents may have gone on from one another.
const GENERATIONS: usize = 1_000;
/// The wire format of a reply that is rebuilt, whoever it is sent to.
const REBUILT: &str = "kept";

/// One step of a conversation.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Entry<'a> {
    /// It goes on from the first so many entries of this agent's.
    Past { agent: Cow<'a, str>, entries: u32 },
    /// The first message.
    Opening { texts: Cow<'a, [String]> },
    /// What the model said.
    Reply {
        model: Cow<'a, str>,
        text: Cow<'a, str>,
        calls: Vec<Call<'a>>,
        stop: Cow<'a, str>,
        usage: Usage,
        wire_format: Cow<'a, str>,
        wire: Cow<'a, Value>,
        #[serde(default)]
        standing: Standing,
    },
    /// What answered it.
    Answer {
        results: Vec<Answered<'a>>,
        texts: Cow<'a, [String]>,
        #[serde(default)]
        standing: Standing,
    },
    /// What the user said of his own accord, after the last message; whether its script sent it to the agent
    /// while that worked.
    Said {
        texts: Cow<'a, [String]>,
        #[serde(default)]
        sent: bool,
    },
    /// It begins anew: what was written before, nobody has answered.
    Anew,
    /// Everything before the message `from` was summed up; see [`History::sum_up`].
    SummedUp { summary: Cow<'a, str>, from: usize, longest: usize },
}

/// Tells whether the last reply of a conversation that was written down has its answer, if it wants one.
pub fn ends_with_answer(entries: &[String]) -> bool {
    let parsed = entries.iter().rev().filter_map(|text| serde_json::from_str(text).ok());
    let mut turns =
        parsed.filter(|entry| matches!(entry, Entry::Reply { .. } | Entry::Answer { .. }));
    matches!(turns.next(), Some(Entry::Answer { .. }))
}

/// A call of a reply.
#[derive(Serialize, Deserialize)]
pub(super) struct Call<'a> {
    id: Cow<'a, str>,
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<Cow<'a, Value>>,
    /// The arguments, where they are no JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broken: Option<Cow<'a, str>>,
}

/// The result of a call.
#[derive(Serialize, Deserialize)]
pub(super) struct Answered<'a> {
    id: Cow<'a, str>,
    name: Cow<'a, str>,
    content: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_error: bool,
    /// How many pictures and documents it showed, which are not kept.
    #[serde(default, skip_serializing_if = "is_none")]
    media: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl<'a> Entry<'a> {
    /// Writes a reply of `model`.
    pub(super) fn reply(reply: &'a Reply, model: &'a str, standing: Standing) -> Self {
        let call = |call: &'a ToolCall| Call {
            id: Cow::Borrowed(&call.id),
            name: Cow::Borrowed(&call.name),
            input: call.input.as_ref().ok().map(Cow::Borrowed),
            broken: call.input.as_ref().err().map(|text| Cow::Borrowed(text.as_str())),
        };
        Self::Reply {
            model: Cow::Borrowed(model),
            text: shortened(&reply.text, LONGEST_REPLY / 2),
            calls: reply.calls.iter().map(call).collect(),
            stop: Cow::Borrowed(reply.stop.as_str()),
            usage: reply.usage,
            wire_format: Cow::Borrowed(reply.wire_format),
            wire: Cow::Borrowed(&reply.wire),
            standing,
        }
    }

    /// Writes an answer.
    pub(super) fn answer(
        results: &'a [ToolResult],
        texts: &'a [String],
        standing: Standing,
    ) -> Self {
        let answered = |result: &'a ToolResult| Answered {
            id: Cow::Borrowed(&result.id),
            name: Cow::Borrowed(&result.name),
            content: shortened(&result.content, LONGEST_RESULT),
            is_error: result.is_error,
            media: result.media.len(),
        };
        let results = results.iter().map(answered).collect();
        Self::Answer { results, texts: Cow::Borrowed(texts), standing }
    }

    /// Returns it for somebody who looks on.
    pub(super) fn spoken(self) -> Spoken {
        match self {
            Self::Past { agent, .. } => Spoken::Past(agent.into_owned()),
            Self::Anew { .. } => Spoken::Said(vec!["the conversation begins again".to_owned()]),
            Self::Opening { texts } => Spoken::Opening(texts.into_owned()),
            Self::Reply { model, text, calls, stop, usage, wire_format, wire, .. } => {
                let is_anthropic = wire_format == anthropic::WIRE && !wire.is_null();
                let reply = Reply {
                    text: text.into_owned(),
                    calls: calls.into_iter().map(Call::restored).collect(),
                    stop: StopReason::Other(stop.into_owned()),
                    usage,
                    wire: wire.into_owned(),
                    wire_format: if is_anthropic { anthropic::WIRE } else { REBUILT },
                    limits: RateLimits::default(),
                };
                Spoken::Reply(model.into_owned(), Box::new(reply))
            }
            Self::Answer { results, texts, .. } => {
                let results = results.into_iter().map(Answered::restored).collect();
                Spoken::Answer(results, texts.into_owned())
            }
            Self::Said { texts, .. } => Spoken::Said(texts.into_owned()),
            Self::SummedUp { summary, .. } => Spoken::SummedUp(summary.into_owned()),
        }
    }

    /// Does to a conversation what was done. What `model` said comes back as it was sent; another's
    /// words are rebuilt, as their signatures mean nothing to it.
    fn replay(self, history: &mut Option<History>, model: &str, wire: &'static str) -> Result<()> {
        let Some(history) = history else {
            let Self::Opening { texts } = self else {
                return Err(Error::internal("it does not begin with the user"));
            };
            *history = Some(History::new(texts.into_owned()));
            return Ok(());
        };
        match self {
            Self::Past { .. } | Self::Opening { .. } | Self::Anew => {
                Err(Error::internal("it begins twice"))
            }
            Self::Answer { results, texts, .. } => {
                let results = results.into_iter().map(Answered::restored).collect();
                history.push_answer(results, texts.into_owned())
            }
            Self::Said { texts, .. } => {
                history.mend()?;
                history.add_said(texts.into_owned())
            }
            Self::SummedUp { summary, from, longest } => history.sum_up(&summary, from, longest),
            Self::Reply {
                model: by, text, calls, stop, usage, wire_format, wire: sent, ..
            } => {
                let is_own = by == model && wire_format == wire && !sent.is_null();
                let sent = if is_own { sent.into_owned() } else { Value::Null };
                history.push_reply(Arc::new(Reply {
                    text: text.into_owned(),
                    calls: calls.into_iter().map(Call::restored).collect(),
                    stop: StopReason::from_word(&stop),
                    usage,
                    wire: sent,
                    wire_format: if is_own { wire } else { REBUILT },
                    limits: RateLimits::default(),
                }))
            }
        }
    }
}

impl Call<'_> {
    fn restored(self) -> ToolCall {
        let input = match (self.input, self.broken) {
            (Some(input), _) => Ok(input.into_owned()),
            (None, text) => Err(text.unwrap_or_default().into_owned()),
        };
        ToolCall { id: self.id.into_owned(), name: self.name.into_owned(), input }
    }
}

impl Answered<'_> {
    fn restored(self) -> ToolResult {
        let mut content = self.content.into_owned();
        if self.media > 0 {
            content.push_str("\n[what it showed was not kept]");
        }
        let (id, name) = (self.id.into_owned(), self.name.into_owned());
        ToolResult { id, name, content, media: Vec::new(), is_error: self.is_error }
    }
}

fn shortened(text: &str, longest: usize) -> Cow<'_, str> {
    if text.len() > longest {
        Cow::Owned(without_middle(text, longest))
    } else {
        Cow::Borrowed(text)
    }
}

/// Writes down one agent's conversation.
pub(super) struct Transcript {
    store: Arc<Store>,
    agent: String,
    next: u32,
    events: Events,
    /// It could not be written, which was said; it would have a hole.
    broken: bool,
}

impl Transcript {
    pub(super) fn new(store: Arc<Store>, agent: &str, events: Events) -> Self {
        Self { store, agent: agent.to_owned(), next: 0, events, broken: false }
    }

    /// Goes on after the first so many entries.
    pub(super) fn after(self, entries: u32) -> Self {
        Self { next: entries, ..self }
    }

    /// Adds an entry. The agent goes on without where that fails: its work is in git.
    pub(super) async fn add(&mut self, entry: &Entry<'_>) {
        if self.broken {
            return;
        }
        // What calls do must not be there without the reply that asked for it; and what was paid for, or
        // done, is neither asked for nor done again.
        let kept = matches!(entry, Entry::Reply { .. } | Entry::Answer { .. });
        let written = match serde_json::to_string(entry) {
            Ok(text) if text.len() > LONGEST_REPLY => written_short(entry),
            other => other,
        };
        let added = match written {
            Ok(text) if let Entry::Said { texts, .. } = entry => {
                self.store.add_heard(&self.agent, self.next, text, texts.to_vec()).await
            }
            Ok(text) => self.store.add_said(&self.agent, self.next, text, kept).await,
            Err(error) => Err(Error::internal("it cannot be written").because(error)),
        };
        self.next += 1;
        if let Err(error) = added {
            self.broken = true;
            let agent = &self.agent;
            let what = format!("{agent}: its conversation is not kept, it cannot be resumed");
            self.events.warn(format!("{what}: {error}"));
        }
    }
}

/// Writes an entry without what the provider sent, if it is a reply.
fn written_short(entry: &Entry<'_>) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(entry)?;
    if let Some(wire) = value.get_mut("wire") {
        *wire = Value::Null;
    }
    serde_json::to_string(&value)
}

/// A conversation as it was kept.
pub(super) struct Kept {
    /// What was said.
    pub(super) history: History,
    /// How many entries are the agent's own.
    pub(super) entries: u32,
    /// How it stands; absent as long as the agent has had no reply of its own.
    pub(super) standing: Option<Standing>,
    /// What was sent to the agent while it worked.
    pub(super) sent: Vec<String>,
}

/// Loads the conversation of an agent as `model` is to have it. `None` when it never began.
pub(super) async fn load(store: &Store, agent: &str, model: &dyn Model) -> Result<Option<Kept>> {
    let trouble = || format!("the conversation of `{agent}` cannot be read");
    let (mut who, mut upto) = (agent.to_owned(), usize::MAX);
    let mut parts: Vec<Vec<Entry<'static>>> = Vec::new();
    let mut own = None;
    while parts.len() < GENERATIONS {
        let mut said = store.said(&who).await?;
        said.truncate(upto);
        own.get_or_insert(said.len());
        let said = since_anew(said).or_kind(Kind::Io, trouble)?;
        let past = match said.first() {
            Some(Entry::Past { agent, entries }) => {
                Some((agent.clone().into_owned(), *entries as usize))
            }
            _ => None,
        };
        parts.push(said);
        let Some(past) = past else { break };
        (who, upto) = past;
    }
    let (standing, sent) = parts.first().map(|own| standing_of(own)).unwrap_or_default();
    let entries = parts.into_iter().rev().flatten();
    let history = restored(entries, model.name(), model.wire()).or_kind(Kind::Io, trouble)?;
    let entries = u32::try_from(own.unwrap_or_default()).unwrap_or(u32::MAX);
    Ok(history.map(|history| Kept { history, entries, standing, sent }))
}

/// Reads entries, without those before the last that says that it begins anew.
pub(super) fn since_anew(texts: Vec<String>) -> Result<Vec<Entry<'static>>> {
    let mut entries = Vec::with_capacity(texts.len());
    for text in texts {
        // Not borrowed from the text, which goes.
        let entry = serde_json::from_str::<Entry<'static>>(&text);
        match entry.or_kind(Kind::Io, || "an entry is none")? {
            Entry::Anew => entries.clear(),
            entry => entries.push(entry),
        }
    }
    Ok(entries)
}

/// Returns how a conversation stands after an agent's own entries, and what was sent to it.
fn standing_of(own: &[Entry<'_>]) -> (Option<Standing>, Vec<String>) {
    let (mut stands, mut heard) = (None, Vec::new());
    for entry in own {
        match entry {
            Entry::Reply { standing, .. } | Entry::Answer { standing, .. } => {
                stands.get_or_insert_with(Standing::default).follow(standing.clone());
            }
            Entry::Said { texts, sent: true } => heard.extend_from_slice(texts),
            _ => {}
        }
    }
    (stands, heard)
}

/// Restores a conversation from what was written of it, for the model of this name and wire format.
pub(super) fn restored<'a>(
    entries: impl IntoIterator<Item = Entry<'a>>,
    model: &str,
    wire: &'static str,
) -> Result<Option<History>> {
    let mut history = None;
    for entry in entries {
        if !matches!(entry, Entry::Past { .. }) {
            entry.replay(&mut history, model, wire)?;
        }
    }
    Ok(history)
}
