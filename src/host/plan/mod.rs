//! A dry run: what a script would do, found out by running it with agents that are planned and not asked.
//!
//! Every option is checked and every base resolved as in a real run, and nothing is changed: no model is
//! asked, no connection opened, no branch, worktree or journal made. An agent answers at once that it was
//! done, with made-up data where it has a schema. What the script itself would change is noted and not
//! done. Branches of planned agents exist in the handles on repositories alone; what the script writes
//! into files goes into a temporary folder, where it finds it again.
//!
//! A run that is resumed is planned on what its journal has: outcomes of before are the recorded ones.
//! The clock stands still: sleeping takes no time. An error of the script's own, after results that were
//! made up, ends the plan and says nothing about a real run: it is told of, and is no failure.

mod again;
mod agent;
mod answer;
mod cost;
mod files;
mod merges;
mod model;
mod planned;
mod repository;
mod worktrees;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

pub use cost::Cost;
pub use merges::Wanted;
pub use planned::Planned;

use crate::agent::outcome::Outcome;
use crate::error::{Error, Kind, Result};
use crate::journal::AgentRow;
use files::Files;

/// More agents than these are none that anybody means: the script goes in circles.
pub const MOST_AGENTS: usize = 1000;
/// More steps than these are counted and not told.
const MOST_STEPS: usize = 1000;
/// More sleeps than these, with no agent planned in between, wait for what a dry run does not do.
const MOST_SLEEPS: u32 = 1000;

/// Something that the script would do itself, and was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is: `merge`, `command`, `write`…
    pub kind: &'static str,
    /// It, as a clause that begins with a verb.
    pub text: String,
    /// How often, one after the other.
    pub times: u32,
}

/// What was planned.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The agents, as they were asked for: by their call paths.
    pub agents: Vec<Planned>,
    /// What the script would do itself, in that order.
    pub steps: Vec<Step>,
    /// Steps beyond those that are told.
    pub more_steps: u64,
    /// The script's own error that ended it after results that were made up.
    pub ended_early: Option<String>,
    /// What is to be known beside it.
    pub notes: Vec<String>,
    /// Agents at work at once.
    pub concurrency: usize,
    /// The most that it may cost, in USD, the run's budget applied; absent when that is unknown.
    pub worst_case_usd: Option<f64>,
    /// The same of the agents whose cost is known, without the run's budget.
    pub known_usd: f64,
    /// How many agents' cost is unknown.
    pub unknown: usize,
    /// The run's budget, in USD.
    pub max_budget_usd: Option<f64>,
}

/// A plan in the making.
pub struct Plan {
    state: Mutex<State>,
    /// Told when an agent is planned.
    changed: Notify,
    files: Files,
    full: OnceLock<Box<dyn Fn(Error) + Send + Sync>>,
}

#[derive(Default)]
struct State {
    agents: Vec<Planned>,
    steps: Vec<Step>,
    more_steps: u64,
    notes: Vec<String>,
    ended_early: Option<String>,
    /// Sleeps since an agent was planned.
    sleeps: u32,
    /// What the registry would have of them.
    rows: Vec<AgentRow>,
    /// How they are taken to end, in the same order.
    outcomes: Vec<Outcome>,
    ids: BTreeSet<String>,
    /// Agents that are being planned.
    under_way: usize,
    /// How many worktrees were asked for.
    worktrees: usize,
    script_worktrees: u32,
    /// Branches on which a planned agent is taken to have changed something.
    changed: BTreeSet<String>,
    /// What it is taken to have changed, by base and scope.
    paths: BTreeMap<(String, Option<Vec<String>>), String>,
}

