//! Whose conversation an agent takes up: `resume` and `fork`.

use mlua::prelude::*;

use crate::agent::past::Past;
use crate::api::task;
use crate::error::Result;
use crate::vm::Options;

/// What `resume` says already, and what `fork` does.
const BESIDE_RESUME: [&str; 5] = ["worktree", "branch", "if_exists", "base", "dirty"];
const BESIDE_FORK: [&str; 3] = ["worktree", "base", "dirty"];

/// Reads `resume` and `fork`, and refuses what cannot stand beside them.
pub(in crate::api) fn read(options: &mut Options) -> Result<Past> {
    let (resume, fork) = (options.any("resume"), options.any("fork"));
    let (name, value, refused) = match (resume, fork) {
        (None, None) => return Ok(Past::New),
        (Some(_), Some(_)) => {
            return Err(options.bad("fork", "cannot stand beside `resume`: it is one or the other"));
        }
        (Some(value), None) => ("resume", value, &BESIDE_RESUME[..]),
        (None, Some(value)) => ("fork", value, &BESIDE_FORK[..]),
    };
    let agent = named(options, name, &value)?;
    if let Some(other) = refused.iter().find(|other| options.has(other)) {
        let (why, hint) = match name {
            "resume" => (
                "cannot stand beside `resume`, which goes on where the agent worked",
                "use `fork` for a new branch, or leave it out",
            ),
            _ => (
                "cannot stand beside `fork`, which starts from where the agent's work ended",
                "leave it out, or start a new agent with `base = outcome`",
            ),
        };
        return Err(options.bad(other, why).hint(hint));
    }
    Ok(match name {
        "resume" => Past::Resumed(agent),
        _ => Past::Forked(agent),
    })
}

/// Reads which agent is meant: an id, the start of one, a `session_id`, an outcome, a task.
fn named(options: &Options, name: &str, value: &LuaValue) -> Result<String> {
    let expected = "an id, a `session_id`, an outcome or a task";
    match value {
        LuaValue::String(text) if text.as_bytes().iter().all(u8::is_ascii_whitespace) => {
            Err(options.bad(name, "is empty"))
        }
        LuaValue::String(text) => Ok(text.to_string_lossy().trim().to_owned()),
        LuaValue::Table(table) => match table.raw_get::<Option<String>>("id") {
            Ok(Some(id)) if !id.is_empty() && id != "-" => Ok(id),
            _ => Err(options.wrong(name, expected, value)),
        },
        _ => {
            let Some(task) = task::named(value) else {
                return Err(options.wrong(name, expected, value));
            };
            if task.works {
                return Err(options.bad(name, "is a task that has not ended").hint(
                    "wait for it with `task:await()`, or tell it more with `task:send(text)`",
                ));
            }
            task.id.ok_or_else(|| options.bad(name, "is a task that has no agent"))
        }
    }
}
