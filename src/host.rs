//! What every primitive needs, built once and passed: settings, models, repositories, the fleet.
//! There are no statics; whoever has the host has the run.

mod asking;
mod cassette;
pub mod gc;
mod github;
pub mod integrate;
pub mod known;
pub mod merge;
mod models;
pub mod onlooker;
mod past;
pub mod plan;
mod prices;
pub mod race;
mod recall;
mod recovery;
mod requests;
pub mod resuming;
pub mod roster;
pub mod steering;
pub mod steps;
mod stores;
pub mod work;
pub mod worktrees;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::agent::{Fleet, id};
use crate::config::{Config, Settings};
use crate::error::{Kind, Result, ResultExt};
use crate::event::Events;
use crate::git::Repo;
use crate::github::Github;
use crate::journal::{NewRun, RunRow, Store};
use crate::model::Model;
use crate::process::{Processes, env};

/// Where settings come from, nearest first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// What was typed.
    pub flags: Settings,
    /// What the script said by `agent.config`.
    pub script: Settings,
    /// Variables and files, already merged.
    pub below: Settings,
}

/// The services of a run.
pub struct Host {
    sources: Mutex<Sources>,
    config: Mutex<Arc<Config>>,
    environment: BTreeMap<String, String>,
    cwd: PathBuf,
    events: Events,
    runtime: tokio::runtime::Handle,
    processes: Processes,
    fleet: Arc<Fleet>,
    resumed: Option<RunRow>,
    /// The script, as it was typed.
    script: String,
    cassette: cassette::Loaded,
    /// There in a dry run.
    plan: Option<plan::Plan>,
    /// What a resumed run remembers.
    recall: Option<recall::Recall>,
    models: Mutex<HashMap<String, Arc<dyn Model>>>,
    repos: tokio::sync::Mutex<HashMap<PathBuf, Arc<Repo>>>,
    stores: tokio::sync::Mutex<HashMap<PathBuf, Arc<Store>>>,
    announced: Mutex<bool>,
    warned: Mutex<HashSet<String>>,
    recovered: recovery::Seen,
    hearing: requests::Hearing,
    /// The worktrees that the script made for itself and has not closed.
    worktrees: Mutex<worktrees::Open>,
    steps: steps::Steps,
    github: OnceLock<Arc<Github>>,
    /// Held while it is looked for what an earlier life has changed at GitHub.
    finding: tokio::sync::Mutex<()>,
}

/// What a host is made with.
pub struct Surroundings {
    /// The settings.
    pub sources: Sources,
    /// The process environment, as it was at the start.
    pub environment: BTreeMap<String, String>,
    /// Where agentlua was started.
    pub cwd: PathBuf,
    /// Who hears what happens.
    pub events: Events,
    /// The runtime of everything that is not Lua.
    pub runtime: tokio::runtime::Handle,
    /// The run, for the registry. Without an id it is a new one.
    pub run: NewRun,
    /// The run as it was before, when it was cut off or has failed, and goes on.
    pub resumed: Option<RunRow>,
    /// Our own binary, which is the guardian of commands too.
    pub program: PathBuf,
}

impl Host {
    /// Makes the host. Touches no disk and starts nothing.
    ///
    /// # Errors
    /// Usage, for settings that cannot be.
    pub fn new(around: Surroundings) -> Result<Arc<Self>> {
        let config = Arc::new(merge(&around.sources)?);
        let processes = Processes::new(around.program);
        let mut run = around.run;
        if run.id.is_empty() {
            run.id = id::new_run();
        }
        let script = run.script.clone();
        let fleet = Fleet::new(
            run,
            around.events.clone(),
            config.concurrency,
            processes.clone(),
            env::allowed(around.environment.clone().into_iter()),
        );
        fleet.purse().set_total(config.max_budget_usd);
        let plan = config.dry_run.then(|| plan::Plan::new(fleet.run_id()));
        let recall = around.resumed.is_some().then(|| recall::Recall::new(around.events.clone()));
        Ok(Arc::new(Self {
            sources: Mutex::new(around.sources),
            config: Mutex::new(config),
            environment: around.environment,
            cwd: around.cwd,
            events: fleet.events().clone(),
            runtime: around.runtime,
            processes,
            fleet: Arc::new(fleet),
            resumed: around.resumed,
            script,
            cassette: cassette::Loaded::default(),
            plan,
            recall,
            models: Mutex::default(),
            repos: tokio::sync::Mutex::default(),
            stores: tokio::sync::Mutex::default(),
            announced: Mutex::new(false),
            warned: Mutex::default(),
            recovered: recovery::Seen::default(),
            hearing: requests::Hearing::since_now(),
            worktrees: Mutex::default(),
            steps: steps::Steps::default(),
            github: OnceLock::new(),
            finding: tokio::sync::Mutex::default(),
        }))
    }