impl Plan {
    /// Makes the plan of a run.
    pub fn new(run: &str) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            files: Files::new(run),
            full: OnceLock::new(),
        }
    }

    /// Calls `stop` when there are more agents than anybody can mean.
    pub fn when_full(&self, stop: impl Fn(Error) + Send + Sync + 'static) {
        let _ = self.full.set(Box::new(stop));
    }

    /// Notes something that the script would do, and that is not done.
    pub fn step(&self, kind: &'static str, text: impl Into<String>) {
        let (text, mut state) = (text.into(), self.state());
        if let Some(last) = state.steps.last_mut().filter(|s| s.kind == kind && s.text == text) {
            last.times += 1;
        } else if state.steps.len() < MOST_STEPS {
            state.steps.push(Step { kind, text, times: 1 });
        } else {
            state.more_steps += 1;
        }
    }

    /// Notes what is to be known, once.
    pub fn note(&self, text: impl Into<String>) {
        let (text, mut state) = (text.into(), self.state());
        if !state.notes.contains(&text) {
            state.notes.push(text);
        }
    }

    /// Returns what the registry would have of the agents that were planned.
    pub fn rows(&self) -> Vec<AgentRow> {
        self.state().rows.clone()
    }

    /// Returns the same with how each is taken to end.
    pub fn ends(&self) -> Vec<(AgentRow, Outcome)> {
        let state = self.state();
        state.rows.iter().cloned().zip(state.outcomes.iter().cloned()).collect()
    }

    /// Reports whether something was not done that the rest of the script may build on.
    pub fn has_steps(&self) -> bool {
        !self.state().steps.is_empty()
    }

    /// Returns where the content of a file is, with what the script has written: the path itself for one
    /// that it has not, nothing for one that it has removed.
    pub fn file(&self, path: &std::path::Path) -> Option<PathBuf> {
        self.files.found(path)
    }

    /// Returns the file that is written in the place of `path`, with the content that it has.
    ///
    /// # Errors
    /// Io, when there can be no temporary file.
    pub fn file_to_write(&self, path: &std::path::Path) -> Result<PathBuf> {
        self.files.to_write(path)
    }

    /// Removes what was temporary: nothing is asked of the plan but its report after that.
    pub fn close(&self) {
        self.files.clear();
    }

    /// Lets a file be gone.
    pub fn remove_file(&self, path: &std::path::Path) {
        self.files.remove(path);
    }

    /// Returns what was planned. `budget` is the run's.
    pub fn report(&self, concurrency: usize, budget: Option<f64>) -> Report {
        let state = self.state();
        let agents = planned::sorted(&state.agents);
        let asked = || agents.iter().filter(|agent| agent.is_asked());
        let known = asked().filter_map(|agent| agent.worst_case_usd);
        // The sum of nothing is -0.
        let known_usd = known.fold(0.0, |sum, cost| sum + cost);
        let unknown = asked().filter(|agent| agent.worst_case_usd.is_none()).count();
        let whole = (unknown == 0).then_some(known_usd);
        let worst_case_usd = match (whole, budget) {
            (Some(whole), Some(budget)) => Some(f64::min(whole, budget)),
            (whole, budget) => whole.or(budget),
        };
        Report {
            agents,
            steps: state.steps.clone(),
            more_steps: state.more_steps,
            ended_early: state.ended_early.clone(),
            notes: state.notes.clone(),
            concurrency,
            worst_case_usd,
            known_usd,
            unknown,
            max_budget_usd: budget,
        }
    }

    /// Makes a temporary file or folder where a command that is not run would make one; returns its path.
    ///
    /// # Errors
    /// Io, when there can be none.
    pub fn temporary(&self, command: &str) -> Result<Option<PathBuf>> {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["mktemp"] => self.files.make_temporary(false).map(Some),
            ["mktemp", "-d" | "--directory"] => self.files.make_temporary(true).map(Some),
            _ => Ok(None),
        }
    }

    /// Lets time pass, of which a plan takes none: agents that are being planned answer first.
    ///
    /// # Errors
    /// Refused, when the script does nothing else any more.
    pub async fn sleep(&self) -> Result<()> {
        let (is_late, is_busy) = {
            let mut state = self.state();
            state.sleeps += 1;
            (state.sleeps > MOST_SLEEPS, state.under_way > 0)
        };
        if is_late {
            let why = format!(
                "the script has slept {MOST_SLEEPS} times without asking an agent: it waits for something \
                 that a dry run does not do"
            );
            return Err(
                self.stop(Error::new(Kind::Refused, why).hint("give the loop a limit of its own"))
            );
        }
        self.settled().await;
        if is_busy {
            self.settled().await;
        }
        Ok(())
    }

    /// Notes that the script has ended by this error of its own, if what it was told was made up; tells
    /// whether it was. What Lua itself complains of is a fault of the script all the same.
    pub fn end_early(&self, error: &Error) -> bool {
        let of_lua = ["attempt to ", "bad argument "];
        let mut state = self.state();
        let made_up =
            !state.steps.is_empty() || state.agents.iter().any(|agent| !agent.from_journal);
        let is_early = made_up && !of_lua.iter().any(|start| error.message.starts_with(start));
        if is_early {
            let at = error.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
            state.ended_early = Some(format!("{at}{}", error.message));
        }
        is_early
    }

    /// Ends a script that asks agents without end.
    fn overflow(&self) -> Error {
        let why = format!(
            "the plan has {MOST_AGENTS} agents already: the script asks again and again for as long as \
             answers do not change"
        );
        let error = Error::new(Kind::Refused, why)
            .hint("planned agents answer with made-up data; give the loop a limit of its own");
        self.stop(error)
    }

    fn stop(&self, error: Error) -> Error {
        if let Some(stop) = self.full.get() {
            stop(error.clone());
        }
        error
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
