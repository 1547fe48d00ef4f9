//! What a function of the script that looks at work has against it, by what it returned.

use mlua::prelude::*;

/// Returns what is wrong by what a `verify` function returned: nothing, unless that is false, nil and
/// a reason, or a table whose `ok` is false.
pub fn objection(values: &[LuaValue]) -> Option<String> {
    let unsaid = || "it returned false".to_owned();
    match values {
        [LuaValue::Boolean(false), why @ ..] => {
            Some(why.first().and_then(said).unwrap_or_else(unsaid))
        }
        [LuaValue::Nil, why, ..] if !why.is_nil() => {
            Some(said(why).unwrap_or_else(|| "it returned nil and no text".to_owned()))
        }
        [LuaValue::Table(table), ..] => {
            // What `:sh` returns, say; an unknown field of a result would raise.
            let ok: LuaValue = table.raw_get("ok").unwrap_or(LuaValue::Nil);
            if ok != LuaValue::Boolean(false) {
                return None;
            }
            let text = |name: &str| {
                let text: Option<LuaString> = table.raw_get(name).ok().flatten();
                text.map(|text| text.to_string_lossy()).unwrap_or_default()
            };
            let output = format!("{}{}", text("stdout"), text("stderr"));
            Some(if output.is_empty() { "its `ok` is false".to_owned() } else { output })
        }
        _ => None,
    }
}

/// Returns a reason as the script gave it.
pub fn said(value: &LuaValue) -> Option<String> {
    match value {
        LuaValue::Nil => None,
        LuaValue::Table(table) => table.raw_get::<Option<String>>("message").ok().flatten(),
        other => other.to_string().ok(),
    }
}
