//! The trail of an error: kept beside it, so that the value reaches `pcall` and `await` as it was
//! raised.

use std::fmt;

use mlua::prelude::*;
use serde::Serialize;

/// Where an error came from, for the report: the value itself stays as the script raised it.
#[derive(Clone)]
pub struct Trail {
    /// The error value.
    pub value: LuaValue,
    /// The traceback at the place that raised it.
    pub traceback: String,
    /// The text of the function that raised it, where a script has loaded it from a string.
    pub text: Option<LuaString>,
    /// The items of combinators it came through, innermost first.
    pub items: Vec<Item>,
}

/// An item of a combinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The combinator's name in the manual, such as `agent.all`.
    pub combinator: String,
    /// Its place in a list, from 1.
    pub index: Option<i64>,
    /// Its name among named items.
    pub key: Option<String>,
    /// What people know it by, beside that.
    pub label: Option<String>,
}

/// The longest label that is shown whole, in letters.
const MAX_LABEL: usize = 40;

impl Item {
    /// Names the item `key` of a combinator; `subject` is what the script gave for it.
    pub fn new(combinator: &str, key: &LuaValue, subject: &LuaValue) -> Self {
        let (index, name) = match key {
            LuaValue::Integer(index) => (Some(*index), None),
            other => (None, other.to_string().ok()),
        };
        Self { combinator: combinator.to_owned(), index, key: name, label: label(subject) }
    }
}

/// Returns the name of an item: a query's label, branch or prompt, or the item itself if it is a text.
fn label(subject: &LuaValue) -> Option<String> {
    let text = match subject {
        LuaValue::String(text) => text.to_string_lossy(),
        LuaValue::Table(table) => {
            let text = |name| match table.raw_get::<LuaValue>(name) {
                Ok(LuaValue::String(text)) => Some(text.to_string_lossy()),
                _ => None,
            };
            ["label", "branch", "name", "prompt"].into_iter().find_map(text)?
        }
        _ => return None,
    };
    let line = text.trim().lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(MAX_LABEL).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    Some(short).filter(|short| !short.is_empty())
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.index, &self.key) {
            (Some(index), _) => write!(f, "item {index}")?,
            (None, key) => write!(f, "item `{}`", key.as_deref().unwrap_or_default())?,
        }
        let label = self.label.as_ref().filter(|label| self.key.as_ref() != Some(label));
        if let Some(label) = label {
            write!(f, " ({label})")?;
        }
        write!(f, " of `{}`", self.combinator)
    }
}
