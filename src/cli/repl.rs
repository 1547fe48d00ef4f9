//! `agentlua repl`: Lua line by line, with the same globals as a script.
//!
//! Reading a line blocks, so rustyline has a thread of its own and Lua keeps the main one; tasks that
//! were started before go on while somebody types. Ctrl-C cancels the evaluation and not the REPL.

mod command;
mod complete;
mod help;
mod history;
mod lexer;
mod locals;
mod piped;
mod place;
mod prompt;

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::output::End;
use super::printer::Printer;
use super::signals::{self, Signalled};
use super::terminal::{self, Modes, Styles, say};
use super::{Flags, diagnostic, diff, progress, session};
use crate::agent::budget;
use crate::api::{self, peek};
use crate::config::{self, Format};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Event, Events};
use crate::host::Host;
use crate::journal::NewRun;
use crate::vm::session::{Look, Session};
use crate::vm::{Runtime, Stopper, Task, Uncaught, Values};
use prompt::{Reader, Request};

/// An evaluation that does not stop is given up, with everything else, at this many Ctrl-C.
const PATIENCE: u32 = 3;

/// The evaluation that Ctrl-C cancels.
type Evaluating = Arc<Mutex<Option<Stopper>>>;

/// Runs the REPL and returns the exit code.
pub(super) fn main(flags: &Flags) -> Result<i32> {
    let cwd = std::env::current_dir().or_kind(Kind::Io, || "the working directory is gone")?;
    let environment = session::environment();
    let history = config::state_dir(|name| environment.get(name).cloned())
        .ok()
        .map(|dir| dir.join("repl_history"));
    let sources = session::sources(flags, &environment, &cwd)?;
    if sources.flags.output_format.is_some_and(|format| format != Format::Text) {
        return Err(
            Error::usage("the REPL has no `--output-format`").hint("agentlua run SCRIPT.lua")
        );
    }
    if sources.flags.dry_run.or(sources.below.dry_run) == Some(true) {
        return Err(
            Error::usage("the REPL cannot be planned").hint("agentlua run --dry-run SCRIPT.lua")
        );
    }
    let quiet = sources.flags.quiet.or(sources.below.quiet).unwrap_or(false);
    let printer = Printer::start()?;
    let reporter = {
        let printer = printer.clone();
        progress::Plain::new(quiet, false, Box::new(move |line| printer.say(line)))
    };
    let events = Events::new(vec![Arc::new(reporter)]);
    let workers = session::workers()?;
    let plan = NewRun::new("", "repl");
    let host = session::host(sources, plan, None, environment, events, &workers)?;
    let (requests, incoming) = mpsc::channel(1);
    let modes = Modes::of_terminal();
    // Whether the session ends while somebody types.
    let typing = Arc::new(AtomicBool::new(false));
    let reader = Reader {
        requests,
        printer: printer.clone(),
        history,
        typing: Arc::clone(&typing),
        host: Arc::clone(&host),
        workers: workers.handle().clone(),
    };
    let read = move || {
        std::thread::Builder::new()
            .name("readline".to_owned())
            .spawn(move || reader.read())
            .or_kind(Kind::Io, || "cannot start the reading thread")
    };
    let served = session::on_lua_thread(serve(&host, &workers, read, incoming, &printer));
    printer.flush();
    // The reading thread may be in the middle of a line.
    modes.restore();
    if typing.load(Ordering::Relaxed) {
        say("\n");
    }
    let code = served??;
    progress::summary(host.fleet().run_id(), &host.fleet().tally(), host.config().quiet, None);
    workers.shutdown_background();
    Ok(code)
}

async fn serve(
    host: &Arc<Host>,
    workers: &tokio::runtime::Runtime,
    read: impl FnOnce() -> Result<std::thread::JoinHandle<()>>,
    mut incoming: mpsc::Receiver<Request>,
    printer: &Printer,
) -> Result<i32> {
    let root = Task::root(CancellationToken::new());
    let write = {
        let (printer, session) = (printer.clone(), root.stopper().clone());
        Rc::new(move |text: &[u8]| {
            printer.print(&String::from_utf8_lossy(text));
            if printer.is_closed() {
                session.stop(Error::new(Kind::Cancelled, "standard output was closed"));
            }
        })
    };
    let runtime = session::lua(host, Rc::clone(&root), PathBuf::from("."), write)?;
    host.load_cassette()?;
    api::model::load_default(&runtime, host).await?;
    let evaluating = Evaluating::default();
    let signalled = watch(workers, root.stopper(), &evaluating, printer)?;
    host.on_stop({
        let (signalled, session) = (signalled.clone(), root.stopper().clone());
        move || {
            signalled.note(130);
            session.stop(Error::new(Kind::Cancelled, "the session was stopped by `agentlua stop`"));
        }
    });
    // Not before: after each line rustyline puts back the handler of interrupts that it found.
    read()?;
    {
        let (lua, printer) = (runtime.lua().clone(), printer.clone());
        root.on_lost(move |task, value| {
            let uncaught = Uncaught::new(&lua, task, value);
            let text = diagnostic::uncaught_text(&uncaught);
            printer.say(&format!("a task has failed, and nobody awaits it\n{text}"));
        });
    }
    host.events().emit(Event::RunStarted {
        run: host.fleet().run_id().to_owned(),
        script: "repl".to_owned(),
        resumed: false,
    });
    let session = Session::new(&runtime, &look())?;
    let mut has_failed = false;
    while let Some(request) = tokio::select! {
        request = incoming.recv() => request,
        () = root.stopper().token().cancelled() => None,
    } {
        match request {
            Request::Line(line, done) => {
                let is_good =
                    evaluate(&runtime, &session, &root, &evaluating, printer, &line).await;
                printer.end_line();
                printer.flush();
                if printer.is_closed() {
                    break;
                }
                let _ = done.send(is_good);
            }
            Request::Look(path, answer) => {
                let _ = answer.send(peek::peek(&session, &path));
            }
            Request::End { failed } => {
                has_failed = failed;
                break;
            }
        }
    }
    // Tasks belong to the session: they end with it, and agents keep what they did.
    root.stopper().stop(Error::new(Kind::Cancelled, "the session has ended"));
    root.join_children().await;
    host.close().await;
    printer.flush();
    let code = match signalled.code().or(runtime.exit_code()) {
        Some(code) => code,
        None if printer.is_closed() => 141,
        None => i32::from(has_failed),
    };
    host.end_cassette(false);
    let end = End { code, interrupted: signalled.code().is_some(), ..End::default() };
    host.end_run(end.status(host.has_failures()), code).await;
    Ok(code)
}

