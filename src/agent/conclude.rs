//! Whether an answer is the final one: what is asked of it beyond the model's own word.
//!
//! In this order: it has to fit the schema, then the work has to be verified.

use super::outcome::Subtype;
use super::session::{Ending, Session};
use super::structured::Judged;
use crate::error::Result;
use crate::model::{Reply, ToolResult};

/// What becomes of an answer.
pub(super) enum Verdict {
    /// It is final.
    Accepted,
    /// The agent is told this, and goes on.
    Again(Vec<String>),
    /// There is no point in going on.
    Failed(Ending),
}

impl Verdict {
    /// Returns what the agent is told, and how it ends if it does.
    pub fn parts(self) -> (Vec<String>, Option<Ending>) {
        match self {
            Self::Accepted => (Vec::new(), Some(Ending::success())),
            Self::Again(told) => (told, None),
            Self::Failed(ending) => (Vec::new(), Some(ending)),
        }
    }
}

impl Session<'_> {
    /// Tells the agent before it begins what its end is held to.
    ///
    /// # Errors
    /// Cancelled.
    pub(super) async fn foretell(&mut self) -> Result<()> {
        if let Some(structured) = &self.structured {
            let told = structured.announcement();
            self.keep_said(vec![told]).await?;
        }
        self.take_baseline().await
    }

    /// Judges an answer without calls.
    ///
    /// # Errors
    /// Cancelled, and what keeps a command from running.
    pub(super) async fn conclude(&mut self, reply: &Reply) -> Result<Verdict> {
        if let Some(structured) = &self.structured {
            match structured.judge_text(&reply.text) {
                Judged::Fits => {}
                Judged::Told(told) => return Ok(Verdict::Again(vec![told])),
                Judged::Spent => return Ok(self.misfit()),
            }
        }
        self.approve().await
    }

    /// Judges the results of a turn's calls: the agent is done when one of them was its final answer.
    ///
    /// # Errors
    /// As [`Self::conclude`].
    pub(super) async fn answered(&mut self, results: &[ToolResult]) -> Result<Verdict> {
        let going_on = Verdict::Again(Vec::new());
        let Some(structured) = &self.structured else { return Ok(going_on) };
        if !results.iter().any(|result| structured.takes(&result.name)) {
            return Ok(going_on);
        }
        if structured.is_spent() {
            return Ok(self.misfit());
        }
        // An answer that was written before a failure was seen is not the last word.
        if !structured.fits() || results.iter().any(|result| result.is_error) {
            return Ok(going_on);
        }
        self.approve().await
    }

    /// Asks those who look at the work of an agent that says it is done.
    async fn approve(&mut self) -> Result<Verdict> {
        let text = self.last_text.clone();
        let mut verdict = self.verify(&text).await?;
        if let Verdict::Accepted = verdict
            && let Some(told) = self.ask_stop_hook(&text).await?
        {
            verdict = Verdict::Again(vec![told]);
        }
        if let (Verdict::Again(_), Some(structured)) = (&verdict, &self.structured) {
            structured.reopen();
        }
        Ok(verdict)
    }

    /// Ends an agent whose answers never fitted.
    fn misfit(&self) -> Verdict {
        let error = self.structured.as_ref().map(|structured| structured.error());
        Verdict::Failed(Ending { subtype: Subtype::ErrorStructuredOutput, error })
    }
}
