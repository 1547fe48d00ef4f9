//! What `run` and `repl` have in common: the two runtimes, the settings, the host, Lua.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::screen::Hidden;
use super::{Flags, progress, terminal};
use crate::api::{self, result};
use crate::config::{self, Settings};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::Events;
use crate::host::{Host, Sources, Surroundings, repository_around};
use crate::journal::{NewRun, RunRow};
use crate::vm::runtime::{Reading, Write};
use crate::vm::{Runtime, Setup, Task};

/// Threads for everything that is not Lua: HTTP, git, files.
const WORKERS: usize = 4;

/// Makes the runtime of agents, git and HTTP.
///
/// # Errors
/// Io, when threads cannot be made.
pub fn workers() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from).min(WORKERS))
        .thread_name("agent")
        .enable_all()
        .build()
        .or_kind(Kind::Io, || "cannot start threads")
}

/// Runs `work` on this thread, as the Lua thread.
///
/// # Errors
/// Io, when its event loop cannot be made.
pub fn on_lua_thread<T>(work: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_kind(Kind::Io, || "cannot start the Lua thread")?;
    let local = tokio::task::LocalSet::new();
    Ok(local.block_on(&runtime, work))
}

/// Collects the settings from flags, variables and files.
///
/// # Errors
/// Usage, for a variable or file that cannot be understood.
pub(super) fn sources(
    flags: &Flags,
    environment: &BTreeMap<String, String>,
    cwd: &Path,
) -> Result<Sources> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
    let flags = flags.settings()?;
    let variables = from_variables(&variable)?;
    let dir = flags.repo.as_ref().or(variables.repo.as_ref());
    let dir = dir.map_or_else(|| cwd.to_owned(), |dir| cwd.join(dir));
    let repository = match repository_around(&dir) {
        Some(top) => Settings::load_repository(&top.join("agentlua.toml"))?,
        None => Settings::default(),
    };
    let user = match config::config_dir(variable) {
        Ok(dir) => Settings::load_user(&dir.join("config.toml"))?,
        // No home: no settings of the user's.
        Err(_) => Settings::default(),
    };
    Ok(Sources {
        flags,
        script: Settings::default(),
        below: variables.over(repository.within(&user)).over(user),
    })
}

fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Result<Settings> {
    fn parsed<T: std::str::FromStr>(
        variable: &dyn Fn(&str) -> Option<String>,
        name: &str,
    ) -> Result<Option<T>> {
        variable(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| Error::usage(format!("the variable {name} cannot be `{text}`")))
            })
            .transpose()
    }
    let flag = |name: &str| match variable(name).as_deref() {
        None | Some("") => Ok(None),
        Some("1" | "true" | "yes") => Ok(Some(true)),
        Some("0" | "false" | "no") => Ok(Some(false)),
        Some(other) => {
            Err(Error::usage(format!("the variable {name} must be 1 or 0, not `{other}`")))
        }
    };
    let resume = match flag("AGENTLUA_RESUME") {
        Ok(flag) => flag.filter(|wanted| *wanted).map(|_| String::new()),
        // No word for yes or no: the id of a run.
        Err(_) => variable("AGENTLUA_RESUME"),
    };
    Ok(Settings {
        model: variable("AGENTLUA_MODEL"),
        concurrency: parsed(variable, "AGENTLUA_CONCURRENCY")?,
        max_turns: parsed(variable, "AGENTLUA_MAX_TURNS")?,
        max_budget_usd: parsed(variable, "AGENTLUA_MAX_BUDGET_USD")?,
        // A table: it has files and `agent.config`.
        prices: None,
        timeout: parsed(variable, "AGENTLUA_TIMEOUT")?,
        idle_timeout: parsed(variable, "AGENTLUA_IDLE_TIMEOUT")?,
        max_output_tokens: parsed(variable, "AGENTLUA_MAX_OUTPUT_TOKENS")?,
        strict: flag("AGENTLUA_STRICT")?,
        quiet: flag("AGENTLUA_QUIET")?,
        output_format: parsed(variable, "AGENTLUA_OUTPUT_FORMAT")?,
        repo: variable("AGENTLUA_REPO").map(PathBuf::from),
        detach: flag("AGENTLUA_DETACH")?,
        resume,
        worktree_root: variable("AGENTLUA_WORKTREE_ROOT").map(PathBuf::from),
        record: variable("AGENTLUA_RECORD").map(PathBuf::from),
        replay: variable("AGENTLUA_REPLAY").map(PathBuf::from),
        replay_tools: flag("AGENTLUA_REPLAY_TOOLS")?,
        // `AGENTLUA_WORKTREE` tells a command of an agent where it is.
        worktree: None,
        dry_run: flag("AGENTLUA_DRY_RUN")?,
        ..Settings::default()
    })
}

