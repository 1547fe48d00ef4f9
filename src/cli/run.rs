//! `agentlua run SCRIPT [ARG…]`.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::terminal::{Stdout, say};
use super::{Run, diagnostic, progress, session, signals};
use crate::api;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Event, Events};
use crate::host::Host;
use crate::vm::{Runtime, Task, Uncaught, chunk};

/// Runs a script and returns the exit code.
pub(super) fn main(run: &Run) -> Result<i32> {
    let cwd = std::env::current_dir().or_kind(Kind::Io, || "the working directory is gone")?;
    let environment = session::environment();
    let debug = environment.get("AGENTLUA_LOG").is_some_and(|level| level == "debug");
    let sources = session::sources(&run.flags, &environment, &cwd)?;
    let script = Script::load(&run.script)?;
    let quiet = sources.flags.quiet.or(sources.below.quiet).unwrap_or(false);
    let reporter = progress::Plain::new(quiet, debug, Box::new(say));
    let events = Events::new(vec![Arc::new(reporter)]);
    let workers = session::workers()?;
    let host = session::host(sources, &script.name, environment, events, &workers)?;
    let code = session::on_lua_thread(execute(&host, &workers, &script, &run.args))?;
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

async fn execute(
    host: &Arc<Host>,
    workers: &tokio::runtime::Runtime,
    script: &Script,
    args: &[OsString],
) -> Result<i32> {
    let root = Task::root(tokio_util::sync::CancellationToken::new());
    let signalled = signals::watch(workers.handle(), root.stopper())?;
    let stdout = Stdout::default();
    let write = {
        let (stdout, stopper) = (stdout.clone(), root.stopper().clone());
        Rc::new(move |text: &[u8]| {
            if stdout.write(text) {
                stopper.stop(Error::new(Kind::Cancelled, "standard output was closed"));
            }
        })
    };
    let runtime = session::lua(host, Rc::clone(&root), script.dir.clone(), write)?;
    let main = chunk::compile(runtime.lua(), &script.source, &script.name)?;
    api::model::load_default(&runtime, host).await?;
    let args = runtime.set_arguments(&script.name, args.iter().map(|arg| arg.as_bytes()))?;
    let run = host.fleet().run_id().to_owned();
    host.events().emit(Event::RunStarted { run: run.clone(), script: script.name.clone() });
    let ended = runtime.run(&root, main, args).await;
    host.close().await;
    host.events().emit(Event::RunFinished { run: run.clone() });
    let code = exit_code(
        host,
        &runtime,
        ended.as_ref().err().map(|uncaught| &**uncaught),
        signalled.code(),
        stdout.is_closed(),
    );
    // What ended the run comes last, where people look first.
    progress::summary(&run, &host.fleet().tally(), host.config().quiet);
    let silent = signalled.code().is_some() || stdout.is_closed() || runtime.exit_code().is_some();
    if let (Err(uncaught), false) = (&ended, silent) {
        diagnostic::print_uncaught(uncaught);
    }
    Ok(code)
}

/// Whose word counts: a signal, then `os.exit`, then a closed output, then the error that ended the
/// script, then agents that failed.
fn exit_code(
    host: &Host,
    runtime: &Runtime,
    ended: Option<&Uncaught>,
    signalled: Option<i32>,
    closed: bool,
) -> i32 {
    if let Some(code) = signalled {
        return code;
    }
    if let Some(code) = runtime.exit_code() {
        return code;
    }
    match ended {
        _ if closed => 141,
        Some(uncaught) => uncaught.exit_code(),
        None if host.has_failures() => 1,
        None => 0,
    }
}
