//! What the server remembers: what it said, who asked what how often, which prefixes it has seen.
//!
//! A reply is recognised by the call ids it minted, and one without calls by its text, so nothing
//! depends on a header that real clients do not send. An id names its conversation.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::complaint::{Checked, ensure};
use super::measure::{Measure, digest_of};
use super::talk::{Call, Step, Talk, Wire};

/// A reply as it went out.
#[derive(Clone, Debug)]
pub struct Sent {
    pub wire: Wire,
    /// The message in its wire's form, as a client has to send it back.
    pub raw: Value,
    pub text: String,
    /// Id and name of each call.
    pub calls: Vec<(String, String)>,
    /// The calls have broken arguments, which a client may send back as it likes.
    pub loose: bool,
    /// The client got all of it.
    pub complete: bool,
}

/// How often the same conversation was brought, and answered in full.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    pub tries: u32,
    pub answers: u32,
}

struct Conversation {
    prefix: u64,
    /// How many messages it had, and their digest.
    messages: (usize, u64),
}

/// The memory of a server.
#[derive(Default)]
pub struct Memory {
    by_id: HashMap<String, Arc<Sent>>,
    by_text: HashMap<u64, Vec<(Wire, Value)>>,
    shapes: HashSet<u64>,
    asked: HashMap<u64, Asked>,
    hushed: Vec<Vec<Step>>,
    conversations: HashMap<String, Conversation>,
    /// Distinct prefixes and their sizes in bytes.
    pub prefixes: HashMap<u64, usize>,
    pub cached: HashSet<u64>,
    /// Conversations whose earlier messages came back changed.
    pub rewritten: u64,
}

/// Returns the conversation that a call id names.
fn conversation_of(id: &str) -> Option<&str> {
    id.split('_').nth(1)
}

/// Returns the name of the conversation, if the server has named it yet.
pub fn name_of(talk: &Talk) -> Option<&str> {
    talk.call_ids().find_map(conversation_of)
}

/// Returns the largest number of a turn that a call id names.
pub fn last_number(talk: &Talk) -> usize {
    let number = |id: &str| id.split('_').nth(2)?.parse().ok();
    talk.call_ids().filter_map(number).max().unwrap_or(0)
}

impl Memory {
    /// Checks that every assistant message is one that was sent, unchanged and whole; with `respelled`
    /// arguments may be other text of the same JSON.
    pub fn echoes(&self, wire: Wire, talk: &Talk, ids_are_ours: bool, respelled: bool) -> Checked {
        for (index, step) in talk.steps.iter().enumerate() {
            let Step::Assistant { text, calls, raw } = step else { continue };
            match calls.first().map(|call| self.by_id.get(&call.id)) {
                Some(Some(sent)) => echo_of_call(sent, wire, index, step, respelled)?,
                Some(None) => {
                    let known = [shape(text, calls), loose_shape(text, calls)];
                    let is_known = known.iter().any(|shape| self.shapes.contains(shape));
                    ensure(!ids_are_ours && is_known, || {
                        format!("messages.{index}: the call id `{}` was never sent", calls[0].id)
                    })?;
                }
                None => self.echo_of_text(wire, index, text, raw)?,
            }
        }
        Ok(())
    }

    fn echo_of_text(&self, wire: Wire, index: usize, text: &str, raw: &Value) -> Checked {
        let sent = self.by_text.get(&digest_of(text)).map_or(&[][..], Vec::as_slice);
        ensure(!sent.is_empty(), || {
            format!("messages.{index}: no whole message with the text {text:?} was sent")
        })?;
        let mut same_wire = sent.iter().filter(|(of, _)| *of == wire).peekable();
        ensure(same_wire.peek().is_none() || same_wire.any(|(_, sent)| sent == raw), || {
            modified(index, &sent[0].1, raw)
        })
    }

    /// Checks that tools and system have not changed, and notes whether earlier messages have.
    pub fn stable(&mut self, talk: &Talk, measure: &Measure, strict: bool) -> Checked {
        let (prefix, size) = measure.prefix;
        self.prefixes.insert(prefix, size);
        let Some(name) = name_of(talk) else { return Ok(()) };
        let messages = (measure.messages.len(), measure.talk());
        let Some(known) = self.conversations.get_mut(name) else {
            let fresh = Conversation { prefix, messages };
            self.conversations.insert(name.to_owned(), fresh);
            return Ok(());
        };
        let (count, digest) = known.messages;
        if count > messages.0 || measure.messages[count - 1] != digest {
            self.rewritten += 1;
        }
        known.messages = messages;
        ensure(
            !strict || known.prefix == prefix,
            || "the system prompt or the tools are not the bytes of this conversation's first request",
        )
    }

    /// Names the prefix of a conversation that begins.
    pub fn begin(&mut self, id: &str, measure: &Measure) {
        let messages = (measure.messages.len(), measure.talk());
        if let Some(name) = conversation_of(id) {
            let fresh = Conversation { prefix: measure.prefix.0, messages };
            self.conversations.entry(name.to_owned()).or_insert(fresh);
        }
    }

