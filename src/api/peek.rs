//! What live values offer, for completion: looked at without running anything of the script's.
//!
//! Tables are read raw, and through an `__index` that is a table; one that is a function is never
//! called.

use mlua::prelude::*;

use super::{result, task, worktree};
use crate::vm::{Session, error};

/// More links of `__index` than anybody has.
const MAX_LINKS: usize = 16;
/// Nobody reads longer lists.
const MAX_MEMBERS: usize = 2_000;

/// What a value offers.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The class in the manual, of handles, results and errors.
    pub class: Option<&'static str>,
    /// The string keys of a table.
    pub members: Vec<Member>,
}

/// A string key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The key.
    pub name: String,
    /// Whether it holds something to call.
    pub is_function: bool,
}

/// Looks at what `path` leads to, such as `jobs`, `auth`; an empty one is what can be named at all.
/// Returns nothing where it leads nowhere.
pub fn peek(session: &Session, path: &[String]) -> Option<Seen> {
    let lua = session.lua();
    let Some((first, rest)) = path.split_first() else {
        let mut seen = Seen::default();
        seen.add_all(session.variables());
        seen.add_all(&lua.globals());
        seen.sort();
        return Some(seen);
    };
    let variable = session.variables().raw_get(first.as_str()).ok();
    let known = variable.filter(|value: &LuaValue| !value.is_nil());
    let mut value = known.or_else(|| field(&lua.globals(), first))?;
    for name in rest {
        let LuaValue::Table(table) = &value else { return None };
        value = field(table, name)?;
    }
    Some(seen(lua, &value))
}

/// Returns a field of a table, or of the tables that it inherits from.
fn field(table: &LuaTable, name: &str) -> Option<LuaValue> {
    let mut tables = lineage(table);
    tables.find_map(|table| table.raw_get(name).ok().filter(|value: &LuaValue| !value.is_nil()))
}

fn lineage(table: &LuaTable) -> impl Iterator<Item = LuaTable> {
    let parent = |table: &LuaTable| match table.metatable()?.raw_get("__index").ok()? {
        LuaValue::Table(parent) => Some(parent),
        _ => None,
    };
    std::iter::successors(Some(table.clone()), parent).take(MAX_LINKS)
}

fn seen(lua: &Lua, value: &LuaValue) -> Seen {
    let mut seen = Seen { class: class_of(lua, value), ..Seen::default() };
    match value {
        LuaValue::Table(table) => seen.add_all(table),
        LuaValue::String(_) => {
            if let Ok(LuaValue::Table(strings)) = lua.globals().raw_get("string") {
                seen.add_all(&strings);
            }
        }
        _ => {}
    }
    seen.sort();
    seen
}

impl Seen {
    fn add_all(&mut self, table: &LuaTable) {
        for table in lineage(table) {
            let pairs = table.pairs::<LuaValue, LuaValue>().flatten();
            for (key, value) in pairs.take(MAX_MEMBERS) {
                if let LuaValue::String(name) = key
                    && let Ok(name) = name.to_str()
                {
                    let is_function = matches!(value, LuaValue::Function(_));
                    self.members.push(Member { name: name.to_owned(), is_function });
                }
            }
        }
    }

    fn sort(&mut self) {
        // Nobody types names that start so but those who made them.
        self.members.retain(|member| !member.name.starts_with("__"));
        self.members.sort_by(|a, b| a.name.cmp(&b.name));
        self.members.dedup_by(|a, b| a.name == b.name);
    }
}

/// Returns the class in the manual of a value that is one of ours.
fn class_of(lua: &Lua, value: &LuaValue) -> Option<&'static str> {
    match value {
        LuaValue::UserData(_) if task::is_task(value) => Some("agent.Task"),
        LuaValue::UserData(_) if worktree::of(value).is_some() => Some("git.Worktree"),
        LuaValue::Table(_) if error::is_error(lua, value) => Some("agent.Error"),
        LuaValue::Table(table) => {
            let kind: LuaString = table.metatable()?.raw_get("__name").ok()?;
            result::class(&kind.to_str().ok()?)
        }
        _ => None,
    }
}
