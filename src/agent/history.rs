//! The conversation, and the one rule that every provider enforces: each tool call of a reply has
//! exactly one result in the message that follows.
//!
//! What the user said of his own accord (the task, what came with `task:send`, the prompt of a
//! resumption) is told apart from what the host says on its way: when room is made it stays as it is,
//! and the rest is summed up.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::model::{Message, Reply, ToolCall, ToolResult};

/// The longest text of the user that survives a summary word for word; a longer one is summed up.
const LONGEST_WORD: usize = 32 * 1024;

/// The result of a call that nobody saw the end of.
const INTERRUPTED: &str = "interrupted: this call may have run, wholly or in part, or not at all; check \
                           the state before you go on";

/// What was said so far; starts with the user and alternates.
#[derive(Clone)]
pub struct History {
    messages: Vec<Message>,
    /// How many texts of the first message stay when room is made: those the conversation began with,
    /// and what the user said in messages that were summed up since.
    opening: usize,
    /// Later texts of the user's own: message and text.
    said: Vec<(usize, usize)>,
}

impl History {
    /// Begins with what the user says.
    pub fn new(texts: Vec<String>) -> Self {
        let opening = texts.len();
        let messages = vec![Message::User { results: Vec::new(), texts }];
        Self { messages, opening, said: Vec::new() }
    }

    /// Returns the messages.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Adds a reply.
    ///
    /// # Errors
    /// Internal, when the message before it was a reply too.
    pub fn push_reply(&mut self, reply: Arc<Reply>) -> Result<()> {
        if let Some(Message::Assistant(_)) = self.messages.last() {
            return Err(Error::internal("two replies in a row"));
        }
        self.messages.push(Message::Assistant(reply));
        Ok(())
    }

    /// Adds what answers the last reply: its results, then texts.
    ///
    /// # Errors
    /// Internal, when the results are not exactly those of the reply's calls, in order.
    pub fn push_answer(&mut self, results: Vec<ToolResult>, texts: Vec<String>) -> Result<()> {
        let Some(Message::Assistant(reply)) = self.messages.last() else {
            return Err(Error::internal("an answer without a reply"));
        };
        let called = reply.calls.iter().map(|call| &call.id);
        if !called.eq(results.iter().map(|result| &result.id)) {
            return Err(Error::internal("the results are not those of the calls"));
        }
        self.messages.push(Message::User { results, texts });
        Ok(())
    }

    /// Adds texts of the user's own to the last message, which is not a reply.
    ///
    /// # Errors
    /// Internal, when it is one.
    pub fn add_said(&mut self, words: Vec<String>) -> Result<()> {
        let message = self.messages.len() - 1;
        let Some(Message::User { texts, .. }) = self.messages.last_mut() else {
            return Err(Error::internal("words of the user after a reply that has no answer"));
        };
        self.said.extend((texts.len()..texts.len() + words.len()).map(|text| (message, text)));
        texts.extend(words);
        Ok(())
    }

    /// Adds a text to the user's last message: after a reply that was empty, and could not be kept.
    pub fn nudge(&mut self, text: &str) {
        if let Some(Message::User { texts, .. }) = self.messages.last_mut() {
            texts.push(text.to_owned());
        }
    }

    /// Returns the last message, if it is a reply: nothing answers it yet.
    pub fn unanswered(&self) -> Option<&Arc<Reply>> {
        match self.messages.last() {
            Some(Message::Assistant(reply)) => Some(reply),
            _ => None,
        }
    }

    /// Answers a reply that was cut off from its results, so that the conversation can go on: nobody
    /// knows how far its calls came.
    ///
    /// # Errors
    /// Never, as each call is answered.
    pub fn mend(&mut self) -> Result<()> {
        let Some(reply) = self.unanswered() else { return Ok(()) };
        let results = interrupted(reply);
        self.push_answer(results, Vec::new())
    }

