//! `agent.config`: run-wide defaults, by the flags' names.

use std::path::PathBuf;
use std::sync::Arc;

use mlua::prelude::*;
use serde_json::json;

use super::query::Models;
use super::query::money::amount;
use super::{model, result, site};
use crate::config::{Format, Included, Prices, Settings};
use crate::error::Error;
use crate::host::Host;
use crate::vm::{Options, Raised, Shape};

pub(super) const SHAPE: Shape = Shape {
    function: "agent.config",
    known: &[
        "model",
        "concurrency",
        "max_turns",
        "max_budget_usd",
        "prices",
        "timeout",
        "idle_timeout",
        "max_output_tokens",
        "strict",
        "quiet",
        "output_format",
        "repo",
        "worktree_root",
        "record",
        "replay",
        "replay_tools",
        "worktree",
    ],

    instead: &[
        ("permission_mode", "use `read_only` and rules of the query"),
        ("cwd", "use `repo`, or `cwd` of the query"),
        ("dry_run", "it belongs on the command line: agentlua run --dry-run"),
        ("detach", "it belongs on the command line: `agentlua run --detach SCRIPT`"),
        ("resume", "it belongs on the command line: `agentlua resume RUN`"),
    ],
};

/// Applies what a script sets.
pub fn apply(lua: &Lua, host: &Arc<Host>, models: &Models, table: &LuaTable) -> Result<(), Raised> {
    let mut options = Options::read(lua, table, &SHAPE)?;
    let written = match options.any("model") {
        Some(value) => match model::written(&value) {
            Some(written) => (None, Some(written)),
            None => match value {
                LuaValue::String(name) => (Some(name.to_string_lossy()), None),
                other => {
                    return Err(options
                        .wrong("model", "a name or an `agent.model`", &other)
                        .into());
                }
            },
        },
        None => (None, None),
    };
    if let Some(name) = &written.0 {
        host.model(name)?;
    }
    let integer = |value: Option<i64>| value.and_then(|value| usize::try_from(value).ok());
    let settings = Settings {
        model: written.0,
        concurrency: integer(options.integer("concurrency", 1, 10_000)?),
        max_turns: options.integer("max_turns", 1, 1_000_000)?.and_then(|n| u32::try_from(n).ok()),
        max_budget_usd: amount(&mut options, "max_budget_usd")?,
        prices: prices(&mut options)?,
        timeout: options.seconds("timeout")?.map(|duration| duration.as_secs_f64()),
        idle_timeout: options.seconds("idle_timeout")?.map(|duration| duration.as_secs_f64()),
        max_output_tokens: options
            .integer("max_output_tokens", 1, i64::from(u32::MAX))?
            .and_then(|n| u32::try_from(n).ok()),
        strict: options.flag("strict")?,
        quiet: options.flag("quiet")?,
        output_format: match options.string("output_format")? {
            None => None,
            Some(word) => Some(Format::parse(&word).ok_or_else(|| {
                let why = format_args!("must be `text`, `json` or `stream-json`, not `{word}`");
                options.bad("output_format", why)
            })?),
        },
        repo: options.text("repo")?.map(PathBuf::from),
        worktree_root: options.text("worktree_root")?.map(PathBuf::from),
        record: options.text("record")?.map(PathBuf::from),
        replay: options.text("replay")?.map(PathBuf::from),
        replay_tools: options.flag("replay_tools")?,
        worktree: match options.any("worktree") {
            None => None,
            Some(LuaValue::Table(table)) => Some(site::defaults(lua, &table)?),
            Some(other) => return Err(options.wrong("worktree", "a table", &other).into()),
        },
        ..Settings::default()
    };
    host.set_script_settings(settings)?;
    // A model that was typed (`--model`) stands above what a script says.
    if let Some(model) = written.1
        && !models.borrow().as_ref().is_some_and(|default| default.typed)
    {
        *models.borrow_mut() = Some(super::query::DefaultModel { model, typed: false });
    }
    Ok(())
}

/// Reads `prices`: a table of what models cost, by their names.
fn prices(options: &mut Options) -> Result<Option<Prices>, Error> {
    let Some(value) = options.json("prices")? else { return Ok(None) };
    // An empty table may be a list as well.
    let value = if value.as_array().is_some_and(Vec::is_empty) { json!({}) } else { value };
    if !value.is_object() {
        return Err(options.bad("prices", "must be a table of prices by the names of models"));
    }
    serde_path_to_error::deserialize(value).map(Some).map_err(|fault| {
        options
            .bad("prices", format_args!("is wrong at `{}`: {}", fault.path(), fault.inner()))
            .hint("prices = { [\"openai/x\"] = { input = 3, output = 15 } }, in USD for a million tokens")
    })
}

/// Returns the settings as they are.
pub fn current(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let config = host.config();
    let seconds = |duration: std::time::Duration| duration.as_secs_f64();
    result::table(
        lua,
        "config",
        &json!({
            "model": config.model,
            "concurrency": config.concurrency,
            "max_turns": config.max_turns,
            "max_budget_usd": config.max_budget_usd,
            "prices": config.prices,
            "timeout": config.timeout.map(seconds),
            "idle_timeout": seconds(config.idle_timeout),
            "max_output_tokens": config.max_output_tokens,
            "strict": config.strict,
            "quiet": config.quiet,
            "output_format": config.output_format.as_str(),
            "dry_run": config.dry_run,
            "repo": config.repo.as_ref().map(|path| path.display().to_string()),
            "worktree_root": config.worktree_root.as_ref().map(|path| path.display().to_string()),
            "record": config.record.as_ref().map(|path| path.display().to_string()),
            "replay": config.replay.as_ref().map(|path| path.display().to_string()),
            "replay_tools": config.replay_tools,
            "worktree": {
                "setup": config.worktree.setup,
                "include": config.worktree.include.as_ref().map(|include| match include {
                    Included::File(flag) => json!(flag),
                    Included::Patterns(patterns) => json!(patterns),
                }),
            },
        }),
    )
}
