//! How many tokens a request has before it is sent: what the last answer counted, and the bytes that
//! came since. Two readings: the likely one for the provider's limits, and the most it can be for money.

use std::io::{self, Write};

use serde::Serialize;

use crate::event::Usage;
use crate::media::Media;
use crate::model::{Message, Request};

/// Bytes that a message has beside its texts.
const FRAME: u64 = 40;
/// What a picture counts for, in bytes of text.
const PICTURE: u64 = 10_000;
/// The most that a document counts for.
const LONGEST_DOCUMENT: u64 = 1_000_000;

/// What the last answer told of a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// How many messages had been sent.
    pub messages: usize,
    /// What it counted.
    pub usage: Usage,
}

/// The size of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Tokens that were counted before, and those of them that a cache will serve.
    known: u64,
    cached: u64,
    /// Bytes that nobody has counted yet.
    bytes: u64,
}

impl Load {
    /// Measures a request; `known` is what the last answer told, if it was of the same conversation.
    pub fn of(request: &Request, known: Option<Known>) -> Self {
        let known = known.filter(|known| {
            known.usage.total_input() > 0 && known.messages <= request.messages.len()
        });
        let Some(Known { messages, usage }) = known else {
            let tools: u64 = request.tools.iter().map(json_bytes).sum();
            let said: u64 = request.messages.iter().map(message_bytes).sum();
            return Self { bytes: request.system.len() as u64 + tools + said, ..Self::default() };
        };
        let since = request.messages.iter().skip(messages + 1).map(message_bytes);
        Self {
            known: usage.total_input() + usage.output_tokens,
            cached: usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
            // The last message may have got longer meanwhile (a nudge).
            bytes: 4 * FRAME + since.sum::<u64>(),
        }
    }

    /// Returns the tokens that it likely counts for at the provider, which leaves out what a cache
    /// serves.
    pub fn likely(&self) -> u64 {
        self.known.saturating_sub(self.cached) + self.bytes / 4
    }

    /// Returns the most tokens that it can have: no text has more than one in two bytes.
    pub fn at_most(&self) -> u64 {
        self.known + self.bytes / 2
    }
}

fn message_bytes(message: &Message) -> u64 {
    match message {
        Message::User { results, texts } => {
            let results = results.iter().map(|result| {
                let media: u64 = result.media.iter().map(media_bytes).sum();
                FRAME + (result.id.len() + result.content.len()) as u64 + media
            });
            let texts = texts.iter().map(|text| FRAME + text.len() as u64);
            results.chain(texts).sum()
        }
        Message::Assistant(reply) => {
            FRAME
                + json_bytes(&reply.wire).max((reply.text.len() as u64) + json_bytes(&reply.calls))
        }
    }
}

fn media_bytes(media: &Media) -> u64 {
    if media.is_document() {
        (media.data.len() as u64 / 2).clamp(PICTURE, LONGEST_DOCUMENT)
    } else {
        PICTURE
    }
}

fn json_bytes(value: &impl Serialize) -> u64 {
    let mut count = Count(0);
    // It takes every byte, and what is sent anyway can be written.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Reply, StopReason, ToolResult};

    fn request(messages: Vec<Message>) -> Request {
        Request {
            caller: Arc::default(),
            turn: 1,
            system: "s".repeat(4000).into(),
            tools: Arc::new([]),
            messages,
            max_output_tokens: None,
            effort: None,
            format: None,
            must_call: None,
            idle_timeout: std::time::Duration::from_secs(1),
        }
    }

    fn said(text: &str) -> Message {
        Message::User { results: Vec::new(), texts: vec![text.to_owned()] }
    }

    fn replied() -> Message {
        Message::Assistant(Arc::new(Reply {
            text: "x".repeat(4000),
            calls: Vec::new(),
            stop: StopReason::ToolUse,
            usage: Usage::default(),
            wire: serde_json::Value::Null,
            wire_format: "test",
            limits: crate::model::rate::RateLimits::default(),
        }))
    }

    #[test]
    fn bytes_are_counted_until_an_answer_has_counted_tokens() {
        let first = Load::of(&request(vec![said(&"p".repeat(4000))]), None);
        assert_eq!((first.likely(), first.at_most()), (2010, 4020));
        let content = "r".repeat(2000);
        let result = ToolResult {
            id: String::new(),
            name: String::new(),
            content,
            media: Vec::new(),
            is_error: false,
        };
        let answer = Message::User { results: vec![result], texts: Vec::new() };
        let second = request(vec![said("p"), replied(), answer]);
        let usage = Usage {
            input_tokens: 100,
            output_tokens: 30,
            cache_read_input_tokens: 700,
            cache_creation_input_tokens: 200,
        };
        let known = Known { messages: 1, usage };
        let load = Load::of(&second, Some(known));
        // What is cached does not count at the provider; the reply is counted already.
        assert_eq!((load.likely(), load.at_most()), (130 + 2200 / 4, 1030 + 2200 / 2));
        let shorter = Known { messages: 9, usage };
        assert!(Load::of(&second, Some(shorter)).at_most() > 5000, "of another conversation");
        let silent = Known { messages: 1, usage: Usage::default() };
        assert!(Load::of(&second, Some(silent)).at_most() > 5000, "a server that does not count");
    }

    #[test]
    fn pictures_and_documents_count() {
        let media = |media_type, len: usize| Media { media_type, data: vec![0; len].into() };
        assert_eq!(media_bytes(&media("image/png", 9_000_000)), PICTURE);
        assert_eq!(media_bytes(&media("application/pdf", 10)), PICTURE);
        assert_eq!(media_bytes(&media("application/pdf", 100_000)), 50_000);
        assert_eq!(media_bytes(&media("application/pdf", 9_000_000)), LONGEST_DOCUMENT);
    }
}
