//! Asking something of a run that another process works on: tell an agent something, stop it or the run.
//!
//! What is asked lies in the journal until the run has answered. Who is gone is told by its lock, so
//! nobody waits for a run that is no more; and whoever gives up takes back what was asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::past::find;
use super::requests::{ENDED, REFUSED, STOP};
use super::{Host, resuming};
use crate::error::{Error, Kind, Result};
use crate::journal::{AgentFilter, AgentRow, DONE, HEARD, SEND, Store};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often an answer is looked for.
const EVERY: Duration = Duration::from_millis(40);
/// What is written down for a request that nobody waits for any more.
const WITHDRAWN: &str = "withdrawn";

/// What was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// One agent, by its id.
    Agent(String),
    /// A run with all its agents, by its id.
    Run(String),
}

impl Host {
    /// Tells a live agent something, as `task:send` does, and returns it as it was then.
    ///
    /// # Errors
    /// Usage, for an id that no agent or several have, or a text that cannot be taken; refused, when it has
    /// ended; timeout, when its run does not answer.
    pub async fn tell_agent(&self, id: &str, text: &str) -> Result<AgentRow> {
        let store = self.home_store().await?;
        let (id, text) = (id.to_owned(), text.to_owned());
        self.beside(async move {
            let rows = store.agents(AgentFilter::default()).await?;
            let row = find(&rows, &id)?;
            ask_of_agent(&store, row, SEND, &text).await?;
            Ok(row.clone())
        })
        .await?
    }

    /// Stops a live agent, or a run that is going on, which keep what they did. `id` is that of either.
    ///
    /// # Errors
    /// As [`Host::tell_agent`].
    pub async fn stop_from_outside(&self, id: &str) -> Result<Stopped> {
        let store = self.home_store().await?;
        let id = id.to_owned();
        self.beside(async move {
            let runs = store.runs().await?;
            let rows = store.agents(AgentFilter::default()).await?;
            // Only the id of a run begins as that of a run does, unless it is a session's or bare digits.
            let (run, agent) = (resuming::named(&runs, &id), find(&rows, &id));
            let run = match (run, agent) {
                (Ok(run), Ok(row)) if run.id != id && row.id != id => {
                    let (run, agent) = (&run.id, &row.id);
                    return Err(Error::usage(format!("`{id}` may be {agent} or {run}")));
                }
                (run, Ok(row)) if run.is_err() || row.id == id => {
                    ask_of_agent(&store, row, STOP, "").await?;
                    return Ok(Stopped::Agent(row.id.clone()));
                }
                (Err(_), Err(unknown)) if !id.starts_with("run-") => return Err(unknown),
                (run, _) => run?,
            };
            if !run.alive {
                return Err(Error::new(
                    Kind::Refused,
                    format!("`{}` is not going on: it {}", run.id, resuming::fate(run)),
                ));
            }
            ask(&store, &run.id, None, STOP, "").await?;
            Ok(Stopped::Run(run.id.clone()))
        })
        .await?
    }
}

async fn ask_of_agent(
    store: &Arc<Store>,
    row: &AgentRow,
    kind: &'static str,
    text: &str,
) -> Result<()> {
    if row.status.is_live() {
        return ask(store, &row.run, Some(&row.id), kind, text).await;
    }
    Err(ended(row))
}

/// Says that an agent has ended, and what can still be done.
fn ended(row: &AgentRow) -> Error {
    let (id, status) = (&row.id, row.status.as_str());
    let error = Error::new(Kind::Refused, format!("`{id}` has ended: it is {status}"));
    if row.status == crate::journal::Status::Interrupted {
        return error.hint(format!("agentlua resume {}", row.run));
    }
    error.hint(format!(
        "in a script, `agent.query {{ resume = \"{id}\", prompt = … }}` goes on with it"
    ))
}

/// Asks something of a run, and waits until it has answered.
async fn ask(
    store: &Arc<Store>,
    run: &str,
    agent: Option<&str>,
    kind: &'static str,
    text: &str,
) -> Result<()> {
    let number = store.request(run, agent, kind, text).await?;
    let start = Instant::now();
    let answer = loop {
        if let Some(answer) = store.answered(number).await? {
            break answer;
        }
        let gone = !store.is_alive(run);
        if (gone || start.elapsed() > PATIENCE) && store.answer(number, WITHDRAWN).await? {
            return Err(if gone {
                Error::new(Kind::Refused, format!("`{run}` has just ended"))
            } else {
                let why = format!("`{run}` did not answer in {} seconds", PATIENCE.as_secs());
                Error::new(Kind::Timeout, why).hint("agentlua agents")
            });
        }
        tokio::time::sleep(EVERY).await;
    };
    match answer.strip_prefix(REFUSED) {
        Some(why) => Err(Error::usage(format!("`{}`: {why}", agent.unwrap_or(run)))),
        None if [DONE, HEARD].contains(&&*answer) => Ok(()),
        None if answer == ENDED => {
            Err(Error::new(Kind::Refused, format!("`{}` has just ended", agent.unwrap_or(run))))
        }
        None => Err(Error::internal(format!("`{run}` has answered `{answer}`"))),
    }
}
