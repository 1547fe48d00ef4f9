//! What every primitive needs, built once and passed: settings, models, repositories, the fleet.
//! There are no statics; whoever has the host has the run.

mod cassette;
pub mod gc;
pub mod integrate;
pub mod merge;
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
pub mod work;
pub mod worktrees;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::agent::fleet::{Live, Order};
use crate::agent::key::Inputs;
use crate::agent::query::{Dirty, Site, Start};
use crate::agent::{Fleet, Outcome, Query, Subtype, id};
use crate::config::{self, Config, Settings};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Event, Events};
use crate::git::Repo;
use crate::git::worktree;
use crate::journal::{NewRun, RunRow, Store};
use crate::model::Model;
use crate::model::select::{self, Environment};
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

    /// Returns the store of the run itself: that of the repository where it was started.
    ///
    /// # Errors
    /// As [`Host::store`].
    pub async fn home_store(&self) -> Result<Arc<Store>> {
        self.store_around(&self.default_dir()).await
    }

    /// Returns the store of the repository around `dir`, or of what is outside every one.
    ///
    /// # Errors
    /// As [`Host::store`].
    pub async fn store_around(&self, dir: &Path) -> Result<Arc<Store>> {
        let repo = match repository_around(dir) {
            Some(_) => Some(self.repo(dir).await?),
            None => None,
        };
        self.store(repo.as_ref()).await
    }

    /// Begins the run in `store` before it has any agent: from here on it is alive for other processes.
    ///
    /// # Errors
    /// Usage, when it is alive in another one; io.
    pub async fn begin_run(&self, store: &Arc<Store>) -> Result<()> {
        let (fleet, begun) = (Arc::clone(&self.fleet), Arc::clone(store));
        self.beside(async move { fleet.begin(&begun).await }).await??;
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

    /// Returns the model that `name` stands for.
    ///
    /// # Errors
    /// Usage, for a provider that there is not; model, without a key.
    pub fn model(&self, name: &str) -> Result<Arc<dyn Model>> {
        if let Some(player) = self.player() {
            return Ok(player.model(name));
        }
        let mut models = locked(&self.models);
        if let Some(model) = models.get(name) {
            return Ok(Arc::clone(model));
        }
        let model = match (select::select(name, &self.providers()), &self.plan) {
            (Err(error), Some(plan)) => self.keyless_model(plan, name, error)?,
            (model, _) => model?,
        };
        models.insert(name.to_owned(), Arc::clone(&model));
        Ok(model)
    }

    /// Returns the model of agents that name none.
    ///
    /// # Errors
    /// Model, when nothing says which.
    pub fn default_model(&self) -> Result<Arc<dyn Model>> {
        if let Some(player) = self.player() {
            return self.played_default(&player);
        }
        let model = self.named_default()?;
        self.note_default_model(&*model);
        Ok(model)
    }

    fn named_default(&self) -> Result<Arc<dyn Model>> {
        if let Some(name) = &self.config().model {
            return self.model(name);
        }
        match select::default_name(&self.providers()) {
            Some(name) => self.model(name),
            None if self.plan.is_some() => self.model(select::USUAL),
            None => Err(Error::new(Kind::Model, "no model is named and no key is set").hint(
                "set ANTHROPIC_API_KEY or OPENAI_API_KEY, or pass --model with a name or a Lua file",
            )),
        }
    }

    fn providers(&self) -> Environment {
        let variable = |name: &str| self.variable(name);
        Environment::new(&variable).with_providers(&self.config().providers, &variable)
    }

    /// Returns the directory whose repository is meant when nothing else is said.
    pub fn default_dir(&self) -> PathBuf {
        let repo = self.config().repo.clone();
        repo.map_or_else(|| self.cwd.clone(), |repo| self.cwd.join(repo))
    }

    /// Opens the repository around `dir`.
    ///
    /// # Errors
    /// Git, when there is none.
    pub async fn repo(&self, dir: &Path) -> Result<Arc<Repo>> {
        let mut repos = self.repos.lock().await;
        if let Some(repo) = repos.get(dir) {
            return Ok(Arc::clone(repo));
        }
        let path = dir.to_owned();
        let repo = match &self.plan {
            Some(plan) => plan.repo(dir).await?,
            None => self.beside(async move { Repo::open(&path).await }).await??,
        };
        // Two directories of one repository share its handle, and with it its lock.
        let known = repos
            .values()
            .find(|known| known.common_dir() == repo.common_dir() && known.top() == repo.top());
        let repo = known.map_or(repo, Arc::clone);
        repos.insert(dir.to_owned(), Arc::clone(&repo));
        Ok(repo)
    }

    /// Returns the store of a repository's agents, or of those outside every repository.
    ///
    /// # Errors
    /// Usage, for a store that a newer version wrote; io.
    pub async fn store(&self, repo: Option<&Arc<Repo>>) -> Result<Arc<Store>> {
        let dir = match repo {
            Some(repo) => repo.state_dir(),
            None => self.state_dir()?.join("runs"),
        };
        let mut stores = self.stores.lock().await;
        if let Some(store) = stores.get(&dir) {
            return Ok(Arc::clone(store));
        }
        let store = if let Some(repo) = repo {
            let repo = Arc::clone(repo);
            self.beside(async move { repo.store().await }).await??
        } else {
            let path = dir.clone();
            Arc::new(self.beside(async move { Store::open(&path).await }).await??)
        };
        stores.insert(dir, Arc::clone(&store));
        Ok(store)
    }

    fn state_dir(&self) -> Result<PathBuf> {
        config::state_dir(|name| self.variable(name))
    }

    /// Returns where worktrees are kept.
    fn worktree_root(&self) -> Result<PathBuf> {
        if let Some(root) = &self.config().worktree_root {
            return Ok(self.cwd.join(root));
        }
        let root = self.state_dir()?.join("worktrees");
        if worktree::is_volatile(&root) {
            return Err(Error::usage(format!(
                "worktrees would be kept in `{}`, which does not survive a restart",
                root.display()
            ))
            .hint("set XDG_STATE_HOME or `worktree_root` to a folder that does"));
        }
        Ok(root)
    }

    /// Runs an agent to its end.
    pub async fn ask(
        self: &Arc<Self>,
        query: Query,
        cancel: CancellationToken,
        live: Arc<Live>,
    ) -> Result<Outcome> {
        if let Some(plan) = &self.plan {
            return Box::pin(self.plan_agent(plan, query, cancel, live)).await;
        }
        let label = query.label.clone();
        if let Site::Worktree(_) = &query.site {
            // Before the first wait, so that the first of a fan-out knows of the others.
            live.expects_worktree(self.fleet.expect_worktree());
        }
        let looking = self.look().await;
        let order = match Box::pin(self.order(query, cancel, Arc::clone(&live))).await {
            Ok(order) => Box::pin(self.recalled(order, looking)).await,
            Err(error) => Err(error),
        };
        let order = match order {
            Ok(ControlFlow::Continue(order)) => order,
            Ok(ControlFlow::Break(outcome)) => return Ok(outcome),
            Err(error) => {
                live.inbox.close();
                self.fleet.count_unstarted(&label, &error);
                return Err(error);
            }
        };
        let fleet = Arc::clone(&self.fleet);
        // Not aborted when Lua stops waiting: an agent always takes its work in.
        self.runtime
            .spawn(async move { fleet.run(order).await })
            .await
            .or_kind(Kind::Internal, || "an agent ended by a fault of ours")
    }

    /// Puts together what a query needs from around it.
    async fn order(
        self: &Arc<Self>,
        mut query: Query,
        cancel: CancellationToken,
        live: Arc<Live>,
    ) -> Result<Order> {
        let mut inputs = Inputs::of(&query);
        self.thread(&mut query);
        let ancestor = self.settle_past(&mut query).await?;
        if let Some(ancestor) = &ancestor {
            inputs.take_up(&query.past, &ancestor.id, ancestor.key.as_deref());
        }
        let repo = match &query.site {
            Site::Worktree(plan) => Some(self.repo_to_change(&plan.repo).await?),
            // Agents without a worktree are registered where they are seen.
            Site::Directory(dir) if repository_around(dir).is_some() => Some(self.repo(dir).await?),
            Site::Directory(_) => None,
        };
        if let (Site::Worktree(plan), Some(repo)) = (&query.site, &repo)
            && let Start::Fresh { dirty: Dirty::Ignore, .. } = &plan.start
        {
            self.announce_dirt(repo).await;
        }
        let store = self.store(repo.as_ref()).await?;
        let home = self.home_store().await?;
        self.hear(&store);
        self.hear(&home);
        self.fleet.settle_home(home);
        let worktree_root = match &query.site {
            Site::Worktree(_) => self.worktree_root()?,
            Site::Directory(_) => PathBuf::new(),
        };
        let events = self.events.clone();
        Ok(Order {
            query,
            repo,
            store,
            worktree_root,
            ancestor,
            key: inputs.key(),
            again: None,
            cancel,
            live,
            events,
            deadline: None,
        })
    }

    /// Says once in a run that uncommitted changes of the main checkout are not in worktrees.
    async fn announce_dirt(&self, repo: &Arc<Repo>) {
        if std::mem::replace(&mut *locked(&self.announced), true) {
            return;
        }
        let (this, repo) = (Arc::clone(repo), Arc::clone(repo));
        let dirty = self.beside(async move { this.dirty_paths().await }).await;
        if let Ok(Ok(paths)) = dirty
            && !paths.is_empty()
        {
            self.events.emit(Event::Message {
                level: crate::event::Level::Info,
                text: format!(
                    "{} uncommitted {} in `{}` {} not in the agents' worktrees (see `dirty`)",
                    paths.len(),
                    if paths.len() == 1 { "change" } else { "changes" },
                    repo.top().display(),
                    if paths.len() == 1 { "is" } else { "are" },
                ),
            });
        }
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
        let has_failed = self.fleet.tally().ended.iter().any(|agent| {
            let failed = !matches!(agent.subtype, Subtype::Success | Subtype::ErrorCancelled);
            (failed && !agent.excused) || (strict && agent.denials > 0)
        });
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
