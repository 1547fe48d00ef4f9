//! `agentlua run --detach`: a run in the background, in a session of its own, that outlives its terminal.
//!
//! The foreground checks what was typed, starts the same command line again with the run's id in front,
//! and goes when the run is written down; what hinders that is shown here.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::launch::Launch;
use super::output::{End, Fault, Output};
use super::session;
use super::terminal::{Stdout, say};
use crate::agent::id;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::Events;
use crate::journal::{NewRun, RunRow, Store};
use crate::process::background::{self, BACKGROUND_ARG};
use crate::vm::chunk;

/// How long a run may take to begin; a loaded machine needs seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked whether it has begun.
const EVERY: Duration = Duration::from_millis(20);
/// How much of what a run wrote that did not begin is shown, in bytes.
const SHOWN: u64 = 64 * 1024;

/// A run in the background is said to be one by its first arguments.
pub(super) struct Background {
    /// The run's id.
    pub id: String,
    /// Whether it is one that is gone on with.
    pub resumes: bool,
}

impl Background {
    /// Takes out of a command line what makes it one of the background, and leaves the session if there is
    /// something.
    ///
    /// # Errors
    /// Io, when the session cannot be left.
    pub fn of(typed: impl Iterator<Item = OsString>) -> Result<(Vec<OsString>, Option<Self>)> {
        let mut typed: Vec<OsString> = typed.collect();
        if typed.get(1).is_none_or(|first| first != BACKGROUND_ARG) || typed.len() < 4 {
            return Ok((typed, None));
        }
        background::leave_session().or_kind(Kind::Io, || "cannot go into the background")?;
        let mut taken = typed.drain(1..4).skip(1);
        let id = taken.next().unwrap_or_default().to_string_lossy().into_owned();
        let resumes = taken.next().is_some_and(|word| word == "again");
        drop(taken);
        Ok((typed, Some(Self { id, resumes })))
    }
}

/// A run that is sent into the background.
struct Leaving<'l> {
    launch: &'l Launch,
    id: String,
    /// In how many processes it was worked on before.
    lives: u32,
    store: Arc<Store>,
    log: PathBuf,
    /// How long the log was before.
    known: u64,
}

/// Starts the run in the background and returns the exit code, of the run itself if it did not begin.
/// `here` is where the command line was typed.
pub(super) fn leave(
    launch: &Launch,
    here: &Path,
    workers: &tokio::runtime::Runtime,
    output: &Output,
) -> Result<i32> {
    chunk::Syntax::new().check(&launch.script.source, &launch.script.name)?;
    let host = session::host(
        launch.sources.clone(),
        NewRun::new("", ""),
        None,
        session::environment(),
        Events::new(Vec::new()),
        workers,
    )?;
    let dir = launch.found.clone().unwrap_or_else(|| host.default_dir());
    let store = workers.block_on(host.store_around(&dir))?;
    let (id, lives) = match &launch.earlier {
        Some(earlier) => (earlier.id.clone(), earlier.lives),
        None => (id::new_run(), 0),
    };
    let log = store.dir().join("output").join(format!("{id}.log"));
    let known = log.metadata().map_or(0, |log| log.len());
    let leaving = Leaving { launch, id, lives, store, log, known };
    let process = leaving.start(here)?;
    match leaving.begun(process, workers)? {
        None => {
            leaving.tell(output);
            Ok(0)
        }
        Some(code) => {
            leaving.show_failure()?;
            let error = Error::new(kind_of(code), "the run has not begun");
            output.finish(&End { code, error: Some(Fault::from(&error)), ..End::default() });
            Ok(code)
        }
    }
}

/// Returns the kind of error that ends a process so.
fn kind_of(code: i32) -> Kind {
    Kind::ALL.into_iter().find(|kind| kind.exit_code() == code).unwrap_or(Kind::Io)
}

impl Leaving<'_> {
    fn start(&self, here: &Path) -> Result<background::Background> {
        let trouble = || format!("cannot write `{}`", self.log.display());
        let folder = self.log.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).or_kind(Kind::Io, trouble)?;
        let output = File::options().create(true).append(true).open(&self.log);
        let output = output.or_kind(Kind::Io, trouble)?;
        let again = self.launch.reads_stdin.then(|| self.script_again(folder));
        let stdin = again.transpose().or_kind(Kind::Io, trouble)?;
        let word = if self.launch.earlier.is_some() { "again" } else { "new" };
        let mut args: Vec<OsString> = vec![self.id.clone().into(), word.into()];
        args.extend(std::env::args_os().skip(1));
        let program = session::program()?;
        background::Background::start(&program, &args, here, stdin, output)
            .or_kind(Kind::Io, || "cannot start a run in the background")
    }

    /// Returns a file without a name that holds the script, which was read from standard input.
    fn script_again(&self, folder: &Path) -> std::io::Result<File> {
        let path = folder.join(format!("{}.lua.part", self.id));
        let mut file = File::options().create_new(true).read(true).write(true).open(&path)?;
        std::fs::remove_file(&path)?;
        file.write_all(&self.launch.script.source)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// Waits until the run has begun; returns the exit code of one that ended before.
    fn begun(
        &self,
        mut process: background::Background,
        workers: &tokio::runtime::Runtime,
    ) -> Result<Option<i32>> {
        let start = Instant::now();
        loop {
            // First, so that a run which has begun and ended meanwhile is found.
            let ended = process.exit_code().or_kind(Kind::Io, || "the run cannot be watched")?;
            let runs = workers.block_on(self.store.runs())?;
            // Another may have been faster to go on with it.
            let ours = |run: &RunRow| {
                let by = run.command.as_ref().and_then(|command| command.process);
                run.id == self.id && run.lives > self.lives && by == Some(process.id())
            };
            if runs.iter().any(ours) {
                return Ok(None);
            }
            if ended.is_some() {
                return Ok(ended);
            }
            if start.elapsed() > PATIENCE {
                process.kill();
                let why = format!("the run did not begin in {} seconds", PATIENCE.as_secs());
                return Err(Error::new(Kind::Timeout, why)
                    .hint(format!("what it wrote is in {}", self.log.display())));
            }
            std::thread::sleep(EVERY);
        }
    }

    /// Prints the run's id, and what can be done with it.
    fn tell(&self, output: &Output) {
        let id = &self.id;
        if output.is_text() {
            Stdout::default().write(format!("{id}\n").as_bytes());
        } else {
            output.announce(&json!({ "run": id }));
        }
        if !self.launch.quiet() {
            say(&format!(
                "{} runs in the background\n  look: agentlua logs {id} -f\n  stop: agentlua stop {id}\n",
                self.launch.script.name
            ));
        }
    }

    /// Shows what a run wrote that has ended before it began, and forgets it.
    fn show_failure(&self) -> Result<()> {
        let trouble = || format!("cannot read `{}`", self.log.display());
        let mut file = File::open(&self.log).or_kind(Kind::Io, trouble)?;
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(self.known)).or_kind(Kind::Io, trouble)?;
        file.take(SHOWN).read_to_end(&mut text).or_kind(Kind::Io, trouble)?;
        say(&String::from_utf8_lossy(&text));
        if self.known == 0 {
            let _ = std::fs::remove_file(&self.log);
            // Not when it is another's, too.
            let _ = self.log.parent().map(std::fs::remove_dir);
        }
        Ok(())
    }
}
