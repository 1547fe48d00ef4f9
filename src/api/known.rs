//! `agent.get`: a handle on an agent that is known by its id, of another process or an earlier run too. It
//! has the methods of a task; what it knows comes from the journal.

use std::cell::RefCell;
use std::sync::Arc;

use mlua::prelude::*;

use super::{events, handle, result, task};
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::host::known::Known;
use crate::journal::AgentRow;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Task};

/// What reads a field of such a handle.
const INDEX: &str = "agentlua.known index";

/// What `agent.get` returns.
struct Handle {
    known: Known,
    /// As it was when it was last looked at.
    row: RefCell<AgentRow>,
}

impl LuaUserData for Handle {
    fn add_fields<F: LuaUserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field_with("__index", |lua| lua.named_registry_value::<LuaFunction>(INDEX));
    }

    fn add_methods<M: LuaUserDataMethods<Self>>(methods: &mut M) {
        // It is not the handle's to end: others may wait for it.
        methods.add_meta_method("__close", |_, _, _: LuaMultiValue| Ok(()));
        methods.add_meta_method("__tostring", |_, this, ()| {
            Ok(format!("<task {} {}>", this.known.id(), this.row.borrow().status.as_str()))
        });
    }
}

/// Returns the id and the branch of the agent behind such a handle, as they were when it was last looked at.
pub fn of(value: &LuaValue) -> Option<(String, Option<String>)> {
    let LuaValue::UserData(data) = value else { return None };
    let handle = data.borrow::<Handle>().ok()?;
    let branch = handle.row.borrow().branch.clone();
    Some((handle.known.id().to_owned(), branch))
}

/// Finds an agent and makes a handle on it.
pub async fn get(lua: &Lua, host: &Arc<Host>, id: &str) -> Returned<LuaAnyUserData> {
    let (known, row) = host.known_agent(id).await?;
    Ok(lua.create_userdata(Handle { known, row: RefCell::new(row) })?)
}

fn taken(args: &mut Args) -> Result<(LuaAnyUserData, Known)> {
    let value = args.any();
    if let LuaValue::UserData(data) = &value
        && let Ok(handle) = data.borrow::<Handle>()
    {
        return Ok((data.clone(), handle.known.clone()));
    }
    Err(args
        .wrong("task", "a task", &value)
        .hint("methods are called with a colon: `task:await()`"))
}

/// Looks at the agent, and keeps what was seen.
async fn look(host: &Host, data: &LuaAnyUserData, known: Known) -> Returned<AgentRow> {
    let row = host.beside(async move { known.row().await }).await??;
    *data.borrow::<Handle>()?.row.borrow_mut() = row.clone();
    Ok(row)
}

/// Refuses to wait for an agent inside of one of its own callbacks.
fn require_other(row: &AgentRow, what: &str) -> Result<()> {
    if row.status.is_live() && Task::current()?.works_for(&row.id) {
        return Err(Error::usage(format!(
            "`{}` would wait for {what}: this runs in a call of its own",
            row.id
        )));
    }
    Ok(())
}

/// Makes the methods.
pub fn install(lua: &Lua, host: &Arc<Host>) -> LuaResult<()> {
    let host = || Arc::clone(host);
    let module = Module::new(lua, "agentlua.task")?;
    let module = {
        let host = host();
        module.waiting("await", move |lua, mut args| {
            let host = Arc::clone(&host);
            async move {
                let (data, known) = taken(&mut args)?;
                require_other(&look(&host, &data, known.clone()).await?, "itself")?;
                let waited = known.clone();
                let outcome = host.beside(async move { waited.outcome().await }).await??;
                look(&host, &data, known).await?;
                if outcome.ok() {
                    return Ok(result::table(&lua, "outcome", &outcome.to_json())?);
                }
                Err(outcome.to_error().into())
            }
        })?
    };
    let module = {
        let host = host();
        module.waiting("status", move |_, mut args| {
            let host = Arc::clone(&host);
            async move {
                let (data, known) = taken(&mut args)?;
                Ok(look(&host, &data, known).await?.status.as_str())
            }
        })?
    };
    let module = {
        let host = host();
        module.waiting("cancel", move |_, mut args| {
            let host = Arc::clone(&host);
            async move {
                let (data, known) = taken(&mut args)?;
                let row = look(&host, &data, known).await?;
                if !row.status.is_live() {
                    return Ok(());
                }
                if let Some(plan) = host.plan() {
                    plan.step("stop", format!("stop `{}`", row.id));
                    return Ok(());
                }
                host.fleet().note_cancelled(&row.id);
                unless_ended(host.stop_from_outside(&row.id).await.map(drop))?;
                Ok(())
            }
        })?
    };
    let module = {
        let host = host();
        module.waiting("send", move |_, mut args| {
            let host = Arc::clone(&host);
            async move {
                let ((data, known), text) = (taken(&mut args)?, args.string("text")?);
                let row = look(&host, &data, known).await?;
                if !row.status.is_live() {
                    return Ok(false);
                }
                if let Some(plan) = host.plan() {
                    plan.step("send", format!("tell `{}` something", row.id));
                    return Ok(true);
                }
                Ok(unless_ended(host.tell_agent(&row.id, &text).await.map(drop))?)
            }
        })?
    };
    let host = host();
    let module = module.waiting("events", move |lua, mut args| {
        let host = Arc::clone(&host);
        async move {
            let (data, known) = taken(&mut args)?;
            require_other(&look(&host, &data, known.clone()).await?, "the events of itself")?;
            events::following(&lua, &host, known.follow())
        }
    })?;
    let index = handle::index::<Handle>(lua, task::KIND, module.build(), |this, name| {
        if name == "id" {
            Some(this.known.id().to_owned())
        } else {
            this.row.borrow().branch.clone()
        }
    })?;
    lua.set_named_registry_value(INDEX, index)
}

/// Reports whether something was done: an agent that has ended in the meantime is no error.
fn unless_ended(done: Result<()>) -> Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind == Kind::Refused => Ok(false),
        Err(error) => Err(error),
    }
}
