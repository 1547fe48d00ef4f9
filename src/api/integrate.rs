//! `agent.integrate`.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;
use tokio_util::sync::CancellationToken;

use super::git::merge::script::{Call, Outlet, Script};
use super::git::merge::{Asking, on_conflict, shown_verify, verify};
use super::query::repo_dir;
use super::{result, revision, task, team};
use crate::error::{Error, Kind, Result};
use crate::git::{Repo, Strategy};
use crate::host::Host;
use crate::host::integrate::{Integrated, Integration, Source};
use crate::host::merge::{Gate, OnConflict, Verify};
use crate::host::plan;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Options, Raised, Runtime, Shape, Task};

pub(super) const SHAPE: Shape = Shape {
    function: "agent.integrate",
    known: &[
        "branches",
        "branch",
        "base",
        "into",
        "strategy",
        "message",
        "label",
        "verify",
        "verify_attempts",
        "setup",
        "on_conflict",
        "repo",
        "prompt",
        "model",
        "fallback_model",
        "effort",
        "system_prompt",
        "append_system_prompt",
        "tools",
        "allowed_tools",
        "disallowed_tools",
        "mcp_servers",
        "max_turns",
        "max_budget_usd",
        "max_output_tokens",
        "timeout",
        "idle_timeout",
        "env",
    ],

    instead: &[
        ("squash", "use `strategy = \"squash\"`"),
        ("target", "use `into`"),
        ("worktree", "the agents work in temporary worktrees"),
    ],
};

/// How often the whole is verified when nothing else is said.
const ATTEMPTS: u32 = 3;

/// A call of `agent.integrate`.
struct Asked {
    wanted: Integration,
    verify: Option<LuaValue>,
    setup: Option<String>,
    who: Asking,
    repo: Arc<Repo>,
}

/// Adds the function to the module.
pub fn install<'lua>(
    module: Module<'lua>,
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
) -> LuaResult<Module<'lua>> {
    let (runtime, host) = (Rc::clone(runtime), Arc::clone(host));
    module.joining("integrate", move |lua, task, args| {
        let (runtime, host) = (Rc::clone(&runtime), Arc::clone(&host));
        async move {
            if task.must_stop() {
                return Err(Raised::Value(task.tell(&lua)?));
            }
            Box::pin(integrate(runtime, host, task, args)).await
        }
    })
}

/// Merges branches onto a new one.
async fn integrate(
    runtime: Rc<Runtime>,
    host: Arc<Host>,
    task: Rc<Task>,
    mut args: Args,
) -> Returned<LuaTable> {
    let lua = runtime.lua().clone();
    let Asked { wanted, verify, setup, who, repo } =
        read(&runtime, &host, &task, &args.table("options")?).await?;
    if let Some(plan) = host.plan() {
        let verify = verify.as_ref().map(shown_verify);
        let beside = plan::Wanted { verify, resolves: true };
        let Integrated { outcome, merges } =
            host.plan_integration(plan, &repo, &wanted, &beside).await?;
        return integrated(&lua, &outcome, merges);
    }
    let path = wanted.call_path.clone();
    let script = Script::new(Rc::clone(&task), runtime.main().clone(), path);
    host.recover(&repo).await;
    let outlet = Outlet::default();
    let call = |function: LuaFunction| Call::new(&lua, &script, function, &outlet);
    let (command, verifier) = match verify {
        Some(LuaValue::Function(function)) => (None, Some(call(function))),
        Some(LuaValue::String(command)) => (Some(command.to_string_lossy()), None),
        _ => (None, None),
    };
    let verify = match (command, &verifier) {
        (Some(command), _) => Some(Verify::Command(command)),
        (None, verifier) => verifier.as_ref().map(|call| Verify::Call(call)),
    };
    let (resolver, team) = match who {
        Asking::Function(function) => (Some(call(function)), None),
        Asking::Agents(team) => (None, Some(team)),
    };
    let on_conflict = match (&resolver, &team) {
        (Some(call), _) => Some(OnConflict::Call(call)),
        (None, team) => team.as_deref().map(OnConflict::Ask),
    };
    let cancel = CancellationToken::new();
    let gate = Gate {
        verify,
        setup,
        on_conflict,
        keeps_all: true,
        verified: None,
        merging: None,
        cancel: cancel.clone(),
    };
    let mut work = pin!(host.integrate(&repo, &wanted, &gate, team.as_deref()));
    let done = tokio::select! {
        biased;
        done = &mut work => done,
        () = task.stopped() => {
            cancel.cancel();
            work.await
        }
    };
    match done {
        Ok(Integrated { outcome, merges }) => integrated(&lua, &outcome, merges),
        Err(error) if error.kind == Kind::Cancelled && task.must_stop() => {
            let mut reason = task.reason();
            for (name, detail) in error.details() {
                reason = reason.with(name, detail.clone());
            }
            Err(Raised::Value(task.tell_with(&lua, &reason)?))
        }
        Err(error) => Err(outlet.take().map_or_else(|| error.into(), Raised::Value)),
    }
}