    /// Returns the settings as they are now.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&locked(&self.config))
    }

    /// Changes what the script says; flags still win.
    ///
    /// # Errors
    /// Usage, for values that cannot be; nothing is changed then.
    pub fn set_script_settings(&self, settings: Settings) -> Result<()> {
        let mut sources = locked(&self.sources);
        let changed = Sources { script: settings.over(sources.script.clone()), ..sources.clone() };
        let config = merge(&changed)?;
        self.fleet.set_concurrency(config.concurrency);
        self.fleet.purse().set_total(config.max_budget_usd);
        let config_before = std::mem::replace(&mut *locked(&self.config), Arc::new(config));
        let sources_before = std::mem::replace(&mut *sources, changed);
        drop(sources);
        self.load_cassette().inspect_err(|_| {
            *locked(&self.config) = config_before;
            *locked(&self.sources) = sources_before;
        })
    }

    /// Returns a variable of the environment as it was at the start.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Returns the whole environment as it was at the start.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Returns where agentlua was started.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Returns who hears what happens.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Warns of something that is said once in a run.
    pub fn warn_once(&self, text: &str) {
        if locked(&self.warned).insert(text.to_owned()) {
            self.events.warn(text);
        }
    }

    /// Returns what starts commands.
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Returns the agents of the run.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// Returns the plan, in a dry run.
    pub fn plan(&self) -> Option<&plan::Plan> {
        self.plan.as_ref()
    }

    /// Reports whether the run is one that was cut off or has failed, and goes on.
    pub fn is_resumed(&self) -> bool {
        self.resumed.is_some()
    }

    /// Returns the run as it was before it was gone on with, if it is.
    pub fn before(&self) -> Option<&RunRow> {
        self.resumed.as_ref()
    }

    /// Begins the run in `store` before it has any agent, that which is gone on with where it was found:
    /// from here on it is alive for other processes.
    ///
    /// # Errors
    /// Usage, when it is alive in another one, or was since it was settled on; io.
    pub async fn begin_run(&self, store: &Arc<Store>) -> Result<()> {
        let (fleet, begun) = (Arc::clone(&self.fleet), Arc::clone(store));
        let earlier = self.resumed.clone();
        let work = async move {
            match &earlier {
                Some(earlier) => fleet.take_up(&begun, earlier).await,
                None => fleet.begin(&begun).await,
            }
        };
        self.beside(work).await??;
        self.hear(store);
        Ok(())
    }

    /// Runs `work` beside Lua, where waiting blocks nobody.
    ///
    /// # Errors
    /// Internal, when it panicked.
    pub async fn beside<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        AbortOnDrop(self.runtime.spawn(work)).join().await
    }

    /// Runs `work` beside Lua without waiting for it.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    /// Closes what the run has open, and writes down what is left to write.
    pub async fn close(&self) {
        self.close_worktrees().await;
        if let Some(plan) = &self.plan {
            plan.close();
        }
        self.close_recall().await;
        let fleet = Arc::clone(&self.fleet);
        if let Err(error) = self.beside(async move { fleet.close().await }).await {
            self.events.warn(format!("the run could not be ended in order: {error}"));
        }
        self.fleet.kept().await;
        for store in self.stores.lock().await.values() {
            if let Err(error) = store.flush().await {
                self.events.warn(format!("the registry could not be written: {error}"));
            }
        }
    }

    /// Ends the run after it was closed: how it ended is written down, and it is no longer alive.
    pub async fn end_run(&self, status: &str, exit_code: i32) {
        let (fleet, status) = (Arc::clone(&self.fleet), status.to_owned());
        let ended = self.beside(async move {
            fleet.end(&status, exit_code).await;
            fleet.release().await;
        });
        if let Err(error) = ended.await {
            self.events.warn(format!("the run could not be ended in order: {error}"));
        }
    }

    /// Reports whether a run that ended well has to fail all the same.
    pub fn has_failures(&self) -> bool {
        let strict = self.config().strict;
        let has_failed = self
            .fleet
            .tally()
            .ended
            .iter()
            .any(|agent| agent.has_failed() || (strict && agent.denials > 0));
        has_failed || self.has_lost_recording()
    }
}

/// Returns the top of the checkout around `dir`, found without starting git.
pub fn repository_around(dir: &Path) -> Option<PathBuf> {
    // Through links: the checkout they lead into is the one that counts.
    let dir = dir.canonicalize().or_else(|_| std::path::absolute(dir)).ok()?;
    dir.ancestors().find(|above| above.join(".git").exists() || is_bare(above)).map(Path::to_owned)
}

/// Reports whether a directory is a git directory itself.
fn is_bare(dir: &Path) -> bool {
    dir.join("HEAD").is_file() && dir.join("objects").is_dir() && dir.join("refs").is_dir()
}

fn merge(sources: &Sources) -> Result<Config> {
    Config::new(sources.flags.clone().over(sources.script.clone()).over(sources.below.clone()))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends work beside Lua when nobody waits for it any more.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    async fn join(mut self) -> Result<T> {
        (&mut self.0).await.or_kind(Kind::Internal, || "work beside Lua ended by a fault of ours")
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
