//! What was said, kept: every message of a conversation goes through here, into the history that
//! the model is asked with, and into the transcript that outlives this process.

use std::borrow::Cow;
use std::sync::Arc;

use super::inbox::{Source, Word};
use super::outcome::Subtype;
use super::session::{Ending, Session};
use super::transcript::Entry;
use crate::crash;
use crate::error::Result;
use crate::model::{Reply, ToolResult};

impl Session<'_> {
    /// Keeps what the model said.
    pub(super) async fn keep_reply(&mut self, reply: &Arc<Reply>) -> Result<()> {
        self.history.push_reply(Arc::clone(reply))?;
        let (model, standing) = (self.model(), self.standing());
        // Before it, so that it is written when that is: what was paid for counts.
        self.show_progress().await;
        self.write(&Entry::reply(reply, model.name(), standing)).await;
        crash::point(if reply.calls.is_empty() { "final.kept" } else { "reply.kept" });
        Ok(())
    }

    /// Keeps what answers it.
    pub(super) async fn keep_answer(
        &mut self,
        results: Vec<ToolResult>,
        texts: Vec<String>,
    ) -> Result<()> {
        self.settle_tab();
        self.tell_answer(&results, &texts);
        let standing = self.standing();
        self.show_progress().await;
        self.write(&Entry::answer(&results, &texts, standing)).await;
        crash::point("answer.kept");
        self.history.push_answer(results, texts)
    }

    /// Keeps that everything before a message was summed up.
    pub(super) async fn keep_summary(&mut self, summary: String, from: usize, longest: usize) {
        self.write(&Entry::SummedUp { summary: Cow::Owned(summary), from, longest }).await;
    }

    /// Takes in what there is to say to the agent, before the model is asked.
    pub(super) async fn hear(&mut self) -> Result<()> {
        let words = self.live.inbox.take();
        let words = self.without_repeated(words);
        self.take_in(words).await
    }

    /// Reports whether this is the end: not where an agent is done and the script has more to say to
    /// it. If it is, nobody can say anything any more.
    pub(super) async fn is_over(&mut self, ending: &Ending) -> Result<bool> {
        if ending.subtype != Subtype::Success {
            return Ok(true);
        }
        loop {
            let words = self.live.inbox.take_or_close();
            if words.is_empty() {
                return Ok(true);
            }
            let words = self.without_repeated(words);
            if !words.is_empty() {
                self.take_in(words).await?;
                return Ok(false);
            }
        }
    }

    async fn take_in(&mut self, words: Vec<Word>) -> Result<()> {
        if words.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
        self.tell_answer(&[], &texts);
        for said in words.chunk_by(|one, next| one.source == next.source) {
            let texts = said.iter().map(|word| word.text.clone()).collect();
            self.keep(texts, said[0].source == Source::Script).await?;
        }
        Ok(())
    }

    /// Keeps words that stay as they are, after the last message.
    pub(super) async fn keep_said(&mut self, words: Vec<String>) -> Result<()> {
        if words.is_empty() {
            return Ok(());
        }
        self.keep(words, false).await
    }

    async fn keep(&mut self, words: Vec<String>, sent: bool) -> Result<()> {
        self.write(&Entry::Said { texts: Cow::Borrowed(&words), sent }).await;
        self.history.mend()?;
        self.history.add_said(words)
    }

    async fn write(&mut self, entry: &Entry<'_>) {
        if let Some(transcript) = &mut self.transcript {
            transcript.add(entry).await;
        }
    }
}