/// Returns how values look on this screen.
fn look() -> Look {
    let Styles { red, yellow, green, bold, dim, reset } = terminal::stdout_styles();
    Look {
        styles: vec![
            ("red", red),
            ("yellow", yellow),
            ("green", green),
            ("bold", bold),
            ("dim", dim),
            ("reset", reset),
        ],
        columns: || terminal::size().map_or(80, |(columns, _)| columns),
        patch: |text| diff::shown(text, &terminal::stdout_styles()),
        line: terminal::printable,
        count: progress::thousands,
        money: budget::usd,
        duration: progress::duration,
    }
}

/// Evaluates a line, shows what it returns, and returns whether it succeeded.
async fn evaluate(
    runtime: &Rc<Runtime>,
    session: &Session,
    root: &Rc<Task>,
    evaluating: &Evaluating,
    printer: &Printer,
    line: &str,
) -> bool {
    let set = |stopper| *evaluating.lock().unwrap_or_else(PoisonError::into_inner) = stopper;
    let line = locals::keep(line);
    let function = match session.compile(&line.text, &line.names) {
        Ok(function) => function,
        Err(error) => {
            printer.say(&diagnostic::text(&error));
            return false;
        }
    };
    let task = root.line();
    task.excuse();
    set(Some(task.stopper().clone()));
    let ended = match runtime.run(&task, function, Values::new()).await {
        Ok(values) => {
            session.set_last_result(values.iter().next().cloned());
            let mut shown = Ok(());
            for value in values {
                // Another task, for the first has ended; Ctrl-C stops this one just so.
                let task = root.line();
                task.excuse();
                set(Some(task.stopper().clone()));
                shown = session.show(&task, value).await.map(|text| printer.print(&(text + "\n")));
                if shown.is_err() {
                    break;
                }
            }
            shown
        }
        Err(uncaught) => Err(uncaught),
    };
    set(None);
    let Err(uncaught) = ended else { return true };
    if runtime.exit_code().is_none() && !printer.is_closed() {
        printer.say(&diagnostic::uncaught_text(&uncaught));
    }
    false
}

/// Ctrl-C cancels the evaluation; hangup and terminate end the session.
fn watch(
    workers: &tokio::runtime::Runtime,
    session: &Stopper,
    evaluating: &Evaluating,
    printer: &Printer,
) -> Result<Signalled> {
    let _guard = workers.enter();
    let mut interrupts =
        signal(SignalKind::interrupt()).or_kind(Kind::Io, || "cannot await signals")?;
    let (evaluating, printer) = (Arc::clone(evaluating), printer.clone());
    workers.spawn(async move {
        let mut tries = 0;
        while interrupts.recv().await.is_some() {
            let current = evaluating.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match current {
                Some(stopper) if !stopper.token().is_cancelled() => {
                    tries = 1;
                    // The terminal has shown the keys.
                    if terminal::is_typed_at() {
                        printer.leave_line();
                    }
                    stopper.stop(Error::new(Kind::Cancelled, "interrupted"));
                }
                Some(_) => {
                    tries += 1;
                    if tries >= PATIENCE {
                        signals::quit(130);
                    }
                }
                None => {}
            }
        }
    });
    let signalled = Signalled::default();
    for (kind, code) in [(SignalKind::hangup(), 129), (SignalKind::terminate(), 143)] {
        let mut stream = signal(kind).or_kind(Kind::Io, || "cannot await signals")?;
        let (session, signalled) = (session.clone(), signalled.clone());
        workers.spawn(async move {
            stream.recv().await;
            signalled.note(code);
            session.stop(Error::new(Kind::Cancelled, "the session was ended by a signal"));
        });
    }
    Ok(signalled)
}
