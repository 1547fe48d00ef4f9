//! Chunks: source text into a Lua function, with syntax errors as usage errors at their line.
//!
//! Chunks are named `@path`, relative to where agentlua was started, so that messages show what
//! people typed. A byte-order mark is dropped; a shebang line becomes a comment and keeps its
//! newline, so that line numbers stay.

use mlua::prelude::*;

use super::traceback::split_position;
use crate::error::{Error, Kind, Result};

/// Compiles `source`; `name` is shown in messages.
///
/// # Errors
/// Usage, with position, for text that is no Lua.
pub fn compile(lua: &Lua, source: &[u8], name: &str) -> Result<LuaFunction> {
    let text = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    if text.starts_with(b"\x1bLua") || text.contains(&0) {
        return Err(Error::usage(format!("`{name}` is a binary file, not Lua text")));
    }
    let mut owned = Vec::new();
    let text = if text.starts_with(b"#") {
        owned.extend_from_slice(b"--");
        owned.extend_from_slice(text);
        &owned
    } else {
        text
    };
    lua.load(text).set_name(format!("@{name}")).into_function().map_err(|fault| {
        let mut error = syntax_error(&fault);
        // Lua cuts long paths at the front.
        if let Some((_, line)) = error.at.as_deref().and_then(|at| at.rsplit_once(':')) {
            error.at = Some(format!("{name}:{line}"));
        }
        error
    })
}

/// Compiles a line of the REPL: an expression first, then statements. Its globals are in `environment`.
///
/// # Errors
/// Usage for text that is neither.
pub fn compile_line(lua: &Lua, source: &str, environment: &LuaTable) -> Result<LuaFunction> {
    let load = |text: &str| {
        lua.load(text).set_name("=repl").set_environment(environment.clone()).into_function()
    };
    load(&format!("return {source}"))
        .or_else(|_| load(source))
        .map_err(|fault| syntax_error(&fault))
}

/// Compiles without running, in a small Lua state of its own, for threads that have no other.
pub struct Syntax(Lua);

impl Syntax {
    /// Makes the state.
    #[expect(clippy::new_without_default, reason = "it starts an interpreter")]
    pub fn new() -> Self {
        Self(Lua::new())
    }

    /// Checks that `source` is Lua; `name` is shown in messages.
    ///
    /// # Errors
    /// As [`compile`].
    pub fn check(&self, source: &[u8], name: &str) -> Result<()> {
        compile(&self.0, source, name).map(drop)
    }

    /// Reports whether `source` is the beginning of something longer.
    pub fn is_incomplete(&self, source: &str) -> bool {
        let load = |text: &str| self.0.load(text).set_name("=repl").into_function();
        if load(&format!("return {source}")).is_ok() {
            return false;
        }
        matches!(load(source), Err(LuaError::SyntaxError { incomplete_input: true, .. }))
    }
}

fn syntax_error(fault: &LuaError) -> Error {
    let LuaError::SyntaxError { message, .. } = fault else {
        return Error::new(Kind::Internal, fault.to_string());
    };
    let (at, message) = split_position(message.lines().next().unwrap_or_default());
    let mut error = Error::usage(message);
    error.at = at;
    error
}
