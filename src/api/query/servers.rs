//! The option `mcp_servers`, as in the Agent SDK: programs and hosts by name.

use std::collections::BTreeMap;

use mlua::prelude::*;

use crate::error::{Error, Result};
use crate::tool::mcp::{Address, Connection, Server};
use crate::vm::args::type_of;
use crate::vm::{Options, Shape};

const OPTION: &str = "mcp_servers";

/// The longest name: it is part of its tools' names, which have 64 characters.
const NAME_MAX: usize = 32;

pub(in crate::api) const PROGRAM: Shape = Shape {
    function: OPTION,
    known: &["type", "command", "args", "env"],

    instead: &[
        ("cwd", "a server runs in its agent's directory"),
        ("url", "that is a host's: set `type = \"http\"`"),
        ("headers", "that is a host's: set `type = \"http\"`"),
    ],
};

pub(in crate::api) const HOST: Shape = Shape {
    function: OPTION,
    known: &["type", "url", "headers"],

    instead: &[
        ("command", "that is a program's: leave `type` out"),
        ("args", "that is a program's: leave `type` out"),
        ("env", "that is a program's: use `headers`"),
    ],
};

/// Reads the servers, sorted by name.
///
/// # Errors
/// Usage, naming the server and what is wrong with it.
pub(super) fn read(lua: &Lua, options: &mut Options) -> Result<Vec<Server>> {
    let table = match options.any(OPTION) {
        None => return Ok(Vec::new()),
        Some(LuaValue::Table(table)) => table,
        Some(other) => return Err(options.wrong(OPTION, "a table of servers by name", &other)),
    };
    let mut servers = BTreeMap::new();
    for pair in table.pairs::<LuaValue, LuaValue>() {
        let (key, value) = pair.map_err(|fault| Error::internal(fault.to_string()))?;
        let LuaValue::String(name) = &key else {
            return Err(options.wrong(OPTION, "a table of servers by name", &key));
        };
        let name = name.to_string_lossy();
        check_name(&name).map_err(|why| options.bad(OPTION, format_args!("{why}: `{name}`")))?;
        let blamed = |mut error: Error| {
            error.message = format!("`{}`: server `{name}`: {}", options.function(), error.message);
            error
        };
        let connection = connection(lua, &value).map_err(blamed)?;
        servers.insert(name.clone(), Server { name, connection });
    }
    Ok(servers.into_values().collect())
}

/// Names are part of tools' names, `mcp__server__tool`, and of rules about them.
fn check_name(name: &str) -> std::result::Result<(), String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(fits) || name.contains("__") {
        return Err(format!(
            "names a server with 1 to {NAME_MAX} letters, digits, `-` or single `_`"
        ));
    }
    Ok(())
}

fn connection(lua: &Lua, value: &LuaValue) -> Result<Connection> {
    let LuaValue::Table(table) = value else {
        return Err(Error::usage(format!("it must be a table, not {}", type_of(value))));
    };
    let kind: Option<LuaValue> = table.get("type").ok();
    let kind = match kind {
        None | Some(LuaValue::Nil) => None,
        Some(LuaValue::String(kind)) => Some(kind.to_string_lossy()),
        Some(other) => {
            return Err(Error::usage(format!("`type` must be a string, not {}", type_of(&other))));
        }
    };
    match kind.as_deref() {
        None if table.contains_key("url").unwrap_or(false) => {
            Err(Error::usage("it has a `url` and no `type`").hint("add `type = \"http\"`"))
        }
        None | Some("stdio") => program(Options::read(lua, table, &PROGRAM)?),
        Some("http") => host(Options::read(lua, table, &HOST)?),
        Some("sse") => Err(Error::usage("the type `sse` is not offered: MCP gave it up")
            .hint("most such servers have an address for `type = \"http\"` too")),
        Some(other) => Err(Error::usage(format!("there is no type `{other}`"))
            .hint("there are `stdio`, the default, and `http`")),
    }
}

fn program(mut options: Options) -> Result<Connection> {
    let command = options.text("command")?;
    let command = options.required("command", command)?;
    let args = options.strings("args")?.unwrap_or_default();
    let env = options.string_map("env")?.unwrap_or_default();
    let nul = |text: &String| text.contains('\0');
    if nul(&command) || args.iter().any(nul) || env.iter().any(|(k, v)| nul(k) || nul(v)) {
        return Err(options.bad("command", "has a NUL byte in it, its arguments or variables"));
    }
    Ok(Connection::Program { command, args, env })
}

fn host(mut options: Options) -> Result<Connection> {
    let url = options.text("url")?;
    let url = options.required("url", url)?;
    let headers = options.string_map("headers")?.unwrap_or_default();
    let address = Address::new(&url, &headers).map_err(Error::usage)?;
    Ok(Connection::Http(address))
}
