//! `agentlua run SCRIPT [ARG…]`.

use std::os::unix::ffi::OsStrExt;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value, json};

use super::launch::{Around, Asked, Launch};
use super::live::Display;
use super::output::{End, Fault, Output};
use super::signals::Signalled;
use super::terminal::{Stdout, is_stderr_live, is_stdout_piped, say};
use super::{check, detach, diagnostic, plan, progress, session, signals};
use crate::agent::Subtype;
use crate::agent::tally::Tally;
use crate::api;
use crate::api::test::END_MARK;
use crate::config::Format;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Events, Reporter};
use crate::host::Host;
use crate::host::plan::Report;
use crate::vm::runtime::Write;
use crate::vm::{Runtime, Task, Uncaught, Values, chunk};

/// Runs a script, for the first time or again, and returns the exit code.
pub(super) fn main(asked: &Asked<'_>) -> Result<i32> {
    let output = Output::begin();
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| start(asked, &output)));
    let ended = ended.unwrap_or_else(|_| Err(Error::internal("agentlua panicked")));
    if let Err(error) = &ended {
        let code = error.kind.exit_code();
        output.finish(&End { code, error: Some(error.into()), ..End::default() });
    }
    ended
}

fn start(asked: &Asked<'_>, output: &Output) -> Result<i32> {
    let here = session::working_directory()?;
    // As it is for whoever called: it may be moved below.
    let may_be_live = is_stderr_live() && !is_stdout_piped();
    let mut environment = session::environment();
    // For this run alone: what the script starts must not take it for its own.
    if let Some(mark) = environment.remove(END_MARK) {
        output.end_with(mark);
    }
    let debug = environment.get("AGENTLUA_LOG").is_some_and(|level| level == "debug");
    // What can be known before the files are read: they may be at fault.
    let variable = environment.get("AGENTLUA_OUTPUT_FORMAT");
    if let Some(word) = asked.flags.output_format.as_ref().or(variable) {
        output.choose(Format::parse(word).unwrap_or_default())?;
    }
    let workers = session::workers()?;
    let root = Task::root(tokio_util::sync::CancellationToken::new());
    let signalled = signals::watch(workers.handle(), root.stopper(), output)?;
    let around = Around { environment: &environment, here: &here, workers: &workers, output };
    let launch = Launch::settle(asked, &around)?;
    if let Some(error) = check::before_run(&launch.script) {
        let code = error.kind.exit_code();
        output.finish(&End { code, error: Some((&error).into()), ..End::default() });
        return Ok(code);
    }
    if launch.is_dry() {
        output.reserve()?;
    } else if launch.detach {
        return detach::leave(&launch, &here, &workers, output);
    }
    let (display, reporter) = show(&launch, debug, may_be_live, &workers)?;
    let events = Events::new(vec![reporter, Arc::new(output.clone())]);
    let (sources, plan) = (launch.sources.clone(), launch.plan(&session::working_directory()?));
    let host = session::host(sources, plan, launch.earlier.clone(), environment, events, &workers)?;
    output.serve(&host, root.stopper());
    if let Some(plan) = host.plan() {
        let stopper = root.stopper().clone();
        plan.when_full(move |error| stopper.stop(error));
    }
    host.on_stop({
        let (signalled, stopper) = (signalled.clone(), root.stopper().clone());
        let output = output.clone();
        move || signals::stop(&signalled, &stopper, &output)
    });
    host.fleet().stops_when({
        let signalled = signalled.clone();
        move || signalled.code().is_some()
    });
    signalled.begin();
    let mut running = Running { host, root, signalled, output: output.clone(), display };
    let code = session::on_lua_thread(running.execute(&launch))?;
    // Threads that still wait for a file or a process must not hold up the end.
    workers.shutdown_background();
    code
}

/// Returns who tells people of the run, and the display where there is one.
fn show(
    launch: &Launch,
    debug: bool,
    may_be_live: bool,
    workers: &tokio::runtime::Runtime,
) -> Result<(Option<Display>, Arc<dyn Reporter>)> {
    if launch.quiet() || launch.is_dry() || launch.is_background || !may_be_live {
        return Ok((None, Arc::new(progress::Plain::new(launch.quiet(), debug, Box::new(say)))));
    }
    let _guard = workers.enter();
    let (display, live) = Display::begin(debug)?;
    Ok((Some(display), Arc::new(live)))
}

/// A run on its way.
struct Running {
    host: Arc<Host>,
    root: Rc<Task>,
    signalled: Signalled,
    output: Output,
    display: Option<Display>,
}