    /// Returns how often this was asked before, and counts this time.
    pub fn ask(&mut self, talk: &Talk, measure: &Measure) -> Asked {
        let asked = self.asked.entry(measure.talk()).or_default();
        let mut before = *asked;
        asked.tries += 1;
        if self.hushed.iter().any(|hushed| goes_on(hushed, &talk.steps)) {
            before.answers += 1;
        }
        before
    }

    /// Remembers a reply.
    pub fn record(&mut self, talk: &Talk, measure: &Measure, sent: Sent, arguments: &[Call]) {
        if sent.complete {
            self.asked.entry(measure.talk()).or_default().answers += 1;
            if sent.text.is_empty() && sent.calls.is_empty() {
                self.hushed.push(talk.steps.clone());
            } else if sent.calls.is_empty() {
                let known = self.by_text.entry(digest_of(sent.text.as_str())).or_default();
                let entry = (sent.wire, sent.raw.clone());
                if !known.contains(&entry) {
                    known.push(entry);
                }
            }
            let shape = if sent.loose { loose_shape } else { shape };
            self.shapes.insert(shape(&sent.text, arguments));
        }
        let sent = Arc::new(sent);
        for (id, _) in &sent.calls {
            self.by_id.insert(id.clone(), Arc::clone(&sent));
        }
    }
}

/// Digests a reply without its ids.
fn shape(text: &str, calls: &[Call]) -> u64 {
    let calls: Vec<_> = calls.iter().map(|call| (&call.name, call.input.to_string())).collect();
    digest_of(&(text, calls))
}

/// Digests a reply with broken arguments, which a client may send back as it likes.
fn loose_shape(text: &str, calls: &[Call]) -> u64 {
    let names: Vec<_> = calls.iter().map(|call| &call.name).collect();
    digest_of(&(text, names))
}

/// Reports whether `now` is what `before` was, perhaps with more text at its end.
fn goes_on(before: &[Step], now: &[Step]) -> bool {
    let (Some((last, earlier)), Some((last_now, earlier_now))) =
        (before.split_last(), now.split_last())
    else {
        return false;
    };
    let (Step::User { results, text }, Step::User { results: results_now, text: text_now }) =
        (last, last_now)
    else {
        return false;
    };
    earlier == earlier_now && results == results_now && text_now.starts_with(text.as_str())
}

fn echo_of_call(sent: &Sent, wire: Wire, index: usize, step: &Step, respelled: bool) -> Checked {
    let Step::Assistant { text, calls, raw } = step else { return Ok(()) };
    ensure(sent.complete, || {
        format!("messages.{index}: is a message that was cut; no part of it may come back")
    })?;
    let same_calls = calls.len() == sent.calls.len()
        && calls
            .iter()
            .zip(&sent.calls)
            .all(|(call, (id, name))| call.id == *id && call.name == *name);
    if sent.wire != wire {
        return ensure(same_calls && *text == sent.text, || modified(index, &sent.raw, raw));
    }
    let same = if sent.loose {
        same_calls && without_input(&sent.raw) == without_input(raw)
    } else if respelled {
        with_parsed_arguments(&sent.raw) == with_parsed_arguments(raw)
    } else {
        sent.raw == *raw
    };
    ensure(same, || modified(index, &sent.raw, raw))
}

fn without_input(raw: &Value) -> Value {
    let mut raw = raw.clone();
    for block in raw.as_array_mut().into_iter().flatten() {
        if block["type"] == "tool_use" {
            block["input"] = Value::Null;
        }
        if block["type"] == "function_call" {
            block["arguments"] = Value::Null;
        }
    }
    let calls = raw.get_mut("tool_calls").and_then(Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        call["function"]["arguments"] = Value::Null;
    }
    raw
}

fn with_parsed_arguments(raw: &Value) -> Value {
    let mut raw = raw.clone();
    let calls = raw.get_mut("tool_calls").and_then(Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        let text = call["function"]["arguments"].as_str().unwrap_or_default();
        call["function"]["arguments"] = serde_json::from_str(text).unwrap_or_default();
    }
    raw
}

/// Says which part of a message came back changed.
fn modified(index: usize, sent: &Value, got: &Value) -> String {
    let blocks = |message: &Value| match message {
        Value::Array(blocks) => blocks.clone(),
        other => vec![other.clone()],
    };
    let (sent, got) = (blocks(sent), blocks(got));
    let place =
        sent.iter().zip(&got).position(|(a, b)| a != b).unwrap_or(sent.len().min(got.len()));
    let show = |blocks: &[Value]| {
        let text = blocks.get(place).map_or("nothing".to_owned(), Value::to_string);
        text.chars().take(300).collect::<String>()
    };
    let thinking = sent
        .get(place)
        .is_some_and(|block| block["type"].as_str().is_some_and(|kind| kind.ends_with("thinking")));
    let rule = if thinking {
        "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be \
         modified. These blocks must remain as they were in the original response"
    } else {
        "an assistant message must come back as it was sent"
    };
    format!("messages.{index}.content.{place}: {rule}; sent {}, got {}", show(&sent), show(&got))
}
