//! The conversation, and the one rule that every provider enforces: each tool call of a reply has
//! exactly one result in the message that follows.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::model::{Message, Reply, ToolResult};

/// What was said so far; starts with the user and alternates.
pub struct History {
    messages: Vec<Message>,
}

impl History {
    /// Begins with what the user says.
    pub fn new(texts: Vec<String>) -> Self {
        Self { messages: vec![Message::User { results: Vec::new(), texts }] }
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

    /// Adds a text to the user's last message: after a reply that was empty, and could not be kept.
    pub fn nudge(&mut self, text: &str) {
        if let Some(Message::User { texts, .. }) = self.messages.last_mut() {
            texts.push(text.to_owned());
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::event::Usage;
    use crate::model::rate::RateLimits;
    use crate::model::{StopReason, ToolCall};

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