impl Running {
    async fn execute(&mut self, launch: &Launch) -> Result<i32> {
        let mut display = self.display.take();
        let Self { host, root, output, .. } = &*self;
        let script = &launch.script;
        let stdout = Stdout::default();
        let runtime =
            session::lua(host, Rc::clone(root), script.dir.clone(), self.printing(&stdout))?;
        let main = chunk::compile(runtime.lua(), &script.source, &script.name)?;
        host.load_cassette()?;
        api::model::load_default(&runtime, host).await?;
        let args = launch.args.iter().map(|arg| arg.as_bytes());
        let args = runtime.set_arguments(&script.name, args)?;
        host.look_back().await?;
        self.begin(launch).await?;
        let run = host.fleet().run_id().to_owned();
        host.events().emit(Event::RunStarted {
            run: run.clone(),
            script: script.name.clone(),
            resumed: host.is_resumed(),
        });
        for (level, text) in launch.notes.iter().cloned() {
            host.events().emit(Event::Message { level, text });
        }
        let ended = runtime.run(root, main, args).await;
        let result = self.result(&runtime, &ended);
        host.close().await;
        host.end_cassette(self.signalled.code().is_some());
        host.events().emit(Event::RunFinished { run: run.clone() });
        if let Some(display) = &mut display {
            display.end();
        }
        let (mut ended, closed) = (ended.err(), stdout.is_closed() || output.is_broken());
        if let (Some(uncaught), Some(hint)) = (&mut ended, launch.misplaced_model()) {
            let hint = uncaught
                .error
                .hint
                .take()
                .map(|told| if told.contains("--model") { hint } else { told });
            uncaught.error.hint = hint;
        }
        // It says nothing about a real run.
        let ended = ended.filter(|uncaught| !self.has_ended_early(uncaught));
        let code = self.exit_code(&runtime, ended.as_deref(), closed);
        let report = self.report();
        let interrupted = self.signalled.code().is_some();
        let silent = interrupted || closed || runtime.exit_code().is_some();
        let uncaught = ended.filter(|_| !silent);
        let error = uncaught.as_deref().map(Fault::from);
        let plan = report.as_ref().map(|report| json!(report));
        let end = End { code, result, error, interrupted, plan };
        // One that has not begun in the journal is not known there by its name.
        let is_known = host.fleet().home().await.is_some();
        host.end_run(end.status(host.has_failures()), code).await;
        if report.is_none() {
            let mut tally = host.fleet().tally();
            let again = is_known && self.is_to_be_resumed(&end, &tally);
            // What is told below need not be told of its agent as well.
            if let Some(uncaught) = &uncaught {
                let told = Some(uncaught.error.to_string());
                let same = tally.ended.iter_mut().filter(|agent| agent.message == told);
                same.for_each(|agent| agent.message = None);
            }
            let again = again.then(|| launch.again_command(&run));
            progress::summary(&run, &tally, host.config().quiet, again.as_deref());
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

    /// Reports whether it was made-up results of a dry run that may have led to the script's own error.
    fn has_ended_early(&self, uncaught: &Uncaught) -> bool {
        let plan = self.host.plan().filter(|_| uncaught.raw && self.signalled.code().is_none());
        plan.is_some_and(|plan| plan.end_early(&uncaught.error))
    }

    /// Returns what a dry run has planned.
    fn report(&self) -> Option<Report> {
        let config = self.host.config();
        let plan = self.host.plan()?;
        Some(plan.report(config.concurrency, config.max_budget_usd))
    }

    /// Reports whether going on has more to it than running the script anew: an agent that failed at its work,
    /// or after an error of the script one whose work is done. All is done when only denied calls make it fail.
    fn is_to_be_resumed(&self, end: &End, tally: &Tally) -> bool {
        let mut ended = tally.ended.iter().filter(|agent| agent.has_begun());
        match end.status(self.host.has_failures()) {
            "completed" => false,
            "degraded" => ended.any(|agent| agent.subtype != Subtype::Success),
            "interrupted" => true,
            _ => ended.next().is_some(),
        }
    }

    /// Begins the run before it has agents, where somebody has to know of it: one that two might go on with
    /// at once, and one in the background.
    async fn begin(&self, launch: &Launch) -> Result<()> {
        let host = &self.host;
        match &launch.found {
            _ if launch.is_dry() => Ok(()),
            Some(dir) => host.begin_run(&host.store_around(dir).await?).await,
            None if launch.is_background => host.begin_run(&host.home_store().await?).await,
            None => Ok(()),
        }
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
