//! `agentlua run SCRIPT [ARG…]`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value, json};

use super::output::{End, Fault, Output};
use super::script::Script;
use super::signals::Signalled;
use super::terminal::{Stdout, say};
use super::{Flags, Run, diagnostic, plan, progress, session, signals};
use crate::api;
use crate::api::test::END_MARK;
use crate::config::Format;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Event, Events};
use crate::host::Host;
use crate::host::plan::Report;
use crate::journal::{Command, NewRun};
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
    let mut environment = session::environment();
    // For this run alone: what the script starts must not take it for its own.
    if let Some(mark) = environment.remove(END_MARK) {
        output.end_with(mark);
    }
    let debug = environment.get("AGENTLUA_LOG").is_some_and(|level| level == "debug");
    // What can be known before the files are read: they may be at fault.
    let variable = environment.get("AGENTLUA_OUTPUT_FORMAT");
    if let Some(word) = run.flags.output_format.as_ref().or(variable) {
        output.choose(Format::parse(word).unwrap_or_default())?;
    }
    let sources = session::sources(&run.flags, &environment, &cwd)?;
    let format = sources.flags.output_format.or(sources.below.output_format);
    output.choose(format.unwrap_or_default())?;
    if sources.flags.dry_run.or(sources.below.dry_run) == Some(true) {
        output.reserve()?;
    }
    let workers = session::workers()?;
    let root = Task::root(tokio_util::sync::CancellationToken::new());
    let signalled = signals::watch(workers.handle(), root.stopper(), output)?;
    let script = Script::load(&run.script)?;
    let quiet = sources.flags.quiet.or(sources.below.quiet).unwrap_or(false);
    let reporter = progress::Plain::new(quiet, debug, Box::new(say));
    let events = Events::new(vec![Arc::new(reporter), Arc::new(output.clone())]);
    let plan = NewRun {
        command: command(&script, &run.args, &run.flags, &cwd),
        ..NewRun::new("", &script.name)
    };
    let host = session::host(sources, plan, None, environment, events, &workers)?;
    output.serve(&host, root.stopper());
    if let Some(plan) = host.plan() {
        let stopper = root.stopper().clone();
        plan.when_full(move |error| stopper.stop(error));
    }
    signalled.begin();
    let running = Running { host, root, signalled, output: output.clone() };
    let code = session::on_lua_thread(running.execute(&script, &run.args))?;
    // Threads that still wait for a file or a process must not hold up the end.
    workers.shutdown_background();
    code
}

/// Returns how a run is started, for the journal.
fn command(script: &Script, args: &[OsString], flags: &Flags, cwd: &Path) -> Command {
    Command {
        script: script.file.as_ref().map(|file| file.display().to_string()),
        source: String::from_utf8_lossy(&script.source).into_owned(),
        args: args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        cwd: cwd.display().to_string(),
        flags: flags.recorded(),
        detached: false,
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
        host.load_cassette()?;
        api::model::load_default(&runtime, host).await?;
        let args = runtime.set_arguments(&script.name, args.iter().map(|arg| arg.as_bytes()))?;
        let run = host.fleet().run_id().to_owned();
        host.events().emit(Event::RunStarted {
            run: run.clone(),
            script: script.name.clone(),
            resumed: host.is_resumed(),
        });
        let ended = runtime.run(root, main, args).await;
        let result = self.result(&runtime, &ended);
        host.close().await;
        host.end_cassette(self.signalled.code().is_some());
        host.events().emit(Event::RunFinished { run: run.clone() });
        let (ended, closed) = (ended.err(), stdout.is_closed() || output.is_broken());
        let code = self.exit_code(&runtime, ended.as_deref(), closed);
        let report = self.report();
        let interrupted = self.signalled.code().is_some();
        let silent = interrupted || closed || runtime.exit_code().is_some();
        let uncaught = ended.filter(|_| !silent);
        let error = uncaught.as_deref().map(Fault::from);
        let plan = report.as_ref().map(|report| json!(report));
        let end = End { code, result, error, interrupted, plan };
        host.end_run(end.status(host.has_failures()), code).await;
        if report.is_none() {
            progress::summary(&run, &host.fleet().tally(), host.config().quiet);
        }
        // What ended the run comes last, where people look first.
        if let Some(uncaught) = &uncaught {
            diagnostic::print_uncaught(uncaught);
        }
        if let Some(report) = &report {
            output.tell(&plan::render(&script.name, report));
        }
        output.finish(&end);
        // The last line, too, may find nobody there.
        Ok(if output.is_broken() { self.exit_code(&runtime, None, true) } else { code })
    }

    /// Returns what a dry run has planned.
    fn report(&self) -> Option<Report> {
        let config = self.host.config();
        let plan = self.host.plan()?;
        Some(plan.report(config.concurrency, config.max_budget_usd))
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
        if !self.output.has_last_line() {
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
