//! What is to be run, settled from what was typed: a script for the first time, or a run of before that is
//! gone on with, in its folder, with its arguments and with its flags under those typed now.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::detach::Background;
use super::output::Output;
use super::script::Script;
use super::{Flags, Resume, Run, session};
use crate::error::{Error, Result, ResultExt};
use crate::event::{Events, Level};
use crate::host::resuming::Wanted;
use crate::host::{Host, Sources};
use crate::journal::{Command, NewRun, RunRow};

/// What was typed, by either of two commands.
pub(super) struct Asked<'a> {
    pub flags: &'a Flags,
    /// Nothing means that of the run that is gone on with.
    script: Option<&'a Path>,
    args: &'a [OsString],
    /// The run to go on with; an empty name is the last one that is not finished.
    resume: Option<&'a str>,
    detach: bool,
    background: Option<&'a Background>,
}

impl Run {
    pub(super) fn asked<'a>(&'a self, background: Option<&'a Background>) -> Asked<'a> {
        Asked {
            flags: &self.flags,
            script: self.script.first().map(Path::new),
            args: self.script.get(1..).unwrap_or_default(),
            resume: self.resume.as_deref(),
            detach: self.detach,
            background,
        }
    }
}

impl Resume {
    pub(super) fn asked<'a>(&'a self, background: Option<&'a Background>) -> Asked<'a> {
        Asked {
            flags: &self.flags,
            script: None,
            args: &[],
            resume: Some(self.run.as_deref().unwrap_or_default()),
            detach: self.detach,
            background,
        }
    }
}

/// What is to be run.
pub(super) struct Launch {
    /// The flags that count as typed.
    flags: Flags,
    pub sources: Sources,
    pub script: Script,
    /// Whether the script came by standard input.
    pub reads_stdin: bool,
    pub args: Vec<OsString>,
    /// The run that is gone on with, as it was.
    pub earlier: Option<RunRow>,
    /// Where that was found.
    pub found: Option<PathBuf>,
    /// Its id, if it has one yet.
    id: String,
    /// Whether it is to go into the background.
    pub detach: bool,
    /// Whether it is there.
    pub is_background: bool,
    /// What is to be said of all that.
    pub notes: Vec<(Level, String)>,
}

/// What settling needs from around it.
pub(super) struct Around<'a> {
    pub environment: &'a BTreeMap<String, String>,
    /// Where the command line was typed.
    pub here: &'a Path,
    pub workers: &'a tokio::runtime::Runtime,
    pub output: &'a Output,
}

impl Launch {
    /// Settles what is to be run; from here on the working directory is that of the run.
    ///
    /// # Errors
    /// Usage, for flags, files and runs that cannot be; io.
    pub fn settle(asked: &Asked<'_>, around: &Around<'_>) -> Result<Self> {
        let sources = around.sources(asked.flags, around.here)?;
        let wanted = asked.resume.map(str::to_owned);
        let wanted = wanted.or_else(|| sources.below.resume.clone());
        let wants_detach = asked.detach || sources.below.detach == Some(true);
        let (detach, is_background) =
            (wants_detach && asked.background.is_none(), asked.background.is_some());
        let found = match &wanted {
            Some(name) => around.earlier(asked, name, &sources)?,
            None => None,
        };
        let launch = if let Some((earlier, dir)) = found {
            Self::again(asked, around, earlier, dir)?
        } else {
            let Some(path) = asked.script else {
                return Err(Error::internal("a run to go on with was not found"));
            };
            let script = Script::load(path)?;
            let mut notes = Vec::new();
            if wanted.is_some() && !is_background {
                let text =
                    format!("no run of {} is left to resume: this is a new one", script.name);
                notes.push((Level::Info, text));
            }
            Self {
                flags: asked.flags.clone(),
                sources,
                reads_stdin: script.file.is_none(),
                script,
                args: asked.args.to_vec(),
                earlier: None,
                found: None,
                id: asked.background.map(|background| background.id.clone()).unwrap_or_default(),
                detach: false,
                is_background: false,
                notes,
            }
        };
        Ok(Self { detach, is_background, ..launch })
    }

