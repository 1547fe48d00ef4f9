//! The global `agent`, save for the combinators (`lua/tasks.lua`) and `agent.text` (`lua/text.lua`).

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;

use super::query::{self, Models};
use super::{budget, integrate, known, model, once, result, settings, task, tool};
use crate::agent::fleet::Live;
use crate::error::{Error, Kind};
use crate::event::{Event, Level};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Options, Raised, Runtime, Shape};

/// The most letters of the name of a phase.
const LONGEST_PHASE: usize = 200;

pub(super) const REMOVE: Shape =
    Shape { function: "agent.remove", known: &["force"], instead: &[] };

pub(super) const LIST: Shape = Shape { function: "agent.list", known: &["all"], instead: &[] };

/// Makes the module.
#[expect(clippy::too_many_lines, reason = "a list of functions, each a few lines")]
pub fn module(runtime: &Rc<Runtime>, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let lua = runtime.lua();
    let models: Models = Rc::new(RefCell::new(None));
    lua.set_app_data(Rc::clone(&models));
    let module = Module::new(lua, "agent")?;
    let module = {
        let (runtime, host, models) = (Rc::clone(runtime), Arc::clone(host), Rc::clone(&models));
        module.joining("query", move |lua, task, mut args| {
            let (runtime, host, models) =
                (Rc::clone(&runtime), Arc::clone(&host), Rc::clone(&models));
            async move {
                let (spec, label) = (args.any(), args.optional_string("label")?);
                if task.must_stop() {
                    return Err(Raised::Value(task.tell(&lua)?));
                }
                let query = query::parse(&runtime, &host, &models, &task, &spec, label, None)?;
                // A spawned query has its note from the start; a second query of a task needs another.
                let live: Arc<Live> =
                    task.agent().filter(|live| live.id.get().is_none()).unwrap_or_default();
                task.set_agent(Arc::clone(&live));
                task.employ(Arc::clone(&query.purse), &query.call_path, &live);
                let asked = host.ask(query, task.stopper().token().clone(), live).await;
                task.dismiss();
                let outcome = asked?;
                if outcome.ok() {
                    return Ok(result::table(&lua, "outcome", &outcome.to_json())?);
                }
                let error = outcome.to_error();
                if task.is_cancelled() && error.kind == Kind::Cancelled {
                    let reason = task.reason().with("outcome", outcome.to_json());
                    return Err(Raised::Value(task.tell_with(&lua, &reason)?));
                }
                Err(error.into())
            }
        })?
    };
    let module = module.waiting("sleep", {
        let host = Arc::clone(host);
        move |_, mut args| {
            let host = Arc::clone(&host);
            async move {
                let duration = args.seconds("seconds")?;
                match host.plan() {
                    Some(plan) => plan.sleep().await?,
                    None if duration.is_zero() => tokio::task::yield_now().await,
                    None => tokio::time::sleep(duration).await,
                }
                Ok(())
            }
        }
    })?;
    let module = {
        let (host, models) = (Arc::clone(host), Rc::clone(&models));
        module.function("config", move |lua, mut args| {
            match args.optional_table("settings")? {
                Some(table) => {
                    settings::apply(lua, &host, &models, &table)?;
                    Ok(LuaValue::Nil)
                }
                None => Ok(LuaValue::Table(settings::current(lua, &host)?)),
            }
        })?
    };
    let module =
        module.function("model", |lua, mut args| model::define(lua, &args.table("options")?))?;
    let module =
        module.function("tool", |lua, mut args| tool::define(lua, &args.table("options")?))?;
    let module = {
        let host = Arc::clone(host);
        module.waiting("list", move |lua, mut args| {
            let host = Arc::clone(&host);
            async move {
                let all = match args.optional_table("options")? {
                    Some(table) => {
                        Options::read(&lua, &table, &LIST)?.flag("all")?.unwrap_or(false)
                    }
                    None => false,
                };
                let rows = host.agents(all).await?;
                // Whose place another call has taken is nobody to a script.
                let shown = rows.iter().filter(|row| !row.superseded);
                Ok(result::list(&lua, "agent", shown.map(crate::host::roster::agent_json))?)
            }
        })?
    };
    let module = {
        let host = Arc::clone(host);
        module.waiting("get", move |lua, mut args| {
            let host = Arc::clone(&host);
            async move {
                let id = agent_id(&mut args)?;
                known::get(&lua, &host, &id).await
            }
        })?
    };
    let module = {
        let host = Arc::clone(host);
        module.function("phase", move |_, mut args| {
            let name = phase_name(&mut args)?;
            host.events().emit(Event::Phase { run: host.fleet().run_id().to_owned(), name });
            Ok(())
        })?
    };
    let module = {
        let host = Arc::clone(host);
        module.joining("remove", move |lua, _, mut args| {
            let host = Arc::clone(&host);
            async move {
                let (id, force) = (agent_id(&mut args)?, removal_options(&lua, &mut args)?);
                if let Some(plan) = host.plan() {
                    plan.step("remove", format!("remove what `{id}` left"));
                    return Ok(());
                }
                for text in host.remove_agent(&id, force).await?.account() {
                    host.events().emit(Event::Message { level: Level::Info, text });
                }
                Ok(())
            }
        })?
    };
    let module = integrate::install(module, runtime, host)?;
    let module = once::install(module, runtime, host)?;
    keep_check(runtime, host, &models)?;
    let table = module.build();
    table.set("budget", budget::table(lua, host)?)?;
    Ok(table)
}

