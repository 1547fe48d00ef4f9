//! The global `sh`: commands of the script itself, run where agentlua was started.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::prelude::*;
use mlua::prelude::*;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::agent::permission;
use crate::crash;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::host::Host;
use crate::host::plan::Plan;
use crate::host::steps::{Place, hash};
use crate::process::{Ended, Invocation, Limits, What};
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Options, Shape, Task, error};

pub(super) const SHELL: Shape =
    Shape { function: "sh", known: &["cwd", "env", "stdin", "timeout", "once"], instead: &[] };

pub(super) const PROGRAM: Shape = Shape {
    function: "sh.run",
    known: &["cmd", "args", "cwd", "env", "stdin", "timeout", "once"],

    instead: &[],
};

/// `os.execute` over the primitive that also returns the output.
const EXECUTE: &str = "
local execute = ...
local function show(stdout, stderr, ...)
  io.stdout:write(stdout)
  io.stderr:write(stderr)
  return ...
end
return function(command)
  if command == nil then
    return true
  end
  return show(execute(command))
end";

/// Output beyond this is not for a variable of a script.
const MAX_OUTPUT: usize = 256 << 20;
/// A day: scripts wait for builds, and say `timeout` when they want less.
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(24);

/// A command of the script, as it is to be run.
struct Command {
    invocation: Invocation,
    limit: Duration,
    /// Where its result is kept, if it is.
    once: Option<Place>,
}

