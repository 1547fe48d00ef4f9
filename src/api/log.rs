//! The global `log`: messages of the script, beside the progress of its agents.

use std::sync::Arc;

use mlua::prelude::*;

use crate::event::{Event, Level};
use crate::host::Host;
use crate::vm::Module;

/// Makes the module.
pub fn module(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let mut module = Module::new(lua, "log")?;
    for (name, level) in [
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("warn", Level::Warn),
        ("error", Level::Error),
    ] {
        let host = Arc::clone(host);
        module = module.function(name, move |_, args| {
            let parts: Vec<String> =
                args.rest().iter().map(|part| part.to_string().unwrap_or_default()).collect();
            host.events().emit(Event::Message { level, text: parts.join("\t") });
            Ok(())
        })?;
    }
    Ok(module.build())
}
