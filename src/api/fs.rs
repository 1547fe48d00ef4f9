//! The global `fs`: files of the script itself, relative to where agentlua was started.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mlua::prelude::*;

use super::sh::path;
use crate::error::{Error, Kind, ResultExt};
use crate::files;
use crate::host::Host;
use crate::vm::{Module, Options, Shape, value};

pub(super) const REMOVE: Shape =
    Shape { function: "fs.remove", known: &["recursive"], instead: &[] };

/// Makes the module.
pub fn module(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let at = || Arc::clone(host);
    let module = Module::new(lua, "fs")?
        .function("read", {
            let host = at();
            move |lua, mut args| {
                let name = args.string("path")?;
                let content = files::read(&found(&host, &name))
                    .or_kind(Kind::Io, || format!("cannot read `{name}`"))?;
                Ok(lua.create_string(content)?)
            }
        })?
        .function("write", {
            let host = at();
            move |_, mut args| {
                let (name, content) = (args.string("path")?, args.bytes("content")?);
                files::write(&target(&host, "write", &name)?, &content)
                    .or_kind(Kind::Io, || format!("cannot write `{name}`"))?;
                Ok(())
            }
        })?
        .function("append", {
            let host = at();
            move |_, mut args| {
                let (name, content) = (args.string("path")?, args.bytes("content")?);
                files::append(&target(&host, "append to", &name)?, &content)
                    .or_kind(Kind::Io, || format!("cannot append to `{name}`"))?;
                Ok(())
            }
        })?
        .function("exists", {
            let host = at();
            move |_, mut args| Ok(found(&host, &args.string("path")?).exists())
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
                if let Some(plan) = host.plan() {
                    plan.step("mkdir", format!("make the directory `{name}`"));
                    return Ok(());
                }
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
                if let Some(plan) = host.plan() {
                    plan.step("remove", format!("remove `{name}`"));
                    plan.remove_file(&path(&host, &name));
                    return Ok(());
                }
                remove(&path(&host, &name), recursive.unwrap_or(false))
                    .or_kind(Kind::Io, || format!("cannot remove `{name}`"))?;
                Ok(())
            }
        })?;
    Ok(module.build())
}

/// Returns where a file is that is read: in a dry run what the script has written is kept apart.
fn found(host: &Host, name: &str) -> PathBuf {
    let path = path(host, name);
    match host.plan() {
        // A name that no file has, so that what was removed is not there.
        Some(plan) => plan.file(&path).unwrap_or_else(|| PathBuf::from("/dev/null/removed")),
        None => path,
    }
}

/// Returns where a file is that is written: in a dry run a copy.
fn target(host: &Host, verb: &str, name: &str) -> Result<PathBuf, Error> {
    let path = path(host, name);
    let Some(plan) = host.plan() else { return Ok(path) };
    plan.step("write", format!("{verb} `{name}`"));
    plan.file_to_write(&path)
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
