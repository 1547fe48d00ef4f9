//! What an agent's end is held to: `schema`, `verify` and `verify_attempts`.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mlua::prelude::*;
use serde_json::Value;

use crate::agent::Role;
use crate::agent::structured::{Schema, TOOL};
use crate::agent::verify::{Check, Verifier, Verify};
use crate::api::objection::objection;
use crate::api::worktree::Lent;
use crate::api::{result, schema};
use crate::error::Result;
use crate::git::Worktree;
use crate::tool::Tool;
use crate::vm::callback::Given;
use crate::vm::{Callback, Options, Runtime, Task};

/// How often work is verified unless told.
const ATTEMPTS: i64 = 3;

/// Reads the schema of the structured output of an agent that has these tools of the script.
pub(super) fn schema(
    options: &mut Options,
    custom: &[Arc<dyn Tool>],
) -> Result<Option<Arc<Schema>>> {
    let Some(written) = options.json("schema")? else { return Ok(None) };
    if custom.iter().any(|tool| tool.name() == TOOL) {
        let why = format_args!("has a tool named `{TOOL}`, which takes the answer for `schema`");
        return Err(options.bad("tools", why));
    }
    let place = format!("`{}`: option `schema`", options.function());
    let schema = Schema::new(&schema::any(&written, &place)?);
    let schema = schema.map_err(|why| options.bad("schema", format_args!("is none: {why}")))?;
    Ok(Some(Arc::new(schema)))
}

/// Reads how work is verified; a function is called as a child of `task`.
pub(super) fn verify(
    runtime: &Rc<Runtime>,
    task: &Rc<Task>,
    options: &mut Options,
) -> Result<Option<Verify>> {
    let attempts = options.integer("verify_attempts", 1, 1_000)?.unwrap_or(ATTEMPTS);
    let by = match options.any("verify") {
        None => return Ok(None),
        Some(LuaValue::Function(function)) => {
            let callback = runtime.callbacks().register(function, Rc::clone(task), Role::Verifier);
            Check::Function(Arc::new(Written(callback)))
        }
        Some(LuaValue::String(command)) => match command.to_str() {
            Ok(text) if text.trim().is_empty() => return Err(options.bad("verify", "is empty")),
            Ok(text) if text.contains('\0') => {
                return Err(options.bad("verify", "contains a NUL byte"));
            }
            Ok(text) => Check::Command(text.to_owned()),
            Err(_) => return Err(options.bad("verify", "is not valid UTF-8")),
        },
        Some(other) => return Err(options.wrong("verify", "a command or a function", &other)),
    };
    Ok(Some(Verify { by, attempts: u32::try_from(attempts).unwrap_or(u32::MAX) }))
}

/// A function of the script that verifies.
struct Written(Callback);

impl Verifier for Written {
    fn verify(
        &self,
        outcome: Value,
        worktree: Option<Worktree>,
    ) -> BoxFuture<'_, Result<Option<String>>> {
        let given = move |lua: &Lua| {
            let outcome = result::table(lua, "outcome", &outcome)?;
            let lent = worktree.map(|worktree| Lent::new(worktree, "agent"));
            let handle = lent.as_ref().map(|lent| lent.value(lua)).transpose()?;
            let values = vec![LuaValue::Table(outcome), handle.into_lua(lua)?];
            Ok(Given { values, guard: Box::new(lent) })
        };
        async move {
            let called = self.0.call_with(given, |_, values| Ok(objection(values))).await;
            called.map_err(|mut error| {
                // Where in the script it stands says more than what.
                if let Some(at) = &error.at {
                    error.message = format!("{at}: {}", error.message);
                }
                error
            })
        }
        .boxed()
    }

    fn code(&self) -> &str {
        self.0.code()
    }
}
