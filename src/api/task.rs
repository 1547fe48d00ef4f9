//! Handles on tasks, and the groups that the combinators are written over.

use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;

use super::{events, handle, known};
use crate::agent::inbox::Source;
use crate::agent::live::Live;
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::vm::bridge::{Returned, cut_short};
use crate::vm::group::Group;
use crate::vm::{Args, Module, Raised, Runtime, Task};

/// What reads a field of a handle.
const INDEX: &str = "agentlua.task index";
/// Where the methods are, for who asks what there is (`tests/stubs.rs`).
const METHODS: &str = "agentlua.task methods";

/// What handles on tasks and on agents by their ids have.
pub(super) const KIND: handle::Kind =
    handle::Kind { name: "task", fields: &["branch", "id"], awaited: Some("outcome") };

/// What `agent.spawn` returns.
struct Handle(Rc<Task>);

impl LuaUserData for Handle {
    fn add_fields<F: LuaUserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field_with("__index", |lua| lua.named_registry_value::<LuaFunction>(INDEX));
    }

    fn add_methods<M: LuaUserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method("__close", |_, this, _: LuaMultiValue| {
            cancel(&this.0);
            Ok(())
        });
        methods.add_meta_method("__tostring", |_, this, ()| {
            let id = this.0.agent().and_then(|live| live.id.get().cloned());
            Ok(format!(
                "<task {} {}>",
                id.unwrap_or_else(|| this.0.path().to_owned()),
                this.0.status()
            ))
        });
    }
}

fn cancel(task: &Task) {
    task.excuse();
    if task.status() == "running" || task.status() == "queued" {
        task.stopper().stop(Error::new(Kind::Cancelled, "the task was cancelled by its handle"));
    }
}

/// Reports whether a value is a handle on a task, or on an agent by its id.
pub fn is_task(value: &LuaValue) -> bool {
    of(value).is_some() || known::of(value).is_some()
}

/// What is known of the agent behind a handle.
pub struct Named {
    /// Its id, if it has one yet.
    pub id: Option<String>,
    /// Its branch, if it has one yet.
    pub branch: Option<String>,
    /// Whether its task has not ended; of an agent by its id the registry has to be asked.
    pub works: bool,
}

/// Returns what is known of the agent behind a handle, on a task or by its id.
pub fn named(value: &LuaValue) -> Option<Named> {
    if let Some((id, branch)) = known::of(value) {
        return Some(Named { id: Some(id), branch, works: false });
    }
    let task = of(value)?;
    let live = task.agent();
    let known = |of: fn(&Live) -> Option<&String>| live.as_deref().and_then(of).cloned();
    Some(Named {
        id: known(|live| live.id.get()),
        branch: known(|live| live.branch.get()),
        works: matches!(task.status(), "running" | "queued"),
    })
}

/// Returns the task behind a handle.
fn of(value: &LuaValue) -> Option<Rc<Task>> {
    let LuaValue::UserData(data) = value else { return None };
    data.borrow::<Handle>().ok().map(|handle| Rc::clone(&handle.0))
}

fn handle(args: &mut Args) -> Result<Rc<Task>> {
    let value = args.any();
    of(&value).ok_or_else(|| {
        args.wrong("task", "a task", &value).hint("methods are called with a colon: `task:await()`")
    })
}

struct GroupHandle(Rc<Group>);

impl LuaUserData for GroupHandle {}

fn group(args: &mut Args) -> Result<Rc<Group>> {
    match args.any() {
        LuaValue::UserData(data) => match data.borrow::<GroupHandle>() {
            Ok(group) => Ok(Rc::clone(&group.0)),
            Err(_) => Err(Error::internal("not a group")),
        },
        _ => Err(Error::internal("not a group")),
    }
}

/// Returns the word in call paths for a combinator's name.
fn kind_of(name: &str) -> &'static str {
    let kinds = ["all", "all_settled", "race", "iter", "map", "map_settled", "pipeline"];
    kinds.into_iter().find(|kind| *kind == name).unwrap_or("group")
}

