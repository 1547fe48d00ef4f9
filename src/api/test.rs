//! `require "agentlua.test"`: cases and checks are Lua (`lua/test.lua`); what they need of the process
//! is here: whole runs of scripts and commands, with nothing of the user's around them.
//!
//! A file that `agentlua test` runs tells what became of its cases by marked lines in its own output
//! (`cli::test`): so what a case wrote stands between its marks, whoever wrote it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mlua::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::config::is_lua_file;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::host::Host;
use crate::process::{Captured, Ended, Finished, Invocation, Limits, What, own_program, secluded};
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Options, Shape, Task, Uncaught, error, value};

const SOURCE: &str = include_str!("../../lua/test.lua");
const DIFFERENCE: &str = include_str!("../../lua/difference.lua");

/// The variable that tells a test file how it is run, as JSON: [`Told`].
pub const TOLD: &str = "AGENTLUA_TEST";
/// The variable with the mark behind which a run in text ends with what it ends with in JSON.
pub const END_MARK: &str = "AGENTLUA_END_MARK";

/// What the result of a run has.
pub const FIELDS: &[&str] = &[
    "code",
    "status",
    "stdout",
    "stderr",
    "run",
    "result",
    "agents",
    "error",
    "usage",
    "total_cost_usd",
    "duration_ms",
];

/// What `agentlua test` tells a file.
#[derive(Serialize, Deserialize)]
pub struct Told {
    /// What a line about a case begins with.
    pub mark: String,
    /// Where its cases put their files.
    pub folder: PathBuf,
    /// Only cases whose name has this in it run.
    pub filter: Option<String>,
    /// Whether no case runs after one that failed.
    pub fail_fast: bool,
}

pub(super) const RUN: Shape = Shape {
    function: "t.run",
    known: &["model", "replay", "repo", "env", "flags", "stdin", "timeout"],

    instead: &[("args", "arguments follow the script: t.run { \"x.lua\", \"argument\" }")],
};

pub(super) const SHELL: Shape =
    Shape { function: "repo:sh", known: &["env", "stdin", "timeout"], instead: &[] };

/// Output beyond this is not for a test to look at.
const MAX_OUTPUT: usize = 64 << 20;
/// The time limit of the whole file ends it sooner.
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(24);

/// Returns text that no output has by chance; what follows it on a line is ours.
pub fn new_mark() -> String {
    format!("\u{1e}{:016x} ", RandomState::new().hash_one(()))
}

/// Makes the module one that can be required; nothing is loaded before it is.
pub fn offer(lua: &Lua, host: &Arc<Host>, kit: &LuaTable) -> LuaResult<()> {
    let preload: LuaTable = lua.globals().get::<LuaTable>("package")?.get("preload")?;
    let (host, kit) = (Arc::clone(host), kit.clone());
    let load = lua.create_function(move |lua, _: LuaMultiValue| {
        let own = |source: &'static str| lua.load(source).set_name("=[agentlua]");
        let difference: LuaValue = own(DIFFERENCE).call(error::inspector(lua)?)?;
        let raw = raw(lua, &host)?;
        raw.set("inspect", error::inspector(lua)?)?;
        own(SOURCE).call::<LuaValue>((&kit, raw, difference))
    })?;
    preload.set("agentlua.test", load)
}

/// What `lua/test.lua` is given.
fn raw(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let began = Instant::now();
    let at = |host: &Arc<Host>| Arc::clone(host);
    let table = Module::new(lua, "t")?
        .waiting("run", {
            let host = at(host);
            move |lua, args| {
                let host = Arc::clone(&host);
                async move { run(&lua, &host, args).await }
            }
        })?
        .waiting("shell", {
            let host = at(host);
            move |lua, args| {
                let host = Arc::clone(&host);
                async move { shell(&lua, &host, args).await }
            }
        })?
        .function("millis", move |_, _| Ok(began.elapsed().as_secs_f64() * 1000.0))?
        .function("describe", |lua, mut args| {
            let told = describe(&Uncaught::new(lua, &*Task::current()?, &args.any()));
            Ok(value::to_lua(lua, &told)?)
        })?
        .build();
    let told = host.variable(TOLD).and_then(|told| serde_json::from_str::<Told>(&told).ok());
    if let Some(told) = told {
        table.set("mark", told.mark)?;
        table.set("folder", told.folder.display().to_string())?;
        table.set("filter", told.filter)?;
        table.set("fail_fast", told.fail_fast)?;
    }
    Ok(table)
}

