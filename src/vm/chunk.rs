//! Chunks: source text into a Lua function, with syntax errors as usage errors at their line.
//!
//! Chunks are named `@path`, relative to where agentlua was started, so that messages show what
//! people typed. A byte-order mark is dropped; a shebang line becomes a comment and keeps its
//! newline, so that line numbers stay. What was compiled is kept: an error shows its line as it ran,
//! also of a script that came by standard input, or that has been changed meanwhile.

use std::borrow::Cow;

use mlua::prelude::*;

use super::traceback::{first_line, split_position};
use crate::error::{Error, Kind, Result};

/// The texts of chunks by their names, in the registry.
const TEXTS: &str = "agentlua.texts";

/// Keeps the text of a chunk.
fn keep(lua: &Lua, name: &str, text: &[u8]) -> LuaResult<()> {
    let texts = match lua.named_registry_value::<Option<LuaTable>>(TEXTS)? {
        Some(texts) => texts,
        None => lua.create_table()?,
    };
    texts.raw_set(name, lua.create_string(text)?)?;
    lua.set_named_registry_value(TEXTS, texts)
}

/// Returns the text of the newest chunk of a name.
pub fn kept(lua: &Lua, name: &str) -> Option<Vec<u8>> {
    let texts = lua.named_registry_value::<Option<LuaTable>>(TEXTS).ok()??;
    let text = texts.raw_get::<Option<LuaString>>(name).ok()??;
    Some(text.as_bytes().to_vec())
}

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
    keep(lua, name, source).map_err(|fault| Error::internal(fault.to_string()))?;
    lua.load(text).set_name(format!("@{name}")).into_function().map_err(|fault| {
        let mut error = syntax_error(&fault, source).within(source);
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
    keep(lua, "repl", source.as_bytes()).map_err(|fault| Error::internal(fault.to_string()))?;
    load(&format!("return {source}"))
        // Of `1 +`, that it is no statement helps nobody.
        .or_else(|cut| load(source).map_err(|fault| if is_cut_off(&cut) { cut } else { fault }))
        .map_err(|fault| syntax_error(&fault, source.as_bytes()).within(source.as_bytes()))
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
        match (load(&format!("return {source}")), load(source)) {
            (Err(expression), Err(statement)) => is_cut_off(&expression) || is_cut_off(&statement),
            _ => false,
        }
    }
}

/// Reports whether only more text could mend this.
fn is_cut_off(fault: &LuaError) -> bool {
    matches!(fault, LuaError::SyntaxError { incomplete_input: true, .. })
}

fn syntax_error(fault: &LuaError, source: &[u8]) -> Error {
    match fault {
        LuaError::SyntaxError { message, .. } => {
            refused(message.lines().next().unwrap_or_default(), source)
        }
        LuaError::RuntimeError(message) if message.contains("C stack overflow") => {
            Error::usage("it is nested too deep for Lua")
                .hint("Lua takes 200 levels of brackets and blocks")
        }
        fault => Error::new(Kind::Internal, first_line(&fault.to_string())),
    }
}

/// Turns the compiler's `file.lua:3: unexpected symbol near 'x'` about `source` into an error.
pub fn refused(message: &str, source: &[u8]) -> Error {
    let (mut at, mut message) = split_position(message);
    // Lua tells of these at the end of the block.
    if let Some((said, number)) = message.rsplit_once(" at line ")
        && number.bytes().all(|digit| digit.is_ascii_digit())
    {
        at = at.and_then(|at| Some(format!("{}:{number}", at.rsplit_once(':')?.0)));
        message = said.replace("<goto>", "`goto`");
    }
    let number = at.as_ref().and_then(|at| at.rsplit_once(':')?.1.parse::<usize>().ok());
    let lines = source.split(|byte| *byte == b'\n');
    let line = number.and_then(|number| lines.clone().nth(number.checked_sub(1)?));
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    let mut error = Error::usage(message);
    error.at = at;
    match advice(&error.message, &line) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Returns what helps against a mistake that people bring from other languages.
fn advice(message: &str, line: &str) -> Option<Cow<'static, str>> {
    let near = message.rsplit_once(" near ").map(|(_, token)| token.trim_matches('\''))?;
    if message.starts_with("'}' expected") && begins_field(near, line) {
        return Some(format!("is a comma missing before `{near}`?").into());
    }
    let has = |operator: &str| line.contains(operator);
    let words = || line.split(|letter: char| !letter.is_alphanumeric());
    let habit = match near {
        "!" => "Lua writes `~=` for unequal and `not x` for the opposite",
        "+" if has("++") || has("+=") => "Lua has no `++` and no `+=`: write `x = x + 1`",
        "-" | "*" | "/" | "." if has(&format!("{near}=")) => "write it out: `x = x - 1`",
        "&" | "|" if has("&&") || has("||") => "Lua writes `and` and `or`",
        "=" if message.starts_with("'then' expected") => "Lua compares with `==`",
        _ if words().any(|word| word == "continue") => {
            "Lua has no `continue`: `goto continue`, with `::continue::` before the loop's `end`"
        }
        "<eof>" if message.starts_with("'end' expected") => {
            "each `function`, `if`, `for`, `while` and `do` has an `end`"
        }
        _ => return None,
    };
    Some(habit.into())
}

/// Reports whether a word in a line can be the first of a table's field, where the field before it has no end.
fn begins_field(word: &str, line: &str) -> bool {
    let assigned = |rest: &str| {
        let rest = rest.trim_start();
        rest.starts_with('=') && !rest.starts_with("==")
    };
    let is_key = || line.match_indices(word).any(|(at, _)| assigned(&line[at + word.len()..]));
    word.starts_with(['"', '{', '['])
        || word.starts_with(|letter: char| letter.is_ascii_digit())
        || is_key()
}
