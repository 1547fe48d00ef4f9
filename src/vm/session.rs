//! What the lines of a REPL share: their variables, the last result, and how results are shown.

use std::rc::Rc;

use mlua::prelude::*;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::chunk;
use super::error::Uncaught;
use super::runtime::Runtime;
use super::task::Task;
use crate::error::{Error, Result};

const SESSION: &str = include_str!("../../lua/session.lua");
const SHOW: &str = include_str!("../../lua/show.lua");

/// How values look on the screen of whoever types.
pub struct Look {
    /// Escape sequences by what they are for; empty ones where colour is not wanted.
    pub styles: Vec<(&'static str, &'static str)>,
    /// Returns how wide the screen is.
    pub columns: fn() -> usize,
    /// Makes a patch safe to show, in colour if that is wanted.
    pub patch: fn(&str) -> String,
    /// Makes a line of text safe to show.
    pub line: fn(&str) -> String,
    /// Shows a count in few digits.
    pub count: fn(u64) -> String,
    /// Shows money, in USD.
    pub money: fn(f64) -> String,
    /// Shows a time, in milliseconds.
    pub duration: fn(u64) -> String,
}

/// A session in which lines are evaluated.
pub struct Session {
    runtime: Rc<Runtime>,
    environment: LuaTable,
    declared: LuaTable,
    values: LuaTable,
    show: LuaFunction,
}

impl Session {
    /// Starts a session.
    ///
    /// # Errors
    /// Internal: a fault of ours, or no memory.
    pub fn new(runtime: &Rc<Runtime>, look: &Look) -> Result<Self> {
        Self::build(runtime, look)
            .map_err(|fault| Error::internal(format!("cannot start the session: {fault}")))
    }

    fn build(runtime: &Rc<Runtime>, look: &Look) -> LuaResult<Self> {
        let shared: LuaTable = runtime.load_own(SESSION, ())?;
        let look = look_table(runtime.lua(), look)?;
        Ok(Self {
            environment: shared.get("environment")?,
            declared: shared.get("declared")?,
            values: shared.get("values")?,
            show: runtime.load_own(SHOW, (runtime.inspector(), runtime.kit(), look))?,
            runtime: Rc::clone(runtime),
        })
    }

    /// Compiles a line whose variables `names` belong to the session from now on.
    ///
    /// # Errors
    /// Usage for text that is no Lua.
    pub fn compile(&self, source: &str, names: &[String]) -> Result<LuaFunction> {
        let function = chunk::compile_line(self.runtime.lua(), source, &self.environment)?;
        for name in names {
            let declared = self.declared.raw_set(name.as_str(), true);
            declared.map_err(|fault| Error::internal(fault.to_string()))?;
        }
        Ok(function)
    }

    /// Shows a value. As a task, because `__tostring` is the script's code.
    ///
    /// # Errors
    /// What nobody caught.
    pub async fn show(&self, task: &Rc<Task>, value: LuaValue) -> Result<String, Box<Uncaught>> {
        let args = LuaMultiValue::from_vec(vec![value]);
        let shown = self.runtime.run(task, self.show.clone(), args).await?;
        Ok(match shown.iter().next() {
            Some(LuaValue::String(text)) => text.to_string_lossy(),
            _ => String::new(),
        })
    }

    /// Makes the last result the global `_`.
    pub fn set_last_result(&self, value: Option<LuaValue>) {
        // It fails only without memory, which the next line will say.
        let _ = self.runtime.lua().globals().raw_set("_", value.unwrap_or(LuaValue::Nil));
    }

    /// Returns the variables of the session.
    pub fn variables(&self) -> &LuaTable {
        &self.values
    }

    /// Returns the state that it runs in.
    pub fn lua(&self) -> &Lua {
        self.runtime.lua()
    }
}

fn look_table(lua: &Lua, look: &Look) -> LuaResult<LuaTable> {
    let table = lua.create_table()?;
    let styles = lua.create_table_from(look.styles.iter().copied())?;
    let Look { columns, patch, line, count, money, duration, .. } = *look;
    table.set("styles", styles)?;
    table.set("columns", lua.create_function(move |_, ()| Ok(columns()))?)?;
    table.set("patch", text_function(lua, patch)?)?;
    table.set("line", text_function(lua, line)?)?;
    table.set("count", lua.create_function(move |_, n: u64| Ok(count(n)))?)?;
    table.set("money", lua.create_function(move |_, n: f64| Ok(money(n)))?)?;
    table.set("duration", lua.create_function(move |_, n: u64| Ok(duration(n)))?)?;
    let width = |_: &Lua, text: LuaString| Ok(text.to_string_lossy().width());
    table.set("width", lua.create_function(width)?)?;
    table.set(
        "cut",
        lua.create_function(|_, (text, width): (LuaString, usize)| Ok(cut(&text, width)))?,
    )?;
    Ok(table)
}

fn text_function(lua: &Lua, shown: fn(&str) -> String) -> LuaResult<LuaFunction> {
    lua.create_function(move |_, text: LuaString| Ok(shown(&text.to_string_lossy())))
}

/// Returns the start of a text that is no wider than `width`, with a mark where it was cut.
fn cut(text: &LuaString, width: usize) -> String {
    let text = text.to_string_lossy();
    if text.width() <= width {
        return text;
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| {
        let wide = c.width().unwrap_or(0);
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        fits
    };
    let mut start: String = text.chars().take_while(fits).collect();
    start.push('…');
    start
}
