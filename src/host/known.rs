//! An agent that is known by its id, of whichever process and run: looked at, waited for and followed
//! through the journal. What is asked of it goes the way of `steering`.
//!
//! Whether its process is gone is told by a lock, so nobody waits for an agent that will never end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::onlooker::{News, Onlooker, Sight, Standing};
use super::past::find;
use super::{Host, repository_around};
use crate::agent::outcome::Outcome;
use crate::error::{Error, Kind, Result};
use crate::journal::{AgentFilter, AgentRow, Status, Store};

/// How often it is looked whether something is new.
const EVERY: Duration = Duration::from_millis(100);
/// How long the last word of an agent that has ended is waited for.
const LAST_WORD: Duration = Duration::from_secs(2);

/// An agent of the repository around the working directory.
#[derive(Clone)]
pub struct Known {
    store: Arc<Store>,
    id: String,
    /// Its end, where a dry run has made it up.
    planned: Option<Box<(AgentRow, Outcome)>>,
}

impl Host {
    /// Finds an agent by its id, the start of its id, or its `session_id`, and returns it as it is now.
    ///
    /// # Errors
    /// Usage, when there is none or there are several; io.
    pub async fn known_agent(self: &Arc<Self>, name: &str) -> Result<(Known, AgentRow)> {
        let dir = self.default_dir();
        let repo = match repository_around(&dir) {
            Some(_) => Some(self.repo(&dir).await?),
            None => None,
        };
        let store = self.store(repo.as_ref()).await?;
        let ahead = self.ahead(&store, repo.as_ref()).await?;
        let planned = self.plan().map(super::plan::Plan::ends).unwrap_or_default();
        let name = name.to_owned();
        self.beside(async move {
            store.flush().await?;
            let mut rows = store.agents(AgentFilter::default()).await?;
            // Of a run that is gone on with only what it has come to; nobody whose place another has.
            rows.retain(|row| !ahead.contains(&row.id) && !row.superseded);
            rows.extend(planned.iter().map(|(row, _)| row.clone()));
            let row = find(&rows, &name)?.clone();
            let planned = planned.into_iter().find(|(planned, _)| planned.id == row.id);
            Ok((Known { store, id: row.id.clone(), planned: planned.map(Box::new) }, row))
        })
        .await?
    }
}

impl Known {
    /// Returns its id, whole.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns it as it is now.
    ///
    /// # Errors
    /// Io, when the journal cannot be read.
    pub async fn row(&self) -> Result<AgentRow> {
        if let Some(planned) = &self.planned {
            return Ok(planned.0.clone());
        }
        self.store.flush().await?;
        let filter = AgentFilter { id_prefix: Some(self.id.clone()), ..AgentFilter::default() };
        let rows = self.store.agents(filter).await?;
        let row = rows.into_iter().find(|row| row.id == self.id);
        row.ok_or_else(|| Error::internal(format!("`{}` is no longer in the journal", self.id)))
    }

    /// Waits for its end and returns how it ended.
    ///
    /// # Errors
    /// Cancelled, when its process is gone and it had not ended; io, when its outcome is no longer kept.
    pub async fn outcome(&self) -> Result<Outcome> {
        if let Some(planned) = &self.planned {
            return Ok(planned.1.clone());
        }
        let id = &self.id;
        loop {
            let row = self.row().await?;
            match row.status {
                Status::Interrupted => {
                    let why = format!("`{id}` was cut off with its run and has no outcome");
                    return Err(Error::new(Kind::Cancelled, why)
                        .hint(format!("agentlua resume {}", row.run)));
                }
                status if status.is_final() => return self.kept(&row).await,
                _ => sleep(EVERY).await,
            }
        }
    }

    async fn kept(&self, row: &AgentRow) -> Result<Outcome> {
        let calls = self.store.calls(&row.run).await?;
        let call = calls.into_iter().find(|call| call.row.id == self.id);
        let Some(kept) = call.and_then(|call| call.outcome) else {
            let why = format!("the outcome of `{}` is no longer kept", self.id);
            return Err(Error::new(Kind::Io, why)
                .hint(format!("`agentlua logs {}` shows what is", self.id)));
        };
        let mut outcome = Outcome::restored(&kept, &row.label)?;
        // It may have been removed since.
        outcome.worktree_path.clone_from(&row.worktree_path);
        Ok(outcome)
    }

    /// Follows it from its first event.
    pub fn follow(&self) -> Following {
        let onlooker = Onlooker::new(Arc::clone(&self.store), Sight::Agent(self.id.clone()));
        let is_over = self.planned.is_some();
        Following { onlooker, ready: VecDeque::new(), last_is_end: false, ended_at: None, is_over }
    }
}

/// The events of an agent, those of before and those to come.
pub struct Following {
    onlooker: Onlooker,
    ready: VecDeque<News>,
    last_is_end: bool,
    /// When it was first seen to have ended without a word of that.
    ended_at: Option<Instant>,
    is_over: bool,
}

impl Following {
    /// Waits for the next event, as `stream-json` has it; nothing after the last one.
    ///
    /// # Errors
    /// Io, when the journal cannot be read.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            while let Some(news) = self.ready.pop_front() {
                if let Some(object) = news.object() {
                    return Ok(Some(object));
                }
            }
            if self.is_over {
                return Ok(None);
            }
            // Before the news, so that what came before the end is among them.
            let standing = self.onlooker.standing().await?;
            self.ready.extend(self.onlooker.news().await?);
            if let Some(last) = self.ready.back() {
                self.last_is_end = last.is_end();
            }
            self.is_over = match standing {
                Standing::Live => false,
                Standing::Ended { tells: true } if !self.last_is_end => {
                    self.ended_at.get_or_insert_with(Instant::now).elapsed() > LAST_WORD
                }
                Standing::Ended { .. } => true,
            };
            if self.ready.is_empty() && !self.is_over {
                sleep(EVERY).await;
            }
        }
    }
}
