//! What is kept of agents and runs, read in the order in which it happened, and what comes to it: from
//! any process, without a word to the one at work.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::agent::spoken::Spoken;
use crate::error::{Kind, Result, ResultExt};
use crate::journal::{AgentFilter, AgentRow, EventFilter, Status, Store};

/// Something that was kept.
#[derive(Clone, Debug)]
pub struct News {
    /// When, in milliseconds since 1970; 0 where an earlier version did not say.
    pub at: i64,
    /// The agent that it is of, if it is of one.
    pub agent: Option<String>,
    /// What.
    pub what: What,
}

impl News {
    /// Returns it as `stream-json` has it; nothing for what another object says.
    pub fn object(&self) -> Option<Value> {
        match &self.what {
            What::Event(object) => Some(object.clone()),
            What::Said(kept, session) => kept.object(self.agent.as_deref()?, session),
        }
    }

    /// Reports whether it is the end of an agent.
    pub fn is_end(&self) -> bool {
        matches!(&self.what, What::Event(object) if word(object, "type") == "result")
    }
}

fn word<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// How it stands with who is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// More may come.
    Live,
    /// Nothing more comes but, where `tells`, the word of its end, which may be on its way.
    Ended {
        /// Whether such a word was or will be written.
        tells: bool,
    },
}

/// What was kept.
#[derive(Clone, Debug)]
pub enum What {
    /// A step of a conversation, and the conversation's id.
    Said(Spoken, String),
    /// Something that happened, as `stream-json` has it.
    Event(Value),
}

/// Who is looked at.
#[derive(Clone, Debug)]
pub enum Sight {
    /// An agent, by its id.
    Agent(String),
    /// A run and all its agents, by its id.
    Run(String),
}

/// Reads on from where it was.
pub struct Onlooker {
    store: Arc<Store>,
    sight: Sight,
    /// The number of the last entry of a conversation, and of the last event.
    last: (i64, i64),
    /// The conversation of each agent.
    sessions: HashMap<String, String>,
}

impl Onlooker {
    /// Looks from the beginning.
    pub fn new(store: Arc<Store>, sight: Sight) -> Self {
        Self { store, sight, last: (0, 0), sessions: HashMap::new() }
    }

    /// Returns who is looked at.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Returns the agents that are looked at, as they are now.
    ///
    /// # Errors
    /// Io, when the journal cannot be read.
    pub async fn agents(&self) -> Result<Vec<AgentRow>> {
        let mut filter = AgentFilter::default();
        match &self.sight {
            Sight::Agent(id) => filter.id_prefix = Some(id.clone()),
            Sight::Run(id) => filter.run = Some(id.clone()),
        }
        let mut rows = self.store.agents(filter).await?;
        if let Sight::Agent(id) = &self.sight {
            rows.retain(|row| row.id == *id);
        }
        Ok(rows)
    }

    /// Returns how it stands.
    ///
    /// # Errors
    /// Io, when the journal cannot be read.
    pub async fn standing(&self) -> Result<Standing> {
        let has_ended = match &self.sight {
            Sight::Agent(_) => {
                let status = self.agents().await?.first().map(|row| row.status);
                if status.is_some_and(Status::is_final) {
                    return Ok(Standing::Ended { tells: true });
                }
                !status.is_some_and(Status::is_live)
            }
            Sight::Run(id) => {
                let runs = self.store.runs().await?;
                !runs.iter().any(|run| run.id == *id && run.alive)
            }
        };
        Ok(if has_ended { Standing::Ended { tells: false } } else { Standing::Live })
    }

    /// Returns what came since the last time, in the order of time.
    ///
    /// # Errors
    /// Io, when the journal cannot be read, or a newer version wrote it.
    pub async fn news(&mut self) -> Result<Vec<News>> {
        let mut news = Vec::new();
        for said in self.store.said_after(self.filter(self.last.0)).await? {
            self.last.0 = said.number;
            if !self.sessions.contains_key(&said.agent) {
                let rows = self.agents().await?;
                self.sessions =
                    rows.into_iter().map(|row| (row.id.clone(), row.session_id())).collect();
            }
            let session = self.sessions.get(&said.agent).cloned().unwrap_or_default();
            let what = What::Said(Spoken::read(&said.entry)?, session);
            news.push(News { at: said.at.unwrap_or_default(), agent: Some(said.agent), what });
        }
        for event in self.store.events(self.filter(self.last.1)).await? {
            self.last.1 = event.number;
            let object = serde_json::from_str(&event.object);
            let object = object.or_kind(Kind::Io, || "an event cannot be read")?;
            news.push(News { at: event.at, agent: event.agent, what: What::Event(object) });
        }
        // Stable: what was written down first comes first. An agent is queued before anything is said,
        // and what a turn led to is told after it.
        news.sort_by_key(|one| (one.at, one.what.rank()));
        Ok(news)
    }

    fn filter(&self, after: i64) -> EventFilter {
        match &self.sight {
            Sight::Agent(id) => EventFilter { agent: Some(id.clone()), run: None, after },
            Sight::Run(id) => EventFilter { agent: None, run: Some(id.clone()), after },
        }
    }
}

impl What {
    /// Returns the order of what happened in the same millisecond.
    fn rank(&self) -> u8 {
        match self {
            Self::Event(object) => match word(object, "subtype") {
                "run_started" | "agent_queued" => 0,
                "init" => 1,
                _ if word(object, "type") == "result" => 4,
                _ => 3,
            },
            Self::Said(..) => 2,
        }
    }
}
