//! Going on in the middle of a conversation that was cut off: where it stopped, and what is still to be
//! done about the last that was said. Nothing is asked of the model a second time, and no call of it
//! runs a second time: nobody knows how far those came.

use std::sync::Arc;

use super::conclude::Verdict;
use super::inbox::{Source, Word};
use super::session::{Ending, Session};
use crate::error::Error;
use crate::git::Worktree;
use crate::model::{Message, Reply, ToolResult};

/// What the model is told when the files are not all those that it left.
const REMADE: &str = "<resumed>\nYour directory was lost and has been made again: files that git ignores \
                      are gone, and others may be as they were a turn ago. Look before you rely on them.\n\
                      </resumed>";

/// Where a conversation was cut off.
pub(super) enum Place {
    /// It is the model's turn.
    Asking,
    /// The model said this, and has no answer yet.
    Said(Arc<Reply>),
    /// All was said.
    Over(Ending),
}

impl Session<'_> {
    /// Finds where the conversation was cut off. An answer that was the last word is judged again.
    ///
    /// # Errors
    /// As [`Session::conclude`].
    pub(super) async fn find_place(&mut self) -> Result<Place, Error> {
        if let Some(reply) = self.history.unanswered() {
            return Ok(Place::Said(Arc::clone(reply)));
        }
        let Some(results) = self.last_results() else {
            let note = self.note_on_files();
            self.keep_said(note.into_iter().collect()).await?;
            return Ok(Place::Asking);
        };
        match self.answered(&results).await? {
            Verdict::Accepted if self.is_over(&Ending::success()).await? => {
                Ok(Place::Over(Ending::success()))
            }
            Verdict::Accepted => Ok(Place::Asking),
            Verdict::Again(mut told) => {
                told.extend(self.note_on_files());
                self.keep_said(told).await?;
                Ok(Place::Asking)
            }
            Verdict::Failed(ending) => Ok(Place::Over(ending)),
        }
    }

    /// Returns what the model is told where the files are not all as it left them.
    pub(super) fn note_on_files(&self) -> Option<String> {
        let remade = self.bench.worktree().is_some_and(Worktree::was_remade);
        remade.then(|| REMADE.to_owned())
    }

    /// Returns the results that were said last, unless something follows them.
    fn last_results(&self) -> Option<Vec<ToolResult>> {
        match self.history.messages().last()? {
            Message::User { results, texts } if texts.is_empty() => Some(results.clone()),
            _ => None,
        }
    }

    /// Leaves out of what the script says what it has said to the agent in an earlier life: a resumed
    /// script says it once more. Nobody else does.
    pub(super) fn without_repeated(&mut self, mut words: Vec<Word>) -> Vec<Word> {
        words.retain(|word| {
            let known = self.heard_before.iter().position(|heard| *heard == word.text);
            match known.filter(|_| word.source == Source::Script) {
                Some(at) => {
                    self.heard_before.remove(at);
                    false
                }
                None => true,
            }
        });
        words
    }
}