    /// Settles that `earlier`, which was found from `dir`, is gone on with.
    fn again(
        asked: &Asked<'_>,
        around: &Around<'_>,
        earlier: RunRow,
        dir: PathBuf,
    ) -> Result<Self> {
        let command = earlier.command.clone().unwrap_or_default();
        let cwd = PathBuf::from(&command.cwd);
        // Flags that this version does not know are of no use to it.
        let recorded: Flags = serde_json::from_value(command.flags).unwrap_or_default();
        around.require_home(&earlier.id, &recorded, &cwd, &dir)?;
        let mut notes = Vec::new();
        let script = match asked.script {
            Some(path) if cwd == around.here => Script::load(path)?,
            Some(path) => Script::load(path)?.anchored(),
            None => {
                let (script, is_copy) = Script::of(&earlier)?;
                if is_copy && script.file.is_some() {
                    let text = format!("{} is gone: the text that it had is run", script.name);
                    notes.push((Level::Warn, text));
                }
                script
            }
        };
        if cwd != around.here {
            std::env::set_current_dir(&cwd).map_err(|fault| {
                let why = format!("`{}` was started in `{}`", earlier.id, cwd.display());
                Error::usage(format!("{why}, where one cannot go any more")).because(fault)
            })?;
            let text = format!("it runs in {}, where it was started", cwd.display());
            notes.push((Level::Info, text));
        }
        let args = if asked.args.is_empty() {
            if asked.script.is_some() && !command.args.is_empty() {
                let text = format!("its arguments are those of then: {}", command.args.join(" "));
                notes.push((Level::Info, text));
            }
            command.args.iter().map(OsString::from).collect()
        } else {
            asked.args.to_vec()
        };
        if let (Some(file), None, None) =
            (&recorded.record, &asked.flags.record, &asked.flags.replay)
        {
            let text = format!(
                "`--record {}` is not taken over: a recording of what is left would replace that of the whole",
                file.display()
            );
            notes.push((Level::Warn, text));
        }
        let flags = asked.flags.clone().anchored(around.here).over(recorded);
        Ok(Self {
            sources: around.sources(&flags, &cwd)?,
            flags,
            reads_stdin: asked.script.is_some() && script.file.is_none(),
            script,
            args,
            id: earlier.id.clone(),
            earlier: Some(earlier),
            found: Some(dir),
            detach: false,
            is_background: false,
            notes,
        })
    }

    /// Returns what to type where `--model` stands behind the script, which then has it and has not asked for
    /// it.
    pub fn misplaced_model(&self) -> Option<String> {
        let declares = self.script.source.windows(10).any(|words| words == b"agent.args");
        let args: Vec<_> = self.args.iter().map(|arg| arg.to_string_lossy()).collect();
        let at = args.iter().position(|arg| arg == "--model" || arg.starts_with("--model="))?;
        let script = if self.reads_stdin { "-" } else { &*self.script.name };
        let typed = match (args[at].strip_prefix("--model="), args.get(at + 1)) {
            (Some(model), _) => model,
            (None, next) => next.map_or("NAME", |next| &**next),
        };
        let typed = format!("agentlua run --model {typed} {script}");
        (!declares).then(|| format!("options of `run` go before the script: {typed}"))
    }

    /// Reports whether progress is left out.
    pub fn quiet(&self) -> bool {
        self.sources.flags.quiet.or(self.sources.below.quiet).unwrap_or(false)
    }

    /// Reports whether agents are planned and not asked.
    pub fn is_dry(&self) -> bool {
        self.sources.flags.dry_run.or(self.sources.below.dry_run).unwrap_or(false)
    }

