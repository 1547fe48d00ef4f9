//! `agentlua repl`: Lua line by line, with the same globals as a script.
//!
//! Reading a line blocks, so rustyline has a thread of its own and Lua keeps the main one; tasks that
//! were started before go on while somebody types. Ctrl-C cancels the evaluation and not the REPL.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Behavior, Editor, Helper};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::output::End;
use super::printer::Printer;
use super::signals::{self, Signalled};
use super::terminal::{Modes, say};
use super::{Flags, diagnostic, progress, session};
use crate::api;
use crate::config::{self, Format};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Event, Events};
use crate::host::Host;
use crate::journal::NewRun;
use crate::vm::Stopper;
use crate::vm::{Runtime, Task, Uncaught, Values, chunk};

const PROMPT: &str = "lua> ";
const BANNER: &str = concat!(
    "agentlua ",
    env!("CARGO_PKG_VERSION"),
    ", Lua 5.4. Ctrl-D leaves; `_` is the last result; a `local` lives for one line.\n"
);
/// An evaluation that does not stop is given up, with everything else, at this many Ctrl-C.
const PATIENCE: u32 = 3;

/// The evaluation that Ctrl-C cancels.
type Evaluating = Arc<Mutex<Option<Stopper>>>;

/// What the reading thread sends.
enum Request {
    /// A line to evaluate; the other end waits for the end of it.
    Line(String, blocking::Sender<()>),
    /// The end of the input.
    End,
}

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
    let read = {
        let (printer, typing) = (printer.clone(), Arc::clone(&typing));
        move || {
            std::thread::Builder::new()
                .name("readline".to_owned())
                .spawn(move || read_lines(&requests, &printer, history.as_deref(), &typing))
                .or_kind(Kind::Io, || "cannot start the reading thread")
        }
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
        let printer = printer.clone();
        Rc::new(move |text: &[u8]| printer.print(&String::from_utf8_lossy(text)))
    };
    let runtime = session::lua(host, Rc::clone(&root), PathBuf::from("."), write)?;
    api::model::load_default(&runtime, host).await?;
    let evaluating = Evaluating::default();
    let signalled = watch(workers, root.stopper(), &evaluating)?;
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
    while let Some(Request::Line(line, done)) = tokio::select! {
        request = incoming.recv() => request,
        () = root.stopper().token().cancelled() => None,
    } {
        evaluate(&runtime, &root, &evaluating, printer, &line).await;
        printer.end_line();
        printer.flush();
        let _ = done.send(());
    }
    // Tasks belong to the session: they end with it, and agents keep what they did.
    root.stopper().stop(Error::new(Kind::Cancelled, "the session has ended"));
    root.join_children().await;
    host.close().await;
    let code = signalled.code().or(runtime.exit_code()).unwrap_or(0);
    let end = End { code, interrupted: signalled.code().is_some(), ..End::default() };
    host.end_run(end.status(host.has_failures()), code).await;
    Ok(code)
}

async fn evaluate(
    runtime: &Rc<Runtime>,
    root: &Rc<Task>,
    evaluating: &Evaluating,
    printer: &Printer,
    line: &str,
) {
    let set = |stopper| *evaluating.lock().unwrap_or_else(PoisonError::into_inner) = stopper;
    let function = match chunk::compile_line(runtime.lua(), line) {
        Ok(function) => function,
        Err(error) => return printer.say(&diagnostic::text(&error)),
    };
    let task = root.line();
    task.excuse();
    set(Some(task.stopper().clone()));
    let ended = match runtime.run(&task, function, Values::new()).await {
        Ok(values) => {
            runtime.set_last_result(values.iter().next().cloned());
            let mut shown = Ok(());
            for value in values {
                // Another task, for the first has ended; Ctrl-C stops this one just so.
                let task = root.line();
                task.excuse();
                set(Some(task.stopper().clone()));
                shown =
                    runtime.inspect(&task, value).await.map(|text| printer.print(&(text + "\n")));
                if shown.is_err() {
                    break;
                }
            }
            shown
        }
        Err(uncaught) => Err(uncaught),
    };
    set(None);
    if let (Err(uncaught), None) = (ended, runtime.exit_code()) {
        printer.say(&diagnostic::uncaught_text(&uncaught));
    }
}

/// Ctrl-C cancels the evaluation; hangup and terminate end the session.
fn watch(
    workers: &tokio::runtime::Runtime,
    session: &Stopper,
    evaluating: &Evaluating,
) -> Result<Signalled> {
    let _guard = workers.enter();
    let mut interrupts =
        signal(SignalKind::interrupt()).or_kind(Kind::Io, || "cannot await signals")?;
    let evaluating = Arc::clone(evaluating);
    workers.spawn(async move {
        let mut tries = 0;
        while interrupts.recv().await.is_some() {
            let current = evaluating.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match current {
                Some(stopper) if !stopper.token().is_cancelled() => {
                    tries = 1;
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

/// Knows when a line is not finished yet: it compiles in a small Lua state of its own.
struct Prompt {
    syntax: chunk::Syntax,
}

impl Helper for Prompt {}

impl Highlighter for Prompt {}

impl Hinter for Prompt {
    type Hint = String;
}

impl Completer for Prompt {
    type Candidate = String;
}

impl Validator for Prompt {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if self.syntax.is_incomplete(context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

fn read_lines(
    requests: &mpsc::Sender<Request>,
    printer: &Printer,
    history: Option<&Path>,
    typing: &AtomicBool,
) {
    let (stdin, stdout) = (std::io::stdin().is_terminal(), std::io::stdout().is_terminal());
    // With standard output elsewhere, the prompt still belongs on the terminal.
    let behavior = if stdin && !stdout { Behavior::PreferTerm } else { Behavior::Stdio };
    let config = rustyline::Config::builder().auto_add_history(true).behavior(behavior).build();
    let Ok(mut editor) = Editor::<Prompt, DefaultHistory>::with_config(config) else {
        let _ = requests.blocking_send(Request::End);
        return;
    };
    editor.set_helper(Some(Prompt { syntax: chunk::Syntax::new() }));
    if let Some(path) = history {
        let _ = editor.load_history(path);
    }
    // Without a terminal there is no line to print above, and text goes out as it is.
    if stdout && let Ok(above) = editor.create_external_printer() {
        printer.print_above(above);
    }
    if stdin {
        printer.say(BANNER);
        printer.flush();
    }
    loop {
        typing.store(stdin, Ordering::Relaxed);
        let read = editor.readline(PROMPT);
        typing.store(false, Ordering::Relaxed);
        match read {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                let (done, wait) = blocking::channel();
                if requests.blocking_send(Request::Line(line, done)).is_err() {
                    break;
                }
                let _ = wait.recv();
                if let Some(path) = history {
                    let _ = path.parent().map(std::fs::create_dir_all);
                    let _ = editor.save_history(path);
                }
            }
            Err(ReadlineError::Interrupted) => {
                printer.say("(Ctrl-D leaves)\n");
            }
            Err(_) => {
                let _ = requests.blocking_send(Request::End);
                break;
            }
        }
    }
}
