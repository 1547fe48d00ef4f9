//! The trail of an error: kept beside it, so that the value reaches `pcall` and `await` as it was
//! raised.

use mlua::prelude::*;

/// Where an error came from, for the report: the value itself stays as the script raised it.
#[derive(Clone)]
pub struct Trail {
    /// The error value.
    pub value: LuaValue,
    /// The traceback at the place that raised it.
    pub traceback: String,
    /// The items of combinators it came through, innermost first: ``item `auth` of `agent.all` ``.
    pub items: Vec<String>,
}
