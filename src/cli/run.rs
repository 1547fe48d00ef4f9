//! `agentlua run SCRIPT [ARG…]`.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use super::output::{End, Fault, Output};
use super::signals::Signalled;
use super::terminal::{Stdout, say};
use super::{Run, diagnostic, progress, session, signals};
use crate::api;
use crate::config::Format;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Event, Events};
use crate::host::Host;
use crate::journal::NewRun;
use crate::vm::runtime::Write;
use crate::vm::{Runtime, Task, Uncaught, Values, chunk};

/// Runs a script and returns the exit code.
pub(super) fn main(run: &Run) -> Result<i32> {
    let output = Output::begin();
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| start(run, &output)));
    let ended = ended.unwrap_or_else(|_| Err(Error::internal("agentlua panicked")));
    if let Err(error) = &ended {
        let code = error.kind.exit_code();
        output.finish(&End { code, error: Some(error.into()), ..End::default() });
    }
    ended
}

fn start(run: &Run, output: &Output) -> Result<i32> {
    let cwd = std::env::current_dir().or_kind(Kind::Io, || "the working directory is gone")?;
    let environment = session::environment();
    let debug = environment.get("AGENTLUA_LOG").is_some_and(|level| level == "debug");
    // What can be known before the files are read: they may be at fault.
    let variable = environment.get("AGENTLUA_OUTPUT_FORMAT");
    if let Some(word) = run.flags.output_format.as_ref().or(variable) {
        output.choose(Format::parse(word).unwrap_or_default())?;
    }
    let sources = session::sources(&run.flags, &environment, &cwd)?;
    let format = sources.flags.output_format.or(sources.below.output_format);
    output.choose(format.unwrap_or_default())?;
    let workers = session::workers()?;
    let root = Task::root(tokio_util::sync::CancellationToken::new());
    let signalled = signals::watch(workers.handle(), root.stopper(), output)?;
    let script = Script::load(&run.script)?;
    let quiet = sources.flags.quiet.or(sources.below.quiet).unwrap_or(false);
    let reporter = progress::Plain::new(quiet, debug, Box::new(say));
    let events = Events::new(vec![Arc::new(reporter), Arc::new(output.clone())]);
    let host = session::host(
        sources,
        NewRun::new(run.flags.later.resume.as_deref().unwrap_or_default(), &script.name),
        environment,
        events,
        &workers,
    )?;
    output.serve(&host, root.stopper());
    signalled.begin();
    let running = Running { host, root, signalled, output: output.clone() };
    let code = session::on_lua_thread(running.execute(&script, &run.args))?;
    // Threads that still wait for a file or a process must not hold up the end.
    workers.shutdown_background();
    code
}

struct Script {
    /// As it was typed.
    name: String,
    source: Vec<u8>,
    /// Where `require` looks first.
    dir: PathBuf,
}

impl Script {
    fn load(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            let mut source = Vec::new();
            std::io::stdin()
                .read_to_end(&mut source)
                .or_kind(Kind::Io, || "cannot read the script from standard input")?;
            return Ok(Self { name: "stdin".to_owned(), source, dir: PathBuf::from(".") });
        }
        let name = path.display().to_string();
        let source = std::fs::read(path).map_err(|fault| {
            let error = Error::usage(format!("cannot read the script `{name}`")).because(fault);
            error.hint("agentlua run SCRIPT.lua, or `-` for standard input")
        })?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        Ok(Self { name, source, dir: dir.unwrap_or(Path::new(".")).to_owned() })
    }
}

/// A run on its way.
struct Running {
    host: Arc<Host>,
    root: Rc<Task>,
    signalled: Signalled,
    output: Output,
}

impl Running {
    async fn execute(&self, script: &Script, args: &[OsString]) -> Result<i32> {
        let Self { host, root, output, .. } = self;
        let stdout = Stdout::default();
        let runtime =
            session::lua(host, Rc::clone(root), script.dir.clone(), self.printing(&stdout))?;
        let main = chunk::compile(runtime.lua(), &script.source, &script.name)?;
        api::model::load_default(&runtime, host).await?;
        let args = runtime.set_arguments(&script.name, args.iter().map(|arg| arg.as_bytes()))?;
        let run = host.fleet().run_id().to_owned();
        host.events().emit(Event::RunStarted { run: run.clone(), script: script.name.clone() });
        let ended = runtime.run(root, main, args).await;
        let result = self.result(&runtime, &ended);
        host.close().await;
        host.events().emit(Event::RunFinished { run: run.clone() });
        let (ended, closed) = (ended.err(), stdout.is_closed() || output.is_broken());
        let code = self.exit_code(&runtime, ended.as_deref(), closed);
        // What ended the run comes last, where people look first.
        progress::summary(&run, &host.fleet().tally(), host.config().quiet);
        let interrupted = self.signalled.code().is_some();
        let silent = interrupted || closed || runtime.exit_code().is_some();
        let uncaught = ended.filter(|_| !silent);
        if let Some(uncaught) = &uncaught {
            diagnostic::print_uncaught(uncaught);
        }
        let error = uncaught.as_deref().map(Fault::from);
        output.finish(&End { code, result, error, interrupted });
        // The last line, too, may find nobody there.
        Ok(if output.is_broken() { self.exit_code(&runtime, None, true) } else { code })
    }

    /// Returns what takes the text that the script prints.
    fn printing(&self, stdout: &Stdout) -> Write {
        let (stdout, output) = (stdout.clone(), self.output.clone());
        let stopper = self.root.stopper().clone();
        Rc::new(move |text: &[u8]| {
            if !output.is_text() {
                return stdout.write_aside(text);
            }
            if stdout.write(text) {
                stopper.stop(Error::new(Kind::Cancelled, "standard output was closed"));
            }
        })
    }

    /// Returns what the script returned: a value, or a list of several.
    fn result(&self, runtime: &Runtime, ended: &Result<Values, Box<Uncaught>>) -> Value {
        let Ok(values) = ended else { return Value::Null };
        if self.output.is_text() {
            return Value::Null;
        }
        api::json::returned(runtime.lua(), values).unwrap_or_else(|error| {
            self.host.events().warn(format!("{error}; the result is null"));
            Value::Null
        })
    }

    /// Whose word counts: a signal, then `os.exit`, then a closed output, then the error that ended the
    /// script, then agents that failed.
    fn exit_code(&self, runtime: &Runtime, ended: Option<&Uncaught>, closed: bool) -> i32 {
        if let Some(code) = self.signalled.code().or(runtime.exit_code()) {
            return code;
        }
        match ended {
            _ if closed => 141,
            Some(uncaught) => uncaught.exit_code(),
            None if self.host.has_failures() => 1,
            None => 0,
        }
    }
}
