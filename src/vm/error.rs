//! Errors on both sides: our [`Error`] as a Lua table with a metatable, any Lua value as an
//! [`Uncaught`] for the report.
//!
//! The metatable is made by the prelude; it gives `tostring`, `..` and the mark by which the
//! bridge knows its own errors.

use mlua::prelude::*;

use super::args::type_of;
use super::chunk;
use super::clearer;
use super::task::Task;
use super::traceback;
use super::trail::Item;
use super::value;
use crate::error::{Error, Kind};

const METATABLE: &str = "agentlua.error";
const RESULTS: &str = "agentlua.results";
const INSPECTOR: &str = "agentlua.inspector";

/// Keeps what the prelude made: the error metatable, and the function that makes result tables.
pub fn install(lua: &Lua, metatable: &LuaTable, results: &LuaFunction) -> LuaResult<()> {
    lua.set_named_registry_value(METATABLE, metatable)?;
    lua.set_named_registry_value(RESULTS, results)
}

/// Keeps the function that shows values as text.
pub fn install_inspector(lua: &Lua, inspect: &LuaFunction) -> LuaResult<()> {
    lua.set_named_registry_value(INSPECTOR, inspect)
}

/// Returns the function that shows values as text.
pub fn inspector(lua: &Lua) -> LuaResult<LuaFunction> {
    lua.named_registry_value(INSPECTOR)
}

/// Gives `table` the strictness of a result: reading a field that `kind` does not have raises.
pub fn as_result(lua: &Lua, kind: &str, table: LuaTable) -> LuaResult<LuaTable> {
    lua.named_registry_value::<LuaFunction>(RESULTS)?.call((kind, table))
}

/// Turns an error into the table that scripts see.
pub fn to_lua(lua: &Lua, error: &Error) -> LuaResult<LuaValue> {
    let table = lua.create_table()?;
    table.raw_set("kind", error.kind.as_str())?;
    // Lua has no causes: the message carries them.
    table.raw_set("message", error.to_string())?;
    table.raw_set("hint", error.hint.as_deref())?;
    table.raw_set("at", error.at.as_deref())?;
    for (name, detail) in error.details() {
        let mut detail = value::to_lua(lua, detail)?;
        if let (LuaValue::Table(fields), "outcome" | "merge") = (&detail, name.as_str()) {
            detail = LuaValue::Table(as_result(lua, name, fields.clone())?);
        }
        table.raw_set(name.as_str(), detail)?;
    }
    table.set_metatable(Some(lua.named_registry_value(METATABLE)?))?;
    Ok(LuaValue::Table(table))
}

/// Turns what a script raised into an error; a value that is not one of ours gets `kind`.
pub fn from_lua(lua: &Lua, raised: &LuaValue, kind: Kind) -> Error {
    let LuaValue::Table(table) = raised else {
        return Error::new(kind, text_of(lua, raised));
    };
    let field = |name: &str| table.raw_get::<Option<String>>(name).ok().flatten();
    if !is_error(lua, raised) {
        return Error::new(kind, field("message").unwrap_or_else(|| text_of(lua, raised)));
    }
    let kind = field("kind").and_then(|word| Kind::from_word(&word)).unwrap_or(kind);
    let mut error = Error::new(kind, field("message").unwrap_or_default());
    error.hint = field("hint");
    error.at = field("at");
    for name in ["outcome", "merge"] {
        if let Ok(detail @ LuaValue::Table(_)) = table.raw_get::<LuaValue>(name)
            && let Ok(json) = value::to_json(lua, &detail, name)
        {
            error = error.with(name, json);
        }
    }
    if let Ok(LuaValue::Table(errors)) = table.raw_get::<LuaValue>("errors") {
        error = error.with("errors", serde_json::Value::Array(failures(lua, &errors)));
    }
    error
}

/// Returns the errors of items as `{ item, message }`, in the order of a list or of their names.
fn failures(lua: &Lua, errors: &LuaTable) -> Vec<serde_json::Value> {
    let mut failures: Vec<_> = errors
        .pairs::<LuaValue, LuaValue>()
        .flatten()
        .map(|(key, error)| {
            let (index, item) = match &key {
                LuaValue::Integer(index) => (*index, format!("item {index}")),
                key => (0, format!("item `{}`", key.to_string().unwrap_or_default())),
            };
            let error = from_lua(lua, &error, Kind::Tool);
            let at = error.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
            (index, item, format!("{at}{error}"))
        })
        .collect();
    failures.sort();
    let object = |(_, item, message)| serde_json::json!({ "item": item, "message": message });
    failures.into_iter().map(object).collect()
}