fn integrated(
    lua: &Lua,
    outcome: &serde_json::Value,
    merges: Vec<serde_json::Value>,
) -> Returned<LuaTable> {
    let table = result::table(lua, "outcome", outcome)?;
    table.raw_set("merges", result::list(lua, "merge of a branch", merges)?)?;
    Ok(table)
}

async fn read(
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
    task: &Rc<Task>,
    table: &LuaTable,
) -> Returned<Asked> {
    let lua = runtime.lua();
    let mut options = Options::read(lua, table, &SHAPE)?;
    let sources = sources(&mut options)?;
    let strategy = match options.text("strategy")?.as_deref() {
        None | Some("merge") => Strategy::Merge,
        Some("squash") => Strategy::Squash,
        Some(other) => {
            let why = format!("must be `merge` or `squash`, not `{other}`");
            return Err(options.bad("strategy", why).into());
        }
    };
    let mut rev = |name: &str| -> Returned<Option<String>> {
        let Some(value) = options.any(name) else { return Ok(None) };
        let place = format!("`agent.integrate`: option `{name}`");
        Ok(Some(revision::read(&value, &place)?.rev))
    };
    let (base, into) = (rev("base")?, rev("into")?);
    let setup = match options.any("setup") {
        Some(LuaValue::Boolean(false)) => None,
        Some(LuaValue::String(text)) if !text.to_string_lossy().trim().is_empty() => {
            Some(text.to_string_lossy())
        }
        Some(other) => return Err(options.wrong("setup", "a command or false", &other).into()),
        None => host.config().worktree.setup.clone(),
    };
    let verify = verify(&mut options)?;
    let attempts = options.integer("verify_attempts", 1, 100)?;
    let label = options.text("label")?;
    let (branch, message) = (options.text("branch")?, options.text("message")?);
    let repo = host.repo(&repo_dir(host, options.text("repo")?)).await?;
    // Before the agents: those are made of what is left.
    let given = on_conflict(runtime, host, task, &mut options, setup.clone())?;
    let who = if let Some(who) = given {
        if let Some((name, _)) = options.left().pop_first() {
            let why = "cannot stand beside `on_conflict`: put it in there";
            return Err(options.bad(name, why).into());
        }
        who
    } else {
        let template = lua.create_table()?;
        for (name, value) in options.left() {
            template.raw_set(name, value)?;
        }
        let place = "`agent.integrate`";
        let team = team::read(runtime, host, task, &template, place, setup.clone())?;
        Asking::Agents(Box::new(team))
    };
    let wanted = Integration {
        sources,
        branch,
        base,
        into,
        strategy,
        message,
        label,
        verify_attempts: attempts.and_then(|number| u32::try_from(number).ok()).unwrap_or(ATTEMPTS),
        call_path: task.next_path("integrate"),
    };
    Ok(Asked { wanted, verify, setup, who, repo })
}

fn sources(options: &mut Options) -> Returned<Vec<Source>> {
    let given = options.any("branches");
    let list = match options.required("branches", given)? {
        LuaValue::Table(list) if list.metatable().is_none() || list.raw_len() > 0 => list,
        other => return Err(options.wrong("branches", "a list of branches", &other).into()),
    };
    if list.raw_len() == 0 {
        return Err(options.bad("branches", "names no branch").into());
    }
    let mut sources = Vec::new();
    for (index, value) in list.sequence_values::<LuaValue>().enumerate() {
        let value = value?;
        let place = format!("`agent.integrate`: option `branches`, item {}", index + 1);
        let rev = revision::read(&value, &place)?.to_merge()?;
        sources.push(Source { rev, agent: agent_of(&value)? });
    }
    Ok(sources)
}

/// Returns the agent of an outcome or a task.
fn agent_of(value: &LuaValue) -> Result<Option<String>> {
    match value {
        LuaValue::Table(table) => table
            .raw_get::<Option<String>>("id")
            .map_err(|fault| Error::internal(fault.to_string())),
        other => Ok(task::named(other).and_then(|task| task.id)),
    }
}
