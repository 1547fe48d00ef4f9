//! `agentlua repl`: Lua line by line, with the same globals as a script.
//!
//! Reading a line blocks, so rustyline has a thread of its own and Lua keeps the main one; tasks that
//! were started before go on while somebody types. Ctrl-C cancels the evaluation and not the REPL.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Editor, ExternalPrinter, Helper};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::terminal::{Print, Stdout};
use super::{Flags, diagnostic, progress, session, signals};
use crate::api;
use crate::config;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Event, Events};
use crate::host::Host;
use crate::vm::task::Stopper;
use crate::vm::{Runtime, Task, chunk};

const PROMPT: &str = "lua> ";
/// An evaluation that does not stop is given up, with everything else, at this many Ctrl-C.
const PATIENCE: u32 = 3;

/// Prints above the line that is being typed.
type Printer = Arc<Mutex<Print>>;

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
    let quiet = sources.flags.quiet.or(sources.below.quiet).unwrap_or(false);
    let stdout = Stdout::default();
    let printer: Printer = {
        let stdout = stdout.clone();
        Arc::new(Mutex::new(Box::new(move |text| {
            stdout.write(text.as_bytes());
        })))
    };
    let reporter = {
        let printer = Arc::clone(&printer);
        progress::Plain::new(quiet, false, Box::new(move |line| print(&printer, line)))
    };
    let events = Events::new(vec![Arc::new(reporter)]);
    let workers = session::workers()?;
    let host = session::host(sources, "repl", environment, events, &workers)?;
    let (requests, incoming) = mpsc::channel(1);
    {
        let printer = Arc::clone(&printer);
        std::thread::Builder::new()
            .name("readline".to_owned())
            .spawn(move || read_lines(&requests, &printer, history.as_deref()))
            .or_kind(Kind::Io, || "cannot start the reading thread")?;
    }
    let code = session::on_lua_thread(serve(&host, &workers, incoming, &printer))?;
    workers.shutdown_background();
    code
}

fn print(printer: &Printer, text: &str) {
    let mut printer = printer.lock().unwrap_or_else(PoisonError::into_inner);
    printer(text);
}

async fn serve(
    host: &Arc<Host>,
    workers: &tokio::runtime::Runtime,
    mut incoming: mpsc::Receiver<Request>,
    printer: &Printer,
) -> Result<i32> {
    let root = Task::root(CancellationToken::new());
    let write = {
        let printer = Arc::clone(printer);
        Rc::new(move |text: &[u8]| print(&printer, &String::from_utf8_lossy(text)))
    };
    let runtime = session::lua(host, Rc::clone(&root), PathBuf::from("."), write)?;
    api::model::load_default(&runtime, host).await?;
    let evaluating: Arc<Mutex<Option<Stopper>>> = Arc::default();
    watch(workers, root.stopper(), &evaluating)?;
    host.events().emit(Event::RunStarted {
        run: host.fleet().run_id().to_owned(),
        script: "repl".to_owned(),
    });
    while let Some(Request::Line(line, done)) = tokio::select! {
        request = incoming.recv() => request,
        () = root.stopper().token().cancelled() => None,
    } {
        evaluate(&runtime, &root, &evaluating, printer, &line).await;
        let _ = done.send(());
    }
    // Tasks belong to the session: they end with it, and agents keep what they did.
    root.stopper().stop(Error::new(Kind::Cancelled, "the session has ended"));
    root.join_children().await;
    host.close().await;
    progress::summary(host.fleet().run_id(), &host.fleet().tally(), host.config().quiet);
    Ok(0)
}

async fn evaluate(
    runtime: &Rc<Runtime>,
    root: &Rc<Task>,
    evaluating: &Mutex<Option<Stopper>>,
    printer: &Printer,
    line: &str,
) {
    let function = match chunk::compile_line(runtime.lua(), line) {
        Ok(function) => function,
        Err(error) => return diagnostic::print(&error),
    };
    let task = root.line();
    task.excuse();
    *evaluating.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.stopper().clone());
    let ended = runtime.run_line(&task, function).await;
    *evaluating.lock().unwrap_or_else(PoisonError::into_inner) = None;
    match ended {
        Ok(values) => {
            let mut text = String::new();
            for value in &values {
                text.push_str(&runtime.inspect(value));
                text.push('\n');
            }
            runtime.set_last_result(values.into_iter().next());
            print(printer, &text);
        }
        Err(uncaught) => diagnostic::print_uncaught(&uncaught),
    }
}

/// Ctrl-C cancels the evaluation; hangup and terminate end the session.
fn watch(
    workers: &tokio::runtime::Runtime,
    session: &Stopper,
    evaluating: &Arc<Mutex<Option<Stopper>>>,
) -> Result<()> {
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
    for kind in [SignalKind::hangup(), SignalKind::terminate()] {
        let mut stream = signal(kind).or_kind(Kind::Io, || "cannot await signals")?;
        let session = session.clone();
        workers.spawn(async move {
            stream.recv().await;
            session.stop(Error::new(Kind::Cancelled, "the session was ended by a signal"));
        });
    }
    Ok(())
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

fn read_lines(requests: &mpsc::Sender<Request>, printer: &Printer, history: Option<&Path>) {
    let config = rustyline::Config::builder().auto_add_history(true).build();
    let Ok(mut editor) = Editor::<Prompt, DefaultHistory>::with_config(config) else {
        let _ = requests.blocking_send(Request::End);
        return;
    };
    editor.set_helper(Some(Prompt { syntax: chunk::Syntax::new() }));
    if let Some(path) = history {
        let _ = editor.load_history(path);
    }
    // Without a terminal there is no line to print above, and text goes out as it is.
    if let Ok(mut above) = editor.create_external_printer() {
        *printer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(move |text| {
            let _ = above.print(text.to_owned());
        });
    }
    loop {
        match editor.readline(PROMPT) {
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
                print(printer, "(Ctrl-D leaves)\n");
            }
            Err(_) => {
                let _ = requests.blocking_send(Request::End);
                break;
            }
        }
    }
}
