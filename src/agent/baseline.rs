//! How a command that verifies work ends before there is any: run once for a commit, in a temporary
//! worktree with its files, so that the agents' own worktrees stay as they are and siblings share it.
//!
//! Who asks first runs it, the others wait. When that one is called off, the next runs it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::command::{self, Failure};
use super::env::{self, Ports};
use super::fleet::{Fleet, Order};
use super::ground::Ground;
use super::query::Site;
use super::setup;
use super::verify::TIMEOUT;
use crate::error::{Kind, Result, ResultExt};
use crate::event::Events;
use crate::git::worktree::Furnish;
use crate::git::{Repo, Trial, Worktree};
use crate::process::Processes;
use crate::tool::Context;

/// How the command ended before anybody began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Baseline {
    /// Well.
    Passed,
    /// It was red already.
    Failed(Failure),
    /// Nobody knows: there was no place to run it.
    Unknown(String),
}

impl Baseline {
    /// Returns the word that scripts see.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Self::Passed => Some("passed"),
            Self::Failed(_) => Some("failed"),
            Self::Unknown(_) => None,
        }
    }

    fn of(failure: Option<Failure>) -> Self {
        failure.map_or(Self::Passed, Self::Failed)
    }
}

/// What a baseline depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    repo: PathBuf,
    commit: String,
    command: String,
    setup: Option<String>,
    furnish: Furnish,
    env: BTreeMap<String, String>,
}

type Cell = Arc<OnceCell<Baseline>>;

/// The baselines of a run.
#[derive(Default)]
pub(super) struct Baselines(Mutex<Vec<(Key, Cell)>>);

impl Baselines {
    /// Returns the place of one, the same for equal keys.
    fn cell(&self, key: &Key) -> Cell {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = cells.iter().find(|(known, _)| known == key) {
            return Arc::clone(cell);
        }
        let cell = Cell::default();
        cells.push((key.clone(), Arc::clone(&cell)));
        cell
    }
}

/// Where an agent's work is looked at: its worktree, and what a baseline is made with.
#[derive(Clone)]
pub(super) struct Bench {
    worktree: Option<Worktree>,
    /// What the agent's worktree was made with.
    made: Option<(Option<String>, Furnish)>,
    env: BTreeMap<String, String>,
    baselines: Arc<Baselines>,
    throwaway: Throwaway,
}

impl Bench {
    pub fn new(fleet: &Fleet, order: &Order, ground: &Ground) -> Self {
        let made = match &order.query.site {
            Site::Worktree(plan) => Some((plan.setup.clone(), plan.furnish.clone())),
            Site::Directory(_) => None,
        };
        Self {
            worktree: ground.worktree().cloned(),
            made,
            env: order.query.env.clone(),
            baselines: Arc::clone(&fleet.baselines),
            throwaway: Throwaway {
                root: order.worktree_root.clone(),
                run: fleet.run_id().to_owned(),
                environment: fleet.environment.clone(),
                ports: fleet.ports.clone(),
                processes: fleet.processes.clone(),
                events: fleet.events.clone(),
            },
        }
    }

    /// Returns the agent's worktree.
    pub fn worktree(&self) -> Option<&Worktree> {
        self.worktree.as_ref()
    }

    /// Returns how `command` ends on the commit that the agent starts from. Without a worktree it runs
    /// where the agent works, and the answer is nobody else's.
    ///
    /// # Errors
    /// Cancelled.
    pub async fn baseline(&self, command: &str, context: &Context) -> Result<Baseline> {
        let (Some(worktree), Some((setup, furnish))) = (&self.worktree, &self.made) else {
            let (folder, env) = (context.workspace.root(), context.env.clone());
            let (processes, cancel) = (&context.processes, &context.cancel);
            let failure = command::failure(processes, command, folder, env, TIMEOUT, cancel).await;
            return known(failure.map(Baseline::of));
        };
        let key = Key {
            repo: worktree.repo().common_dir().to_owned(),
            commit: worktree.base_commit().to_owned(),
            command: command.to_owned(),
            setup: setup.clone(),
            furnish: furnish.clone(),
            env: self.env.clone(),
        };
        let cell = self.baselines.cell(&key);
        let (repo, throwaway) = (Arc::clone(worktree.repo()), self.throwaway.clone());
        let cancel = context.cancel.child_token();
        let mine = AtomicBool::new(false);
        let run_here = &mine;
        let running = async move {
            run_here.store(true, Ordering::Relaxed);
            // Whoever stops waiting calls it off; it still removes what it made.
            let _off = cancel.clone().drop_guard();
            let running = tokio::spawn(async move { throwaway.run(&repo, &key, &cancel).await });
            let ended =
                running.await.or_kind(Kind::Internal, || "a baseline ended by a fault of ours");
            known(ended.and_then(|baseline| baseline))
        };
        let mut shared = pin!(cell.get_or_try_init(|| running));
        let baseline = tokio::select! {
            biased;
            baseline = &mut shared => baseline,
            // Who runs it hears of that there, and leaves nothing behind.
            () = context.cancel.cancelled() => {
                if mine.load(Ordering::Relaxed) { shared.await } else { Err(command::cancelled()) }
            }
        };
        baseline.cloned()
    }
}

/// What could not be had is nothing that stops an agent, save for being called off.
fn known(baseline: Result<Baseline>) -> Result<Baseline> {
    match baseline {
        Err(error) if error.kind != Kind::Cancelled => Ok(Baseline::Unknown(error.message)),
        other => other,
    }
}

/// What a run in a temporary worktree needs.
#[derive(Clone)]
struct Throwaway {
    root: PathBuf,
    run: String,
    environment: BTreeMap<String, String>,
    ports: Ports,
    processes: Processes,
    events: Events,
}

impl Throwaway {
    async fn run(
        self,
        repo: &Arc<Repo>,
        key: &Key,
        cancel: &CancellationToken,
    ) -> Result<Baseline> {
        let trial = Trial::of_base(repo, &key.commit, key.furnish.clone(), &self.root).await?;
        let baseline = self.judged(key, trial.worktree(), cancel).await;
        if let Err(error) = trial.close().await {
            self.events.warn(error.to_string());
        }
        baseline
    }

    async fn judged(
        &self,
        key: &Key,
        worktree: &Worktree,
        cancel: &CancellationToken,
    ) -> Result<Baseline> {
        let mut environment = self.environment.clone();
        environment.extend(env::of_worktree(worktree, worktree.id(), &self.run));
        let port = self.ports.take(worktree.id());
        environment.extend(port.iter().map(|port| ("PORT".to_owned(), port.number().to_string())));
        environment.extend(key.env.clone());
        let (processes, folder) = (&self.processes, worktree.path());
        if let Some(setup) = &key.setup {
            setup::run_once(processes, folder, setup, environment.clone(), cancel).await?;
        }
        let command = &key.command;
        let failure =
            command::failure(processes, command, folder, environment, TIMEOUT, cancel).await?;
        Ok(Baseline::of(failure))
    }
}
