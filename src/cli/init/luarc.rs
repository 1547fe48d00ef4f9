//! `.luarc.json`, what the Lua language server reads: our stubs are added to what is there.
//!
//! Keys, values and their order stay. What is not plain JSON (comments, commas at the end) would lose
//! something by being written again, so it is left to its owner.

use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value, json};

/// The names that the server knows, the one to be made first.
pub const FILES: [&str; 2] = [".luarc.json", ".luarc.jsonc"];
/// What `EmmyLua` reads before those.
pub const EMMY: &str = ".emmyrc.json";

/// What is to become of the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// There is none: this is the first.
    New(String),
    /// It has the stubs added.
    Added(String),
    /// It names them already.
    Known,
    /// It cannot be written again without loss.
    ByHand,
}

/// Returns the line that names the stubs.
pub fn entry(stubs: &str) -> String {
    format!("\"workspace.library\": [\"{stubs}\"]")
}

/// Returns what the file is to be, of what it is.
pub fn merged(text: Option<&str>, stubs: &str) -> Change {
    let Some(text) = text else {
        let fresh = json!({
            "$schema": "https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json",
            "runtime.version": "Lua 5.4",
            "workspace.library": [stubs],
            "workspace.checkThirdParty": false,
            // A script may wait anywhere.
            "diagnostics.disable": ["await-in-sync"],
        });
        return Change::New(written(&fresh, "  ") + "\n");
    };
    let Ok(Value::Object(mut settings)) = serde_json::from_str(text) else { return Change::ByHand };
    match add(&mut settings, stubs) {
        Some(true) => {
            let mut text_now = written(&Value::Object(settings), indent(text));
            if text.ends_with('\n') {
                text_now.push('\n');
            }
            Change::Added(text_now)
        }
        Some(false) => Change::Known,
        None => Change::ByHand,
    }
}

/// Adds the stubs where the library stands, in any of the ways to write it; tells whether they were missing.
fn add(settings: &mut Map<String, Value>, stubs: &str) -> Option<bool> {
    for name in ["workspace.library", "Lua.workspace.library"] {
        if let Some(library) = settings.get_mut(name) {
            return add_to(library, stubs);
        }
    }
    if let Some(workspace) = settings.get_mut("workspace") {
        let workspace = workspace.as_object_mut()?;
        if let Some(library) = workspace.get_mut("library") {
            return add_to(library, stubs);
        }
        workspace.insert("library".to_owned(), json!([stubs]));
        return Some(true);
    }
    settings.insert("workspace.library".to_owned(), json!([stubs]));
    Some(true)
}

fn add_to(library: &mut Value, stubs: &str) -> Option<bool> {
    let is_ours = |path: &str| path.trim_start_matches("./").trim_end_matches('/') == stubs;
    match library {
        Value::Array(paths) => {
            if paths.iter().filter_map(Value::as_str).any(is_ours) {
                return Some(false);
            }
            paths.push(json!(stubs));
            Some(true)
        }
        // As old servers have it: a path and whether it counts.
        Value::Object(paths) => {
            if paths.keys().any(|path| is_ours(path)) {
                return Some(false);
            }
            paths.insert(stubs.to_owned(), json!(true));
            Some(true)
        }
        Value::Null => {
            *library = json!([stubs]);
            Some(true)
        }
        _ => None,
    }
}

/// Returns the space that the first member is set in by.
fn indent(text: &str) -> &str {
    let member = text.lines().find(|line| line.trim_start().starts_with('"'));
    let space = member.map_or("  ", |line| &line[..line.len() - line.trim_start().len()]);
    if space.is_empty() { "  " } else { space }
}

fn written(value: &Value, indent: &str) -> String {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // A value that was read is one that can be written, into memory that grows.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stubs_are_added_to_what_is_there() {
        let stubs = ".agentlua/types";
        for (before, after) in [
            ("{}", "{\n  \"workspace.library\": [\n    \".agentlua/types\"\n  ]\n}"),
            (
                "{\n\t\"z\": 1.50,\n\t\"workspace.library\": [\"lib\"],\n\t\"a\": {}\n}\n",
                "{\n\t\"z\": 1.5,\n\t\"workspace.library\": [\n\t\t\"lib\",\n\t\t\".agentlua/types\"\n\t],\n\t\"a\": {}\n}\n",
            ),
            (
                "{ \"workspace\": { \"library\": { \"lib\": true } } }",
                "{\n  \"workspace\": {\n    \"library\": {\n      \"lib\": true,\n      \".agentlua/types\": true\n    }\n  }\n}",
            ),
            (
                "{ \"workspace\": { \"ignoreDir\": [] } }",
                "{\n  \"workspace\": {\n    \"ignoreDir\": [],\n    \"library\": [\n      \".agentlua/types\"\n    ]\n  }\n}",
            ),
        ] {
            let Change::Added(text) = merged(Some(before), stubs) else { panic!("{before}") };
            assert_eq!(text, after);
            assert_eq!(merged(Some(&text), stubs), Change::Known, "{text}");
        }
        let Change::New(text) = merged(None, stubs) else { panic!("none is a new one") };
        assert_eq!(merged(Some(&text), stubs), Change::Known);
    }

    #[test]
    fn what_would_lose_something_is_left() {
        for text in ["", "[]", "{ // why\n}", "{ \"a\": 1, }", "{ \"workspace.library\": 3 }"] {
            assert_eq!(merged(Some(text), ".agentlua/types"), Change::ByHand, "{text}");
        }
    }
}