    /// Returns the run for the registry, with what it takes to start it again.
    pub fn plan(&self, cwd: &Path) -> NewRun {
        NewRun {
            id: self.id.clone(),
            script: self.script.name.clone(),
            command: Command {
                script: self.script.file.as_ref().map(|file| file.display().to_string()),
                source: String::from_utf8_lossy(&self.script.source).into_owned(),
                args: self.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect(),
                cwd: cwd.display().to_string(),
                flags: self.flags.recorded(),
                detached: self.is_background,
                process: Some(std::process::id()),
                elsewhere: self.elsewhere(),
            },
        }
    }

    /// Returns the stores that the run has begun in before, beside its own.
    fn elsewhere(&self) -> Vec<PathBuf> {
        let command = self.earlier.as_ref().and_then(|earlier| earlier.command.as_ref());
        command.map(|command| command.elsewhere.clone()).unwrap_or_default()
    }

    /// Returns what goes on with the run `id`, as it is to be typed.
    pub fn again_command(&self, id: &str) -> String {
        let repo = self.flags.repo.as_ref();
        let repo = repo.map(|repo| format!(" --repo {}", repo.display())).unwrap_or_default();
        format!("agentlua resume {id}{repo}")
    }
}

impl Around<'_> {
    /// Collects the settings, and follows what they say of the output.
    fn sources(&self, flags: &Flags, cwd: &Path) -> Result<Sources> {
        let sources = session::sources(flags, self.environment, cwd)?;
        let format = sources.flags.output_format.or(sources.below.output_format);
        self.output.choose(format.unwrap_or_default())?;
        Ok(sources)
    }

    /// Finds the run to go on with, and says from which folder it was found.
    fn earlier(
        &self,
        asked: &Asked<'_>,
        name: &str,
        sources: &Sources,
    ) -> Result<Option<(RunRow, PathBuf)>> {
        let file;
        let wanted = match (asked.background, asked.script) {
            (Some(Background { resumes: false, .. }), _) => return Ok(None),
            (Some(background), _) => Wanted::Named(&background.id),
            (None, _) if !name.is_empty() => Wanted::Named(name),
            (None, None) => Wanted::Last,
            (None, Some(script)) => {
                let kind = crate::error::Kind::Io;
                file = std::path::absolute(script).or_kind(kind, || "the script has no path")?;
                Wanted::LastOf(&file)
            }
        };
        let host = self.host(sources)?;
        let found = self.workers.block_on(host.run_to_resume(wanted))?;
        Ok(found.map(|run| (run, host.default_dir())))
    }

    /// Requires that a run which was found from `found` was started in that repository: beside a copy of it
    /// stands the original, which another would then work in.
    fn require_home(&self, id: &str, recorded: &Flags, cwd: &Path, found: &Path) -> Result<()> {
        // Where it cannot be gone to is told by whoever goes there.
        if !cwd.is_dir() {
            return Ok(());
        }
        let host = self.host(&session::sources(recorded, self.environment, cwd)?)?;
        let repo = host.config().repo.clone();
        let started = repo.map_or_else(|| cwd.to_owned(), |repo| cwd.join(repo));
        let (home, here) = self.workers.block_on(async {
            let home = host.store_around(&started).await?.dir().to_owned();
            Ok::<_, Error>((home, host.store_around(found).await?.dir().to_owned()))
        })?;
        let real = |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        if real(&home) == real(&here) {
            return Ok(());
        }
        let why = format!("`{id}` was started in `{}`", started.display());
        Err(Error::usage(format!(
            "{why}, which is another repository than the one it was found in"
        ))
        .hint(format!("cd {} && agentlua resume {id}", cwd.display())))
    }

    /// Makes a host that looks, and runs nothing.
    fn host(&self, sources: &Sources) -> Result<Arc<Host>> {
        session::host(
            sources.clone(),
            NewRun::new("", ""),
            None,
            self.environment.clone(),
            Events::new(Vec::new()),
            self.workers,
        )
    }
}