    /// Puts a summary in the place of everything between the first message and the message `from`, a
    /// reply, or the end. What is kept is kept as it is, but for results of more than `longest` bytes,
    /// whose middle goes.
    ///
    /// # Errors
    /// Internal, when `from` is no such place or the last reply has no answer: a call would be cut from
    /// its result.
    pub fn sum_up(&mut self, summary: &str, from: usize, longest: usize) -> Result<()> {
        let is_reply = |at| matches!(self.messages.get(at), Some(Message::Assistant(_)));
        if from == 0
            || from > self.messages.len()
            || (from < self.messages.len() && !is_reply(from))
        {
            return Err(Error::internal("a summary cannot end in the middle of a turn"));
        }
        if self.unanswered().is_some() {
            return Err(Error::internal("a conversation is summed up when it is the model's turn"));
        }
        let (old, kept): (Vec<_>, Vec<_>) =
            self.said.iter().copied().partition(|(at, _)| *at < from);
        let old: Vec<String> = old.into_iter().filter_map(|place| self.word(place)).collect();
        let mut tail = self.messages.split_off(from);
        self.said = kept.into_iter().map(|(at, text)| (at - from + 1, text)).collect();
        for message in &mut tail {
            shorten(message, longest);
        }
        self.messages.truncate(1);
        if let Some(Message::User { texts, .. }) = self.messages.first_mut() {
            texts.truncate(self.opening);
            texts.extend(old);
            self.opening = texts.len();
            texts.push(summary.to_owned());
        }
        self.messages.append(&mut tail);
        Ok(())
    }

    /// Cuts the middle out of all results of more than `longest` bytes, but for the last `whole` messages
    /// that have results.
    pub(super) fn shorten_old(&mut self, whole: usize, longest: usize) {
        let has_results = |message: &&mut Message| matches!(message, Message::User { results, .. } if !results.is_empty());
        let old = self.messages.iter_mut().rev().filter(has_results).skip(whole);
        old.for_each(|message| shorten(message, longest));
    }

    /// Returns a text of the user's own, if it is one that stays as it is.
    fn word(&self, (message, text): (usize, usize)) -> Option<String> {
        let Message::User { texts, .. } = self.messages.get(message)? else { return None };
        texts.get(text).filter(|text| text.len() <= LONGEST_WORD).cloned()
    }
}

/// Returns what the calls of a reply come to that nobody saw the end of.
pub(super) fn interrupted(reply: &Reply) -> Vec<ToolResult> {
    let interrupted = |call: &ToolCall| ToolResult {
        id: call.id.clone(),
        name: call.name.clone(),
        content: INTERRUPTED.to_owned(),
        media: Vec::new(),
        is_error: true,
    };
    reply.calls.iter().map(interrupted).collect()
}

/// Cuts the middle out of the results of a message that have more than `longest` bytes.
pub(super) fn shorten(message: &mut Message, longest: usize) {
    let Message::User { results, .. } = message else { return };
    for result in results {
        if result.content.len() > longest {
            result.content = without_middle(&result.content, longest);
        }
        if !result.media.is_empty() && longest < usize::MAX {
            result.media.clear();
            result.content.push_str("\n[what it showed is left out]");
        }
    }
}

/// Returns about `longest` bytes of a text: its start and its end, and how much is missing.
pub(super) fn without_middle(text: &str, longest: usize) -> String {
    let head = text.floor_char_boundary(longest - longest / 3);
    let tail = text.ceil_char_boundary(text.len().saturating_sub(longest / 3)).max(head);
    let missing = tail - head;
    format!("{}\n[{missing} bytes left out]\n{}", &text[..head], &text[tail..])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::event::Usage;
    use crate::model::StopReason;
    use crate::model::rate::RateLimits;

    fn reply(ids: &[&str]) -> Arc<Reply> {
        Arc::new(Reply {
            text: String::new(),
            calls: ids
                .iter()
                .map(|id| ToolCall {
                    id: (*id).into(),
                    name: "Read".into(),
                    input: Ok(serde_json::json!({})),
                })
                .collect(),
            stop: StopReason::ToolUse,
            usage: Usage::default(),
            wire: serde_json::Value::Null,
            wire_format: "test",
            limits: RateLimits::default(),
        })
    }

    fn result(id: &str) -> ToolResult {
        ToolResult {
            id: id.into(),
            name: "Read".into(),
            content: "x".into(),
            media: vec![],
            is_error: false,
        }
    }

    #[test]
    fn every_call_is_answered_once_and_in_order() {
        let mut history = History::new(vec!["go".into()]);
        history.push_reply(reply(&["a", "b"])).unwrap();
        assert!(history.push_reply(reply(&[])).is_err());
        for wrong in [
            vec![],
            vec![result("a")],
            vec![result("b"), result("a")],
            vec![result("a"), result("b"), result("c")],
        ] {
            assert!(history.push_answer(wrong, vec![]).is_err());
        }
        history.push_answer(vec![result("a"), result("b")], vec![]).unwrap();
        assert!(history.push_answer(vec![], vec!["x".into()]).is_err());
    }
}
