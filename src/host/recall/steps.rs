//! What the steps of the script ask of what a resumed run remembers.

use std::path::Path;
use std::sync::Arc;

use crate::agent::Outcome;
use crate::error::Result;
use crate::git::Repo;
use crate::host::Host;

impl Host {
    /// Tells whether the script's text or its arguments are others than in the life before.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(in crate::host) async fn is_edited(self: &Arc<Self>) -> Result<bool> {
        self.look_back().await?;
        let earlier = self.recall.as_ref().and_then(|recall| recall.earlier.get());
        Ok(earlier.is_some_and(|earlier| earlier.edited))
    }

    /// Enters the agents that a step of the script had asked, beneath a call path, as the step is not taken
    /// again: they belong to the run, and what they have spent to its money. Those that had not ended stay
    /// where they are.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn come_to_beneath(self: &Arc<Self>, path: &str) -> Result<()> {
        self.look_back().await?;
        let Some(recall) = &self.recall else { return Ok(()) };
        let books: Vec<_> = {
            let books = recall.books.lock().await;
            books.iter().map(|(dir, book)| (dir.clone(), Arc::clone(book))).collect()
        };
        for (dir, book) in books {
            let repo = self.repo_of(&dir).await;
            let mut book = book.lock().await;
            for at in book.beneath(path) {
                let call = book.call(at);
                let Some(text) = call.outcome.as_deref().filter(|_| call.row.status.is_final())
                else {
                    continue;
                };
                let outcome = Outcome::restored(text, &call.row.label)?;
                let goes = call.row.branch_created && outcome.left_nothing();
                recall.queue.forget(call.row.place);
                self.fleet.recall_beneath(repo.as_ref(), &outcome, book.share(at), goes);
                book.take(at);
            }
        }
        Ok(())
    }

    /// Returns the repository whose agents a store has.
    async fn repo_of(&self, store: &Path) -> Option<Arc<Repo>> {
        let repos = self.repos.lock().await;
        repos.values().find(|repo| repo.state_dir() == store).map(Arc::clone)
    }
}
