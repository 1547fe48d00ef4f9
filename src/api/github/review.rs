//! `github.review`: a review with comments on lines.

use std::sync::Arc;

use mlua::prelude::*;

use super::Named;
use crate::api::result;
use crate::error::{Error, Result};
use crate::github::{Comment, Review, Verdict, Write};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Options, Shape, Task};

pub(in crate::api) const REVIEW: Shape = Shape {
    function: "github.review",
    known: &["body", "event", "comments", "repo"],

    instead: &[],
};

pub(in crate::api) const COMMENT: Shape = Shape {
    function: "github.review: comments",
    known: &["path", "line", "side", "start_line", "body"],

    instead: &[
        ("position", "use `line`, the number of the line in the file"),
        ("file", "use `path`"),
        ("start_side", "use `side`: it is of both lines"),
    ],
};

pub async fn review(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut named = Named::read(&mut args)?;
    let mut options = Options::read(&lua, &args.table("review")?, &REVIEW)?;
    let review = read(&lua, &mut options, named.commit.take())?;
    let call_path = Task::current()?.next_path("review");
    let repo = named.repo(&host, &mut options).await?;
    let write = Write::Review { repo, number: named.number, review };
    let done = host.write_github(call_path, write).await?;
    Ok(result::table(&lua, "review", &done)?)
}

fn read(lua: &Lua, options: &mut Options, commit: Option<String>) -> Returned<Review> {
    let body = options.string("body")?.unwrap_or_default();
    let verdict = match options.text("event")? {
        None => Verdict::Comment,
        Some(word) => Verdict::from_word(&word).ok_or_else(|| {
            let why = format!("must be `COMMENT`, `APPROVE` or `REQUEST_CHANGES`, not `{word}`");
            options.bad("event", why)
        })?,
    };
    let comments = match options.any("comments") {
        None => Vec::new(),
        Some(LuaValue::Table(list)) => {
            let items = list.sequence_values::<LuaValue>().collect::<LuaResult<Vec<_>>>()?;
            // With a gap or a name in it, some would be left out.
            if list.pairs::<LuaValue, LuaValue>().count() != items.len() {
                let why = "must be a list of tables: `{ { path = …, line = …, body = … } }`";
                return Err(options.bad("comments", why).into());
            }
            let read = |(index, item): (usize, LuaValue)| match item {
                LuaValue::Table(item) => Ok(comment(lua, &item, index + 1)?),
                other => Err(options.wrong("comments", "a list of tables", &other).into()),
            };
            items.into_iter().enumerate().map(read).collect::<Returned<Vec<Comment>>>()?
        }
        Some(other) => return Err(options.wrong("comments", "a list of tables", &other).into()),
    };
    if body.trim().is_empty()
        && (verdict == Verdict::RequestChanges || comments.is_empty())
        && verdict != Verdict::Approve
    {
        let why = format!("`github.review` with `{}` needs the option `body`", verdict.as_str());
        return Err(Error::usage(why).into());
    }
    Ok(Review { body, verdict, comments, commit })
}

fn comment(lua: &Lua, table: &LuaTable, number: usize) -> Result<Comment> {
    let at = |mut error: Error| {
        error.message =
            error.message.replace(COMMENT.function, &format!("{}[{number}]", COMMENT.function));
        error
    };
    let read = || {
        let mut options = Options::read(lua, table, &COMMENT)?;
        let (path, body) = (options.text("path")?, options.text("body")?);
        let line = options.integer("line", 1, i64::from(u32::MAX))?;
        let start_line = options.integer("start_line", 1, i64::from(u32::MAX))?;
        let before = match options.text("side")?.as_deref() {
            None | Some("RIGHT") => false,
            Some("LEFT") => true,
            Some(other) => {
                let why =
                    format!("must be `RIGHT`, as it is now, or `LEFT`, as it was, not `{other}`");
                return Err(options.bad("side", why));
            }
        };
        let line = options.required("line", line)?;
        if start_line.is_some_and(|start| start > line) {
            return Err(options.bad("start_line", "comes after `line`"));
        }
        Ok(Comment {
            path: options.required("path", path)?,
            line,
            start_line,
            before,
            body: options.required("body", body)?,
        })
    };
    read().map_err(at)
}
