//! `github.api`: whatever else the API has.

use std::sync::Arc;

use mlua::prelude::*;
use serde_json::{Map, Value};

use super::ask;
use crate::error::{Error, Result};
use crate::github::{Method, Question, Write};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Task, value};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

pub async fn api(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaValue> {
    let named = args.string("method")?;
    let known = METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(&named));
    let method = known.and_then(|method| method.parse::<Method>().ok()).ok_or_else(|| {
        let known = METHODS.join("`, `");
        Error::usage(format!(
            "`github.api`: argument 1 (`method`) must be one of `{known}`, not `{named}`"
        ))
    })?;
    let path = args.string("path")?;
    let body = match args.any() {
        LuaValue::Nil => None,
        table @ LuaValue::Table(_) => {
            Some(value::to_json(&lua, &table, "`github.api`: argument 3 (`body`)")?)
        }
        other => return Err(args.wrong("body", "a table", &other).into()),
    };
    let path = filled(&host, path).await?;
    if method != Method::GET {
        let call_path = Task::current()?.next_path("github");
        let done = host.write_github(call_path, Write::Api { method, path, body }).await?;
        return to_lua(&lua, &done);
    }
    let mut question = Question::at(method, &path);
    question.query.extend(parameters(body)?);
    let answer = ask(&host, |github| async move { github.look(question).await }).await?;
    to_lua(&lua, &answer)
}

/// Returns an answer; one without a body is nil.
fn to_lua(lua: &Lua, answer: &Value) -> Returned<LuaValue> {
    match answer {
        Value::Null => Ok(LuaValue::Nil),
        answer => Ok(value::to_lua(lua, answer)?),
    }
}

/// Puts the repository in the place of `{owner}/{repo}`.
async fn filled(host: &Arc<Host>, path: String) -> Result<String> {
    if path.contains("://")
        || !path
            .trim_start_matches('/')
            .starts_with(|c: char| c.is_ascii_alphanumeric() || c == '{')
    {
        let why = format!(
            "`github.api`: argument 2 (`path`) must be a path such as `/user`, not `{path}`"
        );
        return Err(Error::usage(why));
    }
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    if !path.contains("{owner}/{repo}") {
        return Ok(path);
    }
    let slug = host.github_repo().await?;
    Ok(path.replace("{owner}/{repo}", &slug.to_string()))
}

/// Reads what a GET has in the place of a body: parameters.
fn parameters(body: Option<Value>) -> Result<Vec<(String, String)>> {
    let members = match body {
        None => Map::new(),
        Some(Value::Object(members)) => members,
        Some(_) => {
            let why = "`github.api`: argument 3 of a GET must be a table of parameters by name";
            return Err(Error::usage(why));
        }
    };
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(number) => Ok((name, number.to_string())),
        Value::Bool(flag) => Ok((name, flag.to_string())),
        _ => Err(Error::usage(format!(
            "`github.api`: the parameter `{name}` of a GET must be a text or a number"
        ))),
    };
    members.into_iter().map(text).collect()
}
