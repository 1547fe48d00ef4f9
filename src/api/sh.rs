//! The global `sh`: commands of the script itself, run where agentlua was started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mlua::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::agent::permission;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::host::Host;
use crate::host::plan::Plan;
use crate::process::{Captured, Ended, Finished, Invocation, Limits, What};
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Options, Shape, error};

const SHELL: Shape =
    Shape { function: "sh", known: &["cwd", "env", "stdin", "timeout"], later: &[], instead: &[] };

const PROGRAM: Shape = Shape {
    function: "sh.run",
    known: &["cmd", "args", "cwd", "env", "stdin", "timeout"],
    later: &[],
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

/// Makes the module: a table that can be called.
pub fn module(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let at = |host: &Arc<Host>| Arc::clone(host);
    let module = Module::new(lua, "sh")?
        .waiting("call", {
            let host = at(host);
            move |lua, args| {
                let host = Arc::clone(&host);
                async move {
                    let (invocation, limit) = shell(&lua, &host, args)?;
                    let finished = run(&host, invocation, limit, "sh").await?;
                    result(&lua, &finished)
                }
            }
        })?
        .waiting("check", {
            let host = at(host);
            move |lua, args| {
                let host = Arc::clone(&host);
                async move {
                    let (invocation, limit) = shell(&lua, &host, args)?;
                    let shown = shown(&invocation.what);
                    let finished = run(&host, invocation, limit, "sh.check").await?;
                    checked(&shown, &finished)?;
                    result(&lua, &finished)
                }
            }
        })?
        .waiting("run", {
            let host = at(host);
            move |lua, args| {
                let host = Arc::clone(&host);
                async move {
                    let (invocation, limit) = program(&lua, &host, args)?;
                    let finished = run(&host, invocation, limit, "sh.run").await?;
                    result(&lua, &finished)
                }
            }
        })?;
    let module = module.waiting("execute", {
        let host = at(host);
        move |lua, args| {
            let host = Arc::clone(&host);
            async move {
                let (invocation, limit) = shell(&lua, &host, args)?;
                let finished = run(&host, invocation, limit, "os.execute").await?;
                let (how, code) = match finished.signal {
                    Some(signal) => ("signal", signal),
                    None => ("exit", finished.code.unwrap_or(1)),
                };
                let bytes = |captured: Captured| lua.create_string(captured.into_bytes());
                let ok = (finished.code == Some(0)).then_some(true);
                Ok((bytes(finished.stdout)?, bytes(finished.stderr)?, ok, how, code))
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
    let (mut invocation, limit) = shell(lua, host, args)?;
    invocation.cwd = cwd;
    let finished = run(host, invocation, limit, "worktree:sh").await?;
    result(lua, &finished)
}

fn shell(lua: &Lua, host: &Host, mut args: Args) -> Result<(Invocation, Duration)> {
    let command = args.string("cmd")?;
    if command.trim().is_empty() {
        return Err(Error::usage(format!("`{}`: the command is empty", args.function())));
    }
    let table = args.optional_table("options")?;
    let table =
        table.map_or_else(|| lua.create_table(), Ok).map_err(|e| Error::internal(e.to_string()))?;
    let mut options = Options::read(lua, &table, &SHELL)?;
    invocation(host, What::Shell(command), &mut options)
}

fn program(lua: &Lua, host: &Host, mut args: Args) -> Result<(Invocation, Duration)> {
    let mut options = Options::read(lua, &args.table("options")?, &PROGRAM)?;
    let cmd = options.text("cmd")?;
    let cmd = options.required("cmd", cmd)?;
    let args = options.strings("args")?.unwrap_or_default();
    invocation(host, What::Program(cmd, args), &mut options)
}

fn invocation(host: &Host, what: What, options: &mut Options) -> Result<(Invocation, Duration)> {
    let cwd =
        options.text("cwd")?.map_or_else(|| host.cwd().to_owned(), |cwd| host.cwd().join(cwd));
    // In a dry run a step that was not done may make it.
    if !cwd.is_dir() && !host.plan().is_some_and(Plan::has_steps) {
        return Err(options.bad("cwd", format_args!("names no directory: `{}`", cwd.display())));
    }
    let mut env: BTreeMap<String, String> = host.environment().clone();
    env.extend(options.string_map("env")?.unwrap_or_default());
    let stdin = match options.any("stdin") {
        None => Vec::new(),
        Some(LuaValue::String(text)) => text.as_bytes().to_vec(),
        Some(other) => return Err(options.wrong("stdin", "a string", &other)),
    };
    let limit = options.seconds("timeout")?.unwrap_or(DEFAULT_TIMEOUT);
    Ok((Invocation { what, cwd, env, stdin, merge_stderr: false }, limit))
}

async fn run(
    host: &Arc<Host>,
    invocation: Invocation,
    limit: Duration,
    function: &str,
) -> Result<Finished> {
    let shown = shown(&invocation.what);
    let invocation = match host.plan() {
        None => invocation,
        Some(plan) => match planned(plan, invocation, &shown) {
            Some(invocation) => invocation,
            None => return Ok(Finished::nothing()),
        },
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
        _ => Ok(finished),
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

fn checked(command: &str, finished: &Finished) -> Result<()> {
    if finished.code == Some(0) {
        return Ok(());
    }
    let how = match (finished.code, finished.signal) {
        (Some(code), _) => format!("failed with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "failed".to_owned(),
    };
    let said = [&finished.stderr, &finished.stdout]
        .into_iter()
        .map(Captured::text)
        .find(|text| !text.trim().is_empty());
    let mut message = format!("`{command}` {how}");
    if let Some(text) = said {
        let tail: Vec<&str> = text.trim_end().lines().rev().take(5).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        message = format!("{message}: {}", tail.join("\n"));
    }
    Err(Error::new(Kind::Tool, message))
}

fn result(lua: &Lua, finished: &Finished) -> Returned<LuaTable> {
    let table = lua.create_table()?;
    table.raw_set("ok", finished.code == Some(0))?;
    table.raw_set("code", finished.code)?;
    table.raw_set("stdout", lua.create_string(finished.stdout.clone().into_bytes())?)?;
    table.raw_set("stderr", lua.create_string(finished.stderr.clone().into_bytes())?)?;
    Ok(error::as_result(lua, "command result", table)?)
}

fn shown(what: &What) -> String {
    match what {
        What::Shell(command) => command.clone(),
        What::Program(program, args) => {
            std::iter::once(program).chain(args).cloned().collect::<Vec<_>>().join(" ")
        }
    }
}

/// Where a script's relative paths start.
pub fn path(host: &Host, text: &str) -> PathBuf {
    host.cwd().join(text)
}