/// Reports whether a value is one of our errors.
pub fn is_error(lua: &Lua, value: &LuaValue) -> bool {
    let LuaValue::Table(table) = value else { return false };
    let ours = lua.named_registry_value::<LuaTable>(METATABLE).ok();
    ours.is_some() && table.metatable() == ours
}

/// Turns what mlua itself failed with (memory, a panic) into a Lua error value.
pub fn from_fault(lua: &Lua, fault: &LuaError) -> LuaValue {
    let error = match fault {
        LuaError::MemoryError(_) => out_of_memory(),
        other => Error::internal(traceback::first_line(&other.to_string())),
    };
    to_lua(lua, &error).unwrap_or(LuaValue::Nil)
}

/// What Lua itself raises, a plain string, when an allocation is refused.
const OUT_OF_MEMORY: &str = "not enough memory";

fn out_of_memory() -> Error {
    Error::new(Kind::Io, "not enough memory for the script")
        .hint("a script may use 1 GiB; keep large data in files")
}

/// Shows a raised value; a table as the REPL would show it.
fn text_of(lua: &Lua, value: &LuaValue) -> String {
    match value {
        LuaValue::String(text) => text.to_string_lossy(),
        LuaValue::Error(fault) => traceback::first_line(&fault.to_string()),
        _ => lua
            .named_registry_value::<LuaFunction>(INSPECTOR)
            .and_then(|inspect| inspect.call::<LuaString>(value))
            .map_or_else(|_| format!("a {}", type_of(value)), |text| text.to_string_lossy()),
    }
}

/// An error that no script caught, with all that is known of where it came from.
#[derive(Clone, Debug)]
pub struct Uncaught {
    /// The error; a value of the script's own has the kind `internal` here and `raw` set.
    pub error: Error,
    /// Whether the script raised a value of its own.
    pub raw: bool,
    /// The script frames, innermost first: `function 'review' (review.lua:12)`.
    pub frames: Vec<String>,
    /// The items of combinators that the error came through, innermost first.
    pub items: Vec<Item>,
}

impl Uncaught {
    /// Collects what is known of an error that `task` ended with.
    pub fn new(lua: &Lua, task: &Task, raised: &LuaValue) -> Self {
        let mut raw = !is_error(lua, raised);
        let mut error = from_lua(lua, raised, Kind::Internal);
        let trail = task.trail_of(raised);
        // One of ours that has no line is about what was typed: no frame of the script is to blame.
        let blamed = trail.as_ref().filter(|_| raw || error.at.is_some());
        let frames = blamed.map(|t| traceback::frames(&t.traceback)).unwrap_or_default();
        if let (true, LuaValue::String(_)) = (raw, raised) {
            (error.at, error.message) = traceback::claimed_position(&error.message, &frames);
            if error.message == OUT_OF_MEMORY {
                error = out_of_memory();
            }
            if let Some(clearer) = clearer::of_text(lua, &error.message) {
                // A module that is no Lua is one as much as a script is.
                raw = clearer.kind != Kind::Usage;
                let at = std::mem::take(&mut error.at);
                error = clearer;
                error.at = error.at.or(at);
            }
        }
        error.at = error.at.or_else(|| frames.first().and_then(|f| traceback::position(f)));
        let text = trail.as_ref().and_then(|trail| trail.text.as_ref());
        if let Some(text) = source(lua, &error, &frames, text) {
            error = error.within(text);
        }
        if raw && let Some(hint) = clearer::misspelt(lua, &error) {
            error = error.hint(hint);
        }
        if error.hint.is_none()
            && error.kind != Kind::Cancelled
            && let Some(id) = error.detail("outcome").and_then(|outcome| outcome["id"].as_str())
        {
            error.hint = Some(format!("look at how it went: agentlua logs {id}"));
        }
        Self { error, raw, frames, items: trail.map(|t| t.items).unwrap_or_default() }
    }

    /// Returns the exit code of a run that it ended.
    pub fn exit_code(&self) -> i32 {
        if self.raw { 1 } else { self.error.kind.exit_code() }
    }
}

/// Returns the text that an error's position is in, as far as it is not to be read from its file.
fn source(
    lua: &Lua,
    error: &Error,
    frames: &[String],
    loaded: Option<&LuaString>,
) -> Option<Vec<u8>> {
    let (name, _) = error.at.as_deref()?.rsplit_once(':')?;
    if name.starts_with(traceback::LOADED) {
        return loaded.map(|text| text.as_bytes().to_vec());
    }
    // What an earlier line of the REPL has defined is at a place in that line, which is gone.
    if name == "repl" && !frames.first().is_some_and(|frame| frame.starts_with("main chunk (repl:"))
    {
        return None;
    }
    chunk::kept(lua, name)
}
