//! What Lua itself says, said more clearly in the report. The value that a script catches stays as Lua
//! made it, because scripts match on it.

use mlua::prelude::*;

use super::chunk;
use crate::error::{Error, Kind};
use crate::suggest::{likeness, nearest};

/// The tables whose functions are suggested.
const TABLES: [&str; 12] =
    ["agent", "git", "github", "sh", "fs", "json", "log", "string", "table", "math", "os", "io"];

/// Returns a clearer error for a message of Lua's, if there is one.
pub fn of_text(lua: &Lua, message: &str) -> Option<Error> {
    if let Some(rest) = message.strip_prefix("error loading module '") {
        let (_, refused) = rest.split_once(":\n")?;
        let error = chunk::refused(refused.trim(), b"");
        return error.at.is_some().then_some(error);
    }
    let (name, rest) = message.strip_prefix("module '")?.split_once("' not found:")?;
    let error = Error::new(Kind::Internal, format!("module `{name}` is not found"));
    if let Some(near) = module_near(lua, name) {
        return Some(error.hint(format!("did you mean `require \"{near}\"`?")));
    }
    let beside = rest.split("no file '").nth(1)?.split('\'').next()?;
    Some(error.hint(format!("it has to be at `{beside}`, or where `package.path` says")))
}

/// Returns the module of ours that `name` may be meant for.
fn module_near(lua: &Lua, name: &str) -> Option<String> {
    let package = lua.globals().raw_get::<LuaTable>("package").ok()?;
    let preload = package.raw_get::<LuaTable>("preload").ok()?;
    let names: Vec<String> = preload.pairs::<String, LuaValue>().flatten().map(|p| p.0).collect();
    let ours = format!("agentlua.{name}");
    if names.contains(&ours) {
        return Some(ours);
    }
    name.starts_with("agentlua.")
        .then(|| nearest(name, names.iter().map(String::as_str)))?
        .map(str::to_owned)
}

/// Returns the name that was meant where a function that there is not was called.
pub fn misspelt(lua: &Lua, error: &Error) -> Option<String> {
    let rest = error.message.strip_prefix("attempt to ")?.split_once(" a nil value (")?.1;
    let (sort, name) = rest.trim_end_matches(')').split_once(' ')?;
    let name = name.trim_matches('\'');
    let names = |table: &LuaTable| -> Vec<String> {
        table
            .pairs::<LuaValue, LuaValue>()
            .flatten()
            .filter_map(|(key, _)| key.to_string().ok())
            .collect()
    };
    let near = |names: Vec<String>| {
        let near = nearest(name, names.iter().map(String::as_str))?;
        // Short names are like many.
        (likeness(name, near) > 0.85 && near != name).then(|| near.to_owned())
    };
    let globals = lua.globals();
    if sort == "global" {
        let mut known = names(&globals);
        // Ours are behind the metatable.
        known.extend(TABLES.map(str::to_owned));
        return near(known).map(|near| format!("did you mean `{near}`?"));
    }
    let source = line(error).filter(|_| sort == "field")?;
    let table = TABLES.into_iter().find(|table| source.contains(&format!("{table}.{name}")))?;
    let LuaValue::Table(members) = globals.get::<LuaValue>(table).ok()? else { return None };
    let near = near(names(&members))?;
    Some(format!("did you mean `{table}.{near}`?"))
}

/// Returns the source line of an error.
fn line(error: &Error) -> Option<String> {
    let (path, number) = error.at.as_deref()?.rsplit_once(':')?;
    let number: usize = number.parse().ok()?;
    let file;
    let text = if let Some(text) = error.text() {
        text
    } else {
        file = std::fs::read(path).ok()?;
        &file
    };
    let line = text.split(|byte| *byte == b'\n').nth(number.checked_sub(1)?)?;
    Some(String::from_utf8_lossy(line).into_owned())
}
