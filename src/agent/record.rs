//! What was said, kept: every message of a conversation goes through here, into the history that
//! the model is asked with, and into the transcript that outlives this process.

use std::borrow::Cow;
use std::sync::Arc;

use super::session::Session;
use super::transcript::Entry;
use crate::error::Result;
use crate::model::{Reply, ToolResult};

impl Session<'_> {
    /// Keeps what the model said.
    pub(super) async fn keep_reply(&mut self, reply: &Arc<Reply>) -> Result<()> {
        self.history.push_reply(Arc::clone(reply))?;
        self.write(&Entry::reply(reply, self.query.model.name())).await;
        Ok(())
    }

    /// Keeps what answers it, and with it what the script has to say meanwhile.
    pub(super) async fn keep_answer(
        &mut self,
        results: Vec<ToolResult>,
        texts: Vec<String>,
    ) -> Result<()> {
        self.settle_tab();
        self.write(&Entry::answer(&results, &texts)).await;
        self.history.push_answer(results, texts)?;
        let words = self.live.inbox.take();
        self.keep_said(words).await
    }

    /// Keeps words of the user's own, after the last message.
    pub(super) async fn keep_said(&mut self, words: Vec<String>) -> Result<()> {
        if words.is_empty() {
            return Ok(());
        }
        self.write(&Entry::Said { texts: Cow::Borrowed(&words) }).await;
        self.history.mend()?;
        self.history.add_said(words)
    }

    /// Keeps that everything before a message was summed up.
    pub(super) async fn keep_summary(&mut self, summary: String, from: usize, longest: usize) {
        self.write(&Entry::SummedUp { summary: Cow::Owned(summary), from, longest }).await;
    }

    /// Reports whether the script has more to say to an agent that is done. If not, it cannot any more.
    pub(super) async fn hears_more(&mut self) -> Result<bool> {
        let words = self.live.inbox.take_or_close();
        let more = !words.is_empty();
        self.keep_said(words).await?;
        Ok(more)
    }

    async fn write(&mut self, entry: &Entry<'_>) {
        if let Some(transcript) = &mut self.transcript {
            transcript.add(entry).await;
        }
    }
}