/// Returns what ended a case, as its report has it.
fn describe(uncaught: &Uncaught) -> Value {
    let Uncaught { error, frames, items, .. } = uncaught;
    let place = |frame: &String| crate::vm::traceback::position(frame) == error.at;
    let again = usize::from(frames.first().is_some_and(place));
    json!({
        "kind": (!uncaught.raw).then(|| error.kind.as_str()),
        "message": error.to_string(),
        "hint": error.hint,
        "at": error.at,
        "items": items.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "frames": frames[again..],
    })
}

/// Runs a script with our own binary: `(folder, dir, { script, arg… }, options)`.
async fn run(lua: &Lua, host: &Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let (folder, dir) = (PathBuf::from(args.string("folder")?), args.string("dir")?);
    let (typed, named) = (args.table("script")?, args.table("options")?);
    let mut options = Options::read(lua, &named, &RUN)?;
    let dir = host.cwd().join(dir);
    let cwd = match options.any("repo") {
        None => folder.join("work"),
        Some(LuaValue::String(path)) => dir.join(path.to_string_lossy()),
        Some(LuaValue::Table(repo)) => PathBuf::from(repo.raw_get::<String>("path")?),
        Some(other) => return Err(options.wrong("repo", "what `t.repo` returned", &other).into()),
    };
    std::fs::create_dir_all(&cwd).or_kind(Kind::Io, || "cannot make a folder for the run")?;
    let arguments = arguments(&typed, &mut options, &dir, &folder)?;
    let mark = new_mark();
    let mut env = environment(host, &folder, &mut options)?;
    env.insert(END_MARK.to_owned(), mark.clone());
    let program = own_program().or_kind(Kind::Io, || "cannot find our own binary")?;
    let what = What::Program(program.display().to_string(), arguments);
    let finished = finish(host, what, cwd, env, &mut options).await?;
    Ok(ran(lua, &finished, &mark)?)
}

/// Returns what our binary is started with.
fn arguments(
    typed: &LuaTable,
    options: &mut Options,
    dir: &Path,
    folder: &Path,
) -> Result<Vec<String>> {
    let words = typed.sequence_values::<String>().collect::<LuaResult<Vec<_>>>();
    let mut words =
        words.map_err(|_| Error::usage("`t.run`: the script and its arguments are strings"))?;
    let Some(script) = words.first_mut() else {
        return Err(
            Error::usage("`t.run` needs a script").hint("t.run { \"x.lua\", \"argument\" }")
        );
    };
    if script != "-" {
        *script = beside(dir, script, "script")?;
    }
    let mut arguments = vec!["run".to_owned()];
    if let Some(model) = options.text("model")? {
        let model = if model.contains('\n') {
            let path = folder.join(format!("model-{:016x}.lua", RandomState::new().hash_one(())));
            std::fs::write(&path, model).or_kind(Kind::Io, || "cannot write the model's file")?;
            path.display().to_string()
        } else if is_lua_file(&model) {
            beside(dir, &model, "model")?
        } else {
            model
        };
        arguments.extend(["--model".to_owned(), model]);
    }
    if let Some(cassette) = options.text("replay")? {
        arguments.extend(["--replay".to_owned(), beside(dir, &cassette, "recording")?]);
    }
    arguments.extend(options.strings("flags")?.unwrap_or_default());
    arguments.extend(words);
    Ok(arguments)
}

/// Returns the whole path of a file that a test names.
fn beside(dir: &Path, name: &str, what: &str) -> Result<String> {
    let path = dir.join(name);
    if !path.is_file() {
        let message = format!("`t.run`: there is no {what} `{name}`");
        let hint = format!("names are looked up beside the test, in `{}`", dir.display());
        return Err(Error::usage(message).hint(hint));
    }
    Ok(path.display().to_string())
}

