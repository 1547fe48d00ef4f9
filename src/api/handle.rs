//! Reading a field of a handle, as strictly as one of a result: what is misspelled is an error and not nil.

use mlua::prelude::*;

use super::result;
use crate::error::Error;
use crate::suggest::nearest;
use crate::vm::Module;

/// What handles of a kind have.
pub struct Kind {
    /// Its word in messages, and of its methods: `task`.
    pub name: &'static str,
    /// The fields that are no methods.
    pub fields: &'static [&'static str],
    /// The kind of result that `:await()` returns, whose fields the handle has not.
    pub awaited: Option<&'static str>,
}

/// Makes the `__index` of handles of type `H`: `read` returns the value of a field.
pub fn index<H: 'static>(
    lua: &Lua,
    kind: Kind,
    methods: LuaTable,
    read: impl Fn(&H, &str) -> Option<String> + 'static,
) -> LuaResult<LuaFunction> {
    let module = Module::new(lua, kind.name)?.function("index", move |lua, mut args| {
        let (handle, name) = (args.any(), args.any());
        let name = match &name {
            LuaValue::String(name) => name.to_string_lossy(),
            other => other.to_string()?,
        };
        if kind.fields.contains(&&*name) {
            let LuaValue::UserData(handle) = &handle else {
                return Err(Error::internal("not a handle").into());
            };
            return Ok(read(&*handle.borrow::<H>()?, &name).into_lua(lua)?);
        }
        match methods.raw_get::<LuaValue>(name.as_str())? {
            LuaValue::Nil => Err(unknown(&kind, &methods, &name)?.into()),
            method => Ok(method),
        }
    })?;
    module.build().get("index")
}

/// Says that there is no such field, and which was meant.
fn unknown(kind: &Kind, methods: &LuaTable, name: &str) -> LuaResult<Error> {
    let Kind { name: handle, fields, awaited } = *kind;
    let error = Error::usage(format!("a {handle} has no field `{name}`"));
    let mut methods = methods
        .pairs::<String, LuaValue>()
        .map(|pair| pair.map(|(method, _)| method))
        .collect::<LuaResult<Vec<_>>>()?;
    methods.sort();
    let near = |names: &[&str]| nearest(name, names.iter().copied()).map(str::to_owned);
    let own: Vec<&str> = methods.iter().map(String::as_str).chain(fields.iter().copied()).collect();
    let of_awaited = awaited.map(result::fields).unwrap_or_default();
    if !of_awaited.contains(&name)
        && let Some(near) = near(&own)
    {
        let joint = if fields.contains(&&*near) { "." } else { ":" };
        return Ok(error.hint(format!("did you mean `{handle}{joint}{near}`?")));
    }
    if let Some(near) = near(of_awaited) {
        return Ok(error.hint(format!("{handle}:await().{near}")));
    }
    let fields = fields.iter().map(|field| format!("`.{field}`"));
    let methods = methods.iter().filter(|method| !method.starts_with("try_"));
    let all: Vec<_> = fields.chain(methods.map(|method| format!("`:{method}()`"))).collect();
    Ok(error.hint(format!("it has {}", all.join(", "))))
}
