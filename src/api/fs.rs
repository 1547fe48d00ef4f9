//! The global `fs`: files of the script itself, relative to where agentlua was started.

use std::path::Path;
use std::sync::Arc;

use mlua::prelude::*;

use super::sh::path;
use crate::error::{Error, Kind, ResultExt};
use crate::files;
use crate::host::Host;
use crate::vm::{Module, Options, Shape, value};

const REMOVE: Shape =
    Shape { function: "fs.remove", known: &["recursive"], later: &[], instead: &[] };

/// Makes the module.
pub fn module(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let at = || Arc::clone(host);
    let module = Module::new(lua, "fs")?
        .function("read", {
            let host = at();
            move |lua, mut args| {
                let name = args.string("path")?;
                let content = files::read(&path(&host, &name))
                    .or_kind(Kind::Io, || format!("cannot read `{name}`"))?;
                Ok(lua.create_string(content)?)
            }
        })?
        .function("write", {
            let host = at();
            move |_, mut args| {
                let (name, content) = (args.string("path")?, args.bytes("content")?);
                files::write(&path(&host, &name), &content)
                    .or_kind(Kind::Io, || format!("cannot write `{name}`"))?;
                Ok(())
            }
        })?
        .function("append", {
            let host = at();
            move |_, mut args| {
                let (name, content) = (args.string("path")?, args.bytes("content")?);
                files::append(&path(&host, &name), &content)
                    .or_kind(Kind::Io, || format!("cannot append to `{name}`"))?;
                Ok(())
            }
        })?
        .function("exists", {
            let host = at();
            move |_, mut args| Ok(path(&host, &args.string("path")?).exists())
        })?
        .function("list", {
            let host = at();
            move |lua, mut args| {
                let name = args.optional_string("path")?.unwrap_or_else(|| ".".to_owned());
                let names = files::list(&path(&host, &name))
                    .or_kind(Kind::Io, || format!("cannot list `{name}`"))?;
                list(lua, names)
            }
        })?
        .function("glob", {
            let host = at();
            move |lua, mut args| {
                let pattern = args.string("pattern")?;
                let names = files::glob(host.cwd(), &pattern)
                    .map_err(|why| Error::usage(format!("`fs.glob`: `{pattern}`: {why}")))?;
                list(lua, names)
            }
        })?
        .function("mkdir", {
            let host = at();
            move |_, mut args| {
                let name = args.string("path")?;
                std::fs::create_dir_all(path(&host, &name))
                    .or_kind(Kind::Io, || format!("cannot make the directory `{name}`"))?;
                Ok(())
            }
        })?
        .function("remove", {
            let host = at();
            move |lua, mut args| {
                let name = args.string("path")?;
                let recursive = match args.optional_table("options")? {
                    Some(table) => Options::read(lua, &table, &REMOVE)?.flag("recursive")?,
                    None => None,
                };
                remove(&path(&host, &name), recursive.unwrap_or(false))
                    .or_kind(Kind::Io, || format!("cannot remove `{name}`"))?;
                Ok(())
            }
        })?;
    Ok(module.build())
}

fn remove(path: &Path, recursive: bool) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path)?.is_dir() {
        true if recursive => std::fs::remove_dir_all(path),
        true => std::fs::remove_dir(path),
        false => std::fs::remove_file(path),
    }
}

fn list(lua: &Lua, names: Vec<String>) -> Result<LuaTable, crate::vm::Raised> {
    let list = lua.create_sequence_from(names)?;
    list.set_metatable(Some(value::array_metatable(lua)?))?;
    Ok(list)
}