/// Returns how a run ended, and what it printed apart from what it ended with.
fn ran(lua: &Lua, finished: &Finished, mark: &str) -> LuaResult<LuaTable> {
    let stdout = finished.stdout.clone().into_bytes();
    let end = memchr::memmem::rfind(&stdout, mark.as_bytes());
    let (printed, last) = stdout.split_at(end.unwrap_or(stdout.len()));
    let last = last.get(mark.len()..).unwrap_or_default();
    let last: Value = serde_json::from_slice(last).unwrap_or_default();
    let table = lua.create_table()?;
    // A run that was refused before it began has nothing else to say.
    table.raw_set("status", "failed")?;
    table.raw_set("agents", value::to_lua(lua, &json!([]))?)?;
    for name in ["run", "status", "result", "error", "agents", "usage", "total_cost_usd"] {
        if let Some(member) = last.get(name).filter(|member| !member.is_null()) {
            table.raw_set(name, value::to_lua(lua, member)?)?;
        }
    }
    let code = finished.code.unwrap_or_else(|| 128 + finished.signal.unwrap_or_default());
    table.raw_set("code", code)?;
    table.raw_set("stdout", lua.create_string(printed)?)?;
    table.raw_set("stderr", lua.create_string(finished.stderr.clone().into_bytes())?)?;
    let millis = u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX);
    table.raw_set("duration_ms", millis)?;
    error::as_result(lua, "script run", table)
}

/// Runs a command of a case: `(folder, cwd, command, options)`.
async fn shell(lua: &Lua, host: &Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let (folder, cwd) = (PathBuf::from(args.string("folder")?), args.string("path")?);
    let command = args.string("cmd")?;
    let named = args.optional_table("options")?.map_or_else(|| lua.create_table(), Ok)?;
    let mut options = Options::read(lua, &named, &SHELL)?;
    let env = environment(host, &folder, &mut options)?;
    let finished = finish(host, What::Shell(command), cwd.into(), env, &mut options).await?;
    let table = lua.create_table()?;
    table.raw_set("ok", finished.code == Some(0))?;
    table.raw_set("code", finished.code)?;
    let bytes = |captured: Captured| lua.create_string(captured.into_bytes());
    table.raw_set("stdout", bytes(finished.stdout)?)?;
    table.raw_set("stderr", bytes(finished.stderr)?)?;
    Ok(error::as_result(lua, "command result", table)?)
}

/// Returns the variables of a command: a case's own, and those that it gives.
fn environment(
    host: &Host,
    folder: &Path,
    options: &mut Options,
) -> Result<BTreeMap<String, String>> {
    let mut env = secluded(host.environment(), folder)
        .or_kind(Kind::Io, || format!("cannot make a home in `{}`", folder.display()))?;
    env.extend(options.string_map("env")?.unwrap_or_default());
    Ok(env)
}

async fn finish(
    host: &Arc<Host>,
    what: What,
    cwd: PathBuf,
    env: BTreeMap<String, String>,
    options: &mut Options,
) -> Result<Finished> {
    let function = options.function();
    let stdin = options.string("stdin")?.unwrap_or_default().into_bytes();
    let timeout = options.seconds("timeout")?.unwrap_or(DEFAULT_TIMEOUT);
    let limits = Limits { timeout, head: MAX_OUTPUT, tail: 0, spill: None, spill_max: 0 };
    let invocation = Invocation { what, cwd, env, stdin, merge_stderr: false };
    let processes = host.processes().clone();
    let finished = host
        .beside(async move { processes.run(invocation, limits, &CancellationToken::new()).await })
        .await?
        .or_kind(Kind::Io, || format!("`{function}` cannot start anything"))?;
    if finished.ended == Ended::TimedOut {
        let message = format!("`{function}`: not done after {} s", timeout.as_secs_f64());
        return Err(Error::new(Kind::Timeout, message));
    }
    if finished.stdout.omitted() + finished.stderr.omitted() > 0 {
        let message = format!("`{function}`: more than {} MiB of output", MAX_OUTPUT >> 20);
        return Err(Error::new(Kind::Io, message));
    }
    Ok(finished)
}