/// Makes what `lua/tasks.lua` builds on, and the methods of handles.
pub fn groups(runtime: &Rc<Runtime>, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let lua = runtime.lua();
    let methods = methods(lua)?;
    lua.set_named_registry_value(METHODS, &methods)?;
    let index = handle::index::<Handle>(lua, KIND, methods, |this, name| {
        let live = this.0.agent()?;
        if name == "id" { live.id.get().cloned() } else { live.branch.get().cloned() }
    })?;
    lua.set_named_registry_value(INDEX, index)?;
    known::install(lua, host)?;
    events::install(runtime)?;
    let main = runtime.main().clone();
    let module = Module::new(lua, "group")?
        .function("new", |lua, mut args| {
            let (kind, name) = (args.string("kind")?, args.string("name")?);
            let group = Group::new(Task::current()?, kind_of(&kind), name);
            Ok(lua.create_userdata(GroupHandle(Rc::new(group)))?)
        })?
        .function("start", {
            let main = main.clone();
            move |lua, mut args| {
                let (group, key, subject) = (group(&mut args)?, args.any(), args.any());
                let body = args.callable("body")?;
                group.start(lua, &main, (key, subject), body, args.rest());
                Ok(())
            }
        })?
        .function("spawn", {
            let main = main.clone();
            move |lua, mut args| {
                let owner = Task::current()?.owner();
                let (body, is_query) = (args.callable("body")?, args.any());
                let task = owner.child(owner.next_path("spawn"));
                task.keep_events();
                if is_query == LuaValue::Boolean(true) {
                    // It waits for a place from now on, also before its agent has an id.
                    task.set_agent(Arc::default());
                }
                task.start(lua, &main, body, args.rest());
                Ok(lua.create_userdata(Handle(task))?)
            }
        })?
        .waiting("next", |_, mut args| async move {
            let group = group(&mut args)?;
            let mut returned = LuaMultiValue::new();
            if let Some((key, ending)) = group.next().await {
                // A lone task, as in `agent.timeout`, has no key; Lua's `for` needs one.
                returned.push_back(if key.is_nil() { LuaValue::Boolean(true) } else { key });
                match ending {
                    Ok(values) => {
                        returned.push_back(LuaValue::Boolean(true));
                        returned.extend(values);
                    }
                    Err(raised) => returned.extend([LuaValue::Boolean(false), raised]),
                }
            }
            Ok(returned)
        })?
        .joining("close", |_, _, mut args| async move {
            let (group, why) = (group(&mut args)?, args.string("why")?);
            group.close(&why).await;
            Ok(())
        })?
        .joining("remove_losers", {
            let host = Arc::clone(host);
            move |_, _, mut args| {
                let host = Arc::clone(&host);
                async move {
                    let (group, winner) = (group(&mut args)?, args.any());
                    let tasks = args.rest();
                    let tasks = tasks.iter().filter_map(of).map(|task| task.path().to_owned());
                    let paths: Vec<String> =
                        group.losers(&winner).into_iter().chain(tasks).collect();
                    host.remove_losers(&paths).await;
                    Ok(())
                }
            }
        })?
        .function("deadline", {
            let (main, host) = (main.clone(), Arc::clone(host));
            move |lua, args| deadline(lua, &main, &host, args)
        })?;
    Ok(module.build())
}

/// Starts a function that is stopped after a time. The timer is not on the Lua thread, where a loop
/// would keep it from firing.
fn deadline(
    lua: &Lua,
    main: &LuaFunction,
    host: &Arc<Host>,
    mut args: Args,
) -> Returned<LuaAnyUserData> {
    let (limit, body) = (args.seconds("seconds")?, args.callable("fn")?);
    let group = Group::new(Task::current()?, "timeout", "agent.timeout".to_owned());
    let task = group.start(lua, main, (LuaValue::Nil, LuaValue::Nil), body, args.rest());
    let stopper = task.stopper().clone();
    host.spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(limit) => {
                let seconds = limit.as_secs_f64();
                stopper.stop(Error::new(Kind::Timeout, format!("not done after {seconds} s"))
                    .hint("give `agent.timeout` more seconds, or the function less to do"));
            }
            () = stopper.token().cancelled() => {}
        }
    });
    Ok(lua.create_userdata(GroupHandle(Rc::new(group)))?)
}

fn methods(lua: &Lua) -> LuaResult<LuaTable> {
    let module = Module::new(lua, "agentlua.task")?
        .joining("await", |lua, current, mut args| async move {
            let task = handle(&mut args)?;
            if task.contains(&current) {
                return Err(Error::usage(
                    "a task cannot wait for itself or for a task that contains it",
                )
                .into());
            }
            let joined = async { Ok::<_, Raised>(task.join().await) };
            match cut_short(&lua, &current, joined).await? {
                Ok(values) => Ok(values),
                Err(raised) => {
                    current.inherit_trail(&task, &raised, None);
                    Err(Raised::Value(raised))
                }
            }
        })?
        .function("cancel", |_, mut args| {
            cancel(&*handle(&mut args)?);
            Ok(())
        })?
        .function("events", |lua, mut args| events::iterator(lua, &handle(&mut args)?))?
        .function("send", |_, mut args| {
            let (task, text) = (handle(&mut args)?, args.string("text")?);
            if !matches!(task.status(), "running" | "queued") {
                return Ok(false);
            }
            match task.agent() {
                Some(live) => Ok(live.inbox.send(text, Source::Script).map_err(|mut error| {
                    error.message = format!("`task:send`: {}", error.message);
                    error
                })?),
                None => Err(Error::usage("`task:send`: the task has no agent (yet)").into()),
            }
        })?
        .function("status", |_, mut args| Ok(handle(&mut args)?.status()))?;
    Ok(module.build())
}