/// Reads which agent is meant: an id or the start of one, an outcome, a task.
fn agent_id(args: &mut Args) -> Returned<String> {
    let value = args.any();
    match &value {
        LuaValue::String(text) => Ok(text.to_string_lossy()),
        LuaValue::Table(table) => match table.raw_get::<Option<String>>("id")? {
            Some(id) => Ok(id),
            None => Err(args.wrong("agent", "an id, an outcome or a task", &value).into()),
        },
        _ => match task::named(&value) {
            Some(task) => Ok(task.id.ok_or_else(|| {
                Error::usage(format!("`{}`: the task has no agent (yet)", args.function()))
            })?),
            None => Err(args.wrong("agent", "an id, an outcome or a task", &value).into()),
        },
    }
}

/// Reads the name of a part of the script's work.
fn phase_name(args: &mut Args) -> Returned<String> {
    let name = args.string("name")?;
    let name = name.trim();
    let wrong = match name {
        "" => "is empty",
        _ if name.contains(char::is_control) => "must be one line of text",
        _ if name.chars().count() > LONGEST_PHASE => "is longer than 200 letters",
        _ => return Ok(name.to_owned()),
    };
    Err(Error::usage(format!("`{}`: `name` {wrong}", args.function())).into())
}

fn removal_options(lua: &Lua, args: &mut Args) -> Returned<bool> {
    let Some(table) = args.optional_table("options")? else { return Ok(false) };
    Ok(Options::read(lua, &table, &REMOVE)?.flag("force")?.unwrap_or(false))
}

/// Gives our own Lua the check of a query before it runs; it is not for scripts.
fn keep_check(runtime: &Rc<Runtime>, host: &Arc<Host>, models: &Models) -> LuaResult<()> {
    let kit = runtime.kit();
    let (runtime, host, models) = (Rc::clone(runtime), Arc::clone(host), Rc::clone(models));
    let lua = runtime.lua().clone();
    let module = Module::new(&lua, "agent")?.function("check_query", move |_, mut args| {
        let (spec, function) = (args.any(), args.string("function")?);
        let task = crate::vm::Task::current()?;
        query::parse(&runtime, &host, &models, &task, &spec, None, Some(&function))?;
        Ok(())
    })?;
    kit.set("check_query", module.build().get::<LuaFunction>("check_query")?)
}