/// What a command that has ended came to.
struct Ran {
    code: Option<i32>,
    signal: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// The turns of commands that run once, by their place: of several callers one runs it.
type Turns = Rc<RefCell<HashMap<String, Rc<tokio::sync::Mutex<()>>>>>;

/// Makes the module: a table that can be called.
pub fn module(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let at = |host: &Arc<Host>| Arc::clone(host);
    let turns = Turns::default();
    let module = Module::new(lua, "sh")?
        .waiting("call", {
            let (host, turns) = (at(host), turns.clone());
            move |lua, args| {
                let (host, turns) = (Arc::clone(&host), turns.clone());
                async move {
                    let command = shell(&lua, &host, args)?;
                    let ran = run_once(&host, &turns, command, "sh", |_| Ok(())).await?;
                    result(&lua, &ran)
                }
            }
        })?
        .waiting("check", {
            let (host, turns) = (at(host), turns.clone());
            move |lua, args| {
                let (host, turns) = (Arc::clone(&host), turns.clone());
                async move {
                    let command = shell(&lua, &host, args)?;
                    let shown = shown(&command.invocation.what);
                    let check = |ran: &Ran| checked(&shown, ran);
                    let ran = run_once(&host, &turns, command, "sh.check", check).await?;
                    result(&lua, &ran)
                }
            }
        })?
        .waiting("run", {
            let host = at(host);
            move |lua, args| {
                let (host, turns) = (Arc::clone(&host), turns.clone());
                async move {
                    let command = program(&lua, &host, args)?;
                    let ran = run_once(&host, &turns, command, "sh.run", |_| Ok(())).await?;
                    result(&lua, &ran)
                }
            }
        })?;
    let module = module.waiting("execute", {
        let host = at(host);
        move |lua, args| {
            let host = Arc::clone(&host);
            async move {
                let Command { invocation, limit, .. } = shell(&lua, &host, args)?;
                let ran = run(&host, invocation, limit, "os.execute").await?;
                let (how, code) = match ran.signal {
                    Some(signal) => ("signal", signal),
                    None => ("exit", ran.code.unwrap_or(1)),
                };
                let ok = (ran.code == Some(0)).then_some(true);
                let (stdout, stderr) =
                    (lua.create_string(ran.stdout)?, lua.create_string(ran.stderr)?);
                Ok((stdout, stderr, ok, how, code))
            }
        }
    })?;
    let table = module.build();
    // `sh "make"` and `sh.call` are one; only the first is in the manual.
    let call: LuaFunction = table.get("call")?;
    table.set("call", LuaValue::Nil)?;
    table.set("try_call", LuaValue::Nil)?;
    let metatable = lua.create_table()?;
    let forward: LuaFunction = lua
        .load("local call = ... return function(_, ...) return call(...) end")
        .set_name("=[agentlua]")
        .call(call)?;
    metatable.set("__call", forward)?;
    table.set_metatable(Some(metatable))?;
    // The script's own waiting version; the original would block every task.
    let execute: LuaFunction = table.get("execute")?;
    table.set("execute", LuaValue::Nil)?;
    table.set("try_execute", LuaValue::Nil)?;
    let execute: LuaFunction = lua.load(EXECUTE).set_name("=[agentlua]").call(execute)?;
    lua.globals().get::<LuaTable>("os")?.set("execute", execute)?;
    Ok(table)
}

/// Runs a shell command of the script somewhere else.
pub async fn shell_in(lua: &Lua, host: &Arc<Host>, args: Args, cwd: PathBuf) -> Returned<LuaTable> {
    let Command { mut invocation, limit, once } = shell(lua, host, args)?;
    if once.is_some() {
        let why = "`worktree:sh`: option `once` is for `sh`";
        return Err(Error::usage(why)
            .hint("the worktree is made afresh when the run is resumed, and its commands run again")
            .into());
    }
    invocation.cwd = cwd;
    let ran = run(host, invocation, limit, "worktree:sh").await?;
    result(lua, &ran)
}

fn shell(lua: &Lua, host: &Host, mut args: Args) -> Result<Command> {
    let command = args.string("cmd")?;
    if command.trim().is_empty() {
        return Err(Error::usage(format!("`{}`: the command is empty", args.function())));
    }
    let table = args.optional_table("options")?;
    let table =
        table.map_or_else(|| lua.create_table(), Ok).map_err(|e| Error::internal(e.to_string()))?;
    let mut options = Options::read(lua, &table, &SHELL)?;
    Command::read(host, What::Shell(command), &mut options)
}

fn program(lua: &Lua, host: &Host, mut args: Args) -> Result<Command> {
    let mut options = Options::read(lua, &args.table("options")?, &PROGRAM)?;
    let cmd = options.text("cmd")?;
    let cmd = options.required("cmd", cmd)?;
    let args = options.strings("args")?.unwrap_or_default();
    Command::read(host, What::Program(cmd, args), &mut options)
}

impl Command {
    fn read(host: &Host, what: What, options: &mut Options) -> Result<Self> {
        let cwd =
            options.text("cwd")?.map_or_else(|| host.cwd().to_owned(), |cwd| host.cwd().join(cwd));
        // In a dry run a step that was not done may make it.
        if !cwd.is_dir() && !host.plan().is_some_and(Plan::has_steps) {
            return Err(options.bad("cwd", format_args!("names no directory: `{}`", cwd.display())));
        }
        let given = options.string_map("env")?.unwrap_or_default();
        let stdin = match options.any("stdin") {
            None => Vec::new(),
            Some(LuaValue::String(text)) => text.as_bytes().to_vec(),
            Some(other) => return Err(options.wrong("stdin", "a string", &other)),
        };
        let limit = options.seconds("timeout")?.unwrap_or(DEFAULT_TIMEOUT);
        let question = json!({
            "command": match &what {
                What::Shell(command) => vec![command],
                What::Program(program, args) => iter::once(program).chain(args).collect(),
            },
            "shell": matches!(what, What::Shell(_)),
            "cwd": cwd.to_string_lossy(),
            "env": given,
            "stdin": hash(&stdin),
        });
        let once = match options.any("once") {
            None | Some(LuaValue::Boolean(false)) => None,
            Some(LuaValue::Boolean(true)) => {
                Some(Place::at(Task::current()?.next_path("sh"), "sh", &question))
            }
            Some(LuaValue::String(id)) if !id.to_string_lossy().trim().is_empty() => {
                Some(Place::named(&id.to_string_lossy(), "sh", &question))
            }
            Some(LuaValue::String(_)) => return Err(options.bad("once", "is empty")),
            Some(other) => return Err(options.wrong("once", "true, false or an id", &other)),
        };
        let mut env: BTreeMap<String, String> = host.environment().clone();
        env.extend(given);
        let invocation = Invocation { what, cwd, env, stdin, merge_stderr: false };
        Ok(Self { invocation, limit, once })
    }
}

/// Runs a command, unless its result is kept from before. What does not pass `check` is not kept.
async fn run_once(
    host: &Arc<Host>,
    turns: &Turns,
    command: Command,
    function: &str,
    check: impl Fn(&Ran) -> Result<()>,
) -> Result<Ran> {
    let Command { invocation, limit, once } = command;
    let Some(place) = once else {
        let ran = run(host, invocation, limit, function).await?;
        return check(&ran).map(|()| ran);
    };
    let turn = {
        let mut turns = turns.borrow_mut();
        turns.retain(|_, turn| Rc::strong_count(turn) > 1);
        Rc::clone(turns.entry(place.path.clone()).or_default())
    };
    let _turn = turn.lock().await;
    if let Some(known) = host.known_step(&place).await? {
        let ran = Ran::from_json(&known.value)?;
        return check(&ran).map(|()| ran);
    }
    let ran = run(host, invocation, limit, function).await?;
    check(&ran)?;
    crash::point("step.sh_ran");
    host.keep_step(&place, &ran.to_json()).await?;
    Ok(ran)
}

async fn run(
    host: &Arc<Host>,
    invocation: Invocation,
    limit: Duration,
    function: &str,
) -> Result<Ran> {
    let shown = shown(&invocation.what);
    let invocation = match host.plan() {
        None => invocation,
        Some(plan) => {
            if let Some(path) = plan.temporary(&shown)? {
                return Ok(Ran::printed(&path));
            }
            match planned(plan, invocation, &shown) {
                Some(invocation) => invocation,
                None => return Ok(Ran::nothing()),
            }
        }
    };
    let processes = host.processes().clone();
    let limits = Limits { timeout: limit, head: MAX_OUTPUT, tail: 0, spill: None, spill_max: 0 };
    let finished = host
        .beside(async move { processes.run(invocation, limits, &CancellationToken::new()).await })
        .await?
        .or_kind(Kind::Io, || format!("`{function}`: cannot run `{shown}`"))?;
    match finished.ended {
        Ended::TimedOut => Err(Error::new(
            Kind::Timeout,
            format!("`{function}`: `{shown}` was not done after {} s", limit.as_secs_f64()),
        )),
        _ if finished.stdout.omitted() + finished.stderr.omitted() > 0 => Err(Error::new(
            Kind::Io,
            format!("`{function}`: `{shown}` wrote more than {} MiB", MAX_OUTPUT >> 20),
        )
        .hint("redirect it to a file")),
        _ => Ok(Ran {
            code: finished.code,
            signal: finished.signal,
            stdout: finished.stdout.into_bytes(),
            stderr: finished.stderr.into_bytes(),
        }),
    }
}

/// Returns the command if it may run in a dry run: it only looks. Else it is noted.
fn planned(plan: &Plan, mut invocation: Invocation, shown: &str) -> Option<Invocation> {
    // A worktree that is not made has the files of the checkout, as far as reading goes.
    let cwd = plan.file(&invocation.cwd).filter(|cwd| cwd.is_dir());
    if let (Some(cwd), true) = (cwd, only_looks(&invocation)) {
        invocation.cwd = cwd;
        // Else `git status` writes what it found into the index.
        invocation.env.insert("GIT_OPTIONAL_LOCKS".to_owned(), "0".to_owned());
        return Some(invocation);
    }
    plan.step("command", format!("run `{}`", shown.trim()));
    None
}

/// Reports whether a command, with the variables that the script sets for it, only looks.
fn only_looks(invocation: &Invocation) -> bool {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let set = |(name, value): (&String, &String)| {
        std::env::var(name).as_ref() == Ok(value)
            || permission::only_looks(&format!("{name}={} true", quoted(value)))
    };
    let command = match &invocation.what {
        What::Shell(command) => command.clone(),
        What::Program(program, args) => {
            let words: Vec<String> =
                std::iter::once(program).chain(args).map(|word| quoted(word)).collect();
            words.join(" ")
        }
    };
    permission::only_looks(&command) && invocation.env.iter().all(set)
}

fn checked(command: &str, ran: &Ran) -> Result<()> {
    if ran.code == Some(0) {
        return Ok(());
    }
    let how = match (ran.code, ran.signal) {
        (Some(code), _) => format!("failed with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "failed".to_owned(),
    };
    let said = [&ran.stderr, &ran.stdout]
        .into_iter()
        .map(|bytes| String::from_utf8_lossy(bytes))
        .find(|text| !text.trim().is_empty());
    let mut message = format!("`{command}` {how}");
    if let Some(text) = said {
        let tail: Vec<&str> = text.trim_end().lines().rev().take(5).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        message = format!("{message}: {}", tail.join("\n"));
    }
    Err(Error::new(Kind::Tool, message))
}

fn result(lua: &Lua, ran: &Ran) -> Returned<LuaTable> {
    let table = lua.create_table()?;
    table.raw_set("ok", ran.code == Some(0))?;
    table.raw_set("code", ran.code)?;
    table.raw_set("stdout", lua.create_string(&ran.stdout)?)?;
    table.raw_set("stderr", lua.create_string(&ran.stderr)?)?;
    Ok(error::as_result(lua, "command result", table)?)
}

impl Ran {
    /// What a command that is not run in a dry run comes to.
    fn nothing() -> Self {
        Self { code: Some(0), signal: None, stdout: Vec::new(), stderr: Vec::new() }
    }

    /// What a command comes to that prints a path.
    fn printed(path: &Path) -> Self {
        let stdout = [path.as_os_str().as_bytes(), b"\n"].concat();
        Self { stdout, ..Self::nothing() }
    }

    fn to_json(&self) -> Value {
        json!({
            "code": self.code,
            "signal": self.signal,
            "stdout": kept(&self.stdout),
            "stderr": kept(&self.stderr),
        })
    }

    fn from_json(value: &Value) -> Result<Self> {
        let number =
            |name: &str| value[name].as_i64().and_then(|number| i32::try_from(number).ok());
        Ok(Self {
            code: number("code"),
            signal: number("signal"),
            stdout: restored(&value["stdout"])?,
            stderr: restored(&value["stderr"])?,
        })
    }
}

/// Returns output as it is kept: as text where it is some.
fn kept(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": BASE64_STANDARD.encode(bytes) }),
    }
}

fn restored(value: &Value) -> Result<Vec<u8>> {
    match value.as_str() {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => BASE64_STANDARD
            .decode(value["base64"].as_str().unwrap_or_default())
            .or_kind(Kind::Io, || "cannot read the output that was kept of a command"),
    }
}

fn shown(what: &What) -> String {
    match what {
        What::Shell(command) => command.clone(),
        What::Program(program, args) => {
            iter::once(program).chain(args).cloned().collect::<Vec<_>>().join(" ")
        }
    }
}

/// Where a script's relative paths start.
pub fn path(host: &Host, text: &str) -> PathBuf {
    host.cwd().join(text)
}