/// Returns where agentlua was started, or has gone since.
///
/// # Errors
/// Io, when that folder is gone.
pub fn working_directory() -> Result<PathBuf> {
    std::env::current_dir().or_kind(Kind::Io, || "the working directory is gone")
}

/// Returns the environment of this process; names and values that are no UTF-8 are left out.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Returns our own binary: the running one, even when its file was replaced meanwhile.
///
/// # Errors
/// Io, when it is not known.
pub fn program() -> Result<PathBuf> {
    let program = PathBuf::from("/proc/self/exe");
    if program.exists() {
        return Ok(program);
    }
    std::env::current_exe().or_kind(Kind::Io, || "cannot find our own binary")
}

/// Makes the host of a run, or of one that is gone on with: `resumed` is what that was before.
///
/// # Errors
/// Usage, for settings that cannot be.
pub fn host(
    sources: Sources,
    run: NewRun,
    resumed: Option<RunRow>,
    environment: BTreeMap<String, String>,
    events: Events,
    workers: &tokio::runtime::Runtime,
) -> Result<Arc<Host>> {
    let cwd = std::env::current_dir().or_kind(Kind::Io, || "the working directory is gone")?;
    let program = program()?;
    Host::new(Surroundings {
        sources,
        environment,
        cwd,
        events,
        runtime: workers.handle().clone(),
        run,
        resumed,
        program,
    })
}

/// A look at what there is here, by a command that runs no script.
pub(super) struct Visit {
    /// Its host, which has no agents.
    pub host: Arc<Host>,
    workers: tokio::runtime::Runtime,
}

impl Visit {
    /// Goes to the repository around `repo`, or to the one here.
    ///
    /// # Errors
    /// Usage, for settings that cannot be understood; io.
    pub fn of(repo: Option<&Path>) -> Result<Self> {
        let cwd = std::env::current_dir().or_kind(Kind::Io, || "the working directory is gone")?;
        let environment = environment();
        let flags = Flags { repo: repo.map(Path::to_owned), ..Flags::default() };
        let sources = sources(&flags, &environment, &cwd)?;
        let workers = workers()?;
        let say = progress::Plain::new(false, false, Box::new(terminal::say));
        let events = Events::new(vec![Arc::new(say)]);
        let host = host(sources, NewRun::new("", ""), None, environment, events, &workers)?;
        Ok(Self { host, workers })
    }

    /// Waits for something that the host does.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.workers.block_on(work)
    }

    /// Writes down what is left to write.
    pub fn leave(self) {
        self.workers.block_on(self.host.close());
        self.workers.shutdown_background();
    }
}

/// Makes Lua with every global.
///
/// # Errors
/// Internal: a fault of ours.
pub fn lua(
    host: &Arc<Host>,
    root: Rc<Task>,
    script_dir: PathBuf,
    write: Write,
) -> Result<Rc<Runtime>> {
    let complain: Write = Rc::new(|text| {
        // There is nobody to tell when that fails.
        let _ = terminal::complain(text);
    });
    let hidden = Cell::new(None);
    let hide: Reading = Rc::new(move |begins| hidden.set(begins.then(Hidden::now)));
    let reading = std::io::stdin().is_terminal().then_some(hide);
    let setup = Setup { write, complain, reading, script_dir, result_fields: result::fields };
    let runtime = Rc::new(Runtime::new(&setup, root)?);
    api::install(&runtime, host)?;
    Ok(runtime)
}
