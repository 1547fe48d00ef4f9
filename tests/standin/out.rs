//! What both wires need to write a reply out: ids, frames, deltas split at odd places.

use serde_json::Value;

use super::measure::Usage;
use super::talk::{Call, Part, Reply};

/// What a frame is, for faults that must hit a certain place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A piece of text.
    Text,
    /// A piece of a call's arguments.
    Arguments,
    /// A final event: without it the stream is not whole.
    End,
    /// Anything else.
    Other,
}

/// One server-sent event.
#[derive(Clone, Debug)]
pub struct Frame {
    pub text: String,
    pub kind: FrameKind,
}

/// What goes around a reply.
pub struct Envelope<'a> {
    pub model: &'a str,
    /// Names this reply within the server; ids are made of it.
    pub mint: String,
    pub usage: Usage,
    /// Chat Completions: the client asked for usage in the stream.
    pub include_usage: bool,
    /// Chat Completions: behave like the servers that are merely compatible.
    pub quirks: bool,
}

impl Envelope<'_> {
    /// Returns the id of the `index`th call.
    pub fn call_id(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}_{}_{index}", self.mint)
    }
}

/// Splits text into pieces of uneven lengths, at most about a dozen.
pub fn split(text: &str) -> Vec<&str> {
    let most = (text.len() / 6).max(5) | 1;
    let (mut pieces, mut rest, mut length) = (Vec::new(), text, 3);
    while !rest.is_empty() {
        let mut end = length.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
        length = most;
    }
    pieces
}

/// Returns the calls of a reply with their ids and arguments, as a client would read them.
pub fn calls(reply: &Reply, envelope: &Envelope<'_>, prefix: &str) -> Vec<Call> {
    let parts = reply.parts.iter().filter_map(|part| match part {
        Part::Call { name, input } => Some((name.clone(), input.clone())),
        Part::Broken { name, text } => Some((name.clone(), Value::from(text.as_str()))),
        _ => None,
    });
    parts
        .enumerate()
        .map(|(index, (name, input))| Call { id: envelope.call_id(prefix, index), name, input })
        .collect()
}
