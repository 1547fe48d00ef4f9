//! What happened, as a line: of the objects that the journal has.

use serde_json::Value;

use super::text::plain;
use crate::agent::budget::usd;
use crate::cli::progress::{duration, files, thousands};
use crate::cli::terminal::Styles;
use crate::event::Usage;

/// Returns an event as a line of text without the agent; nothing for what is shown otherwise.
pub(super) fn line(object: &Value, style: &Styles) -> Option<String> {
    let Styles { red, yellow, green, bold, dim, reset } = style;
    let text = |name: &str| plain(&word(object, name).replace('\n', " "));
    let count = |name: &str| object.get(name).and_then(Value::as_u64).unwrap_or_default();
    if word(object, "type") == "result" {
        return Some(end(object, style));
    }
    Some(match word(object, "subtype") {
        "permission_denied" => {
            format!("{yellow}denied{reset} {}: {}", text("tool_name"), text("message"))
        }
        "api_retry" => format!(
            "{yellow}retry {}{reset} in {}: {}",
            count("attempt"),
            duration(count("retry_delay_ms")),
            text("message")
        ),
        "model_changed" => format!(
            "{yellow}{} cannot answer{reset}: {}; {} is asked from now on",
            text("from"),
            text("message"),
            text("to")
        ),
        "compact_boundary" => {
            let tokens = |name: &str| {
                let count = object.pointer(&format!("/compact_metadata/{name}"));
                thousands(count.and_then(Value::as_u64).unwrap_or_default())
            };
            let (before, after) = (tokens("pre_tokens"), tokens("post_tokens"));
            format!("{dim}summed up{reset}: {before} tokens became {after}")
        }
        "verified" => {
            let (took, message) = (duration(count("duration_ms")), text("message"));
            match (count("attempt"), object.get("ok").and_then(Value::as_bool)) {
                (0, Some(true)) => return None,
                (_, Some(true)) => format!("{green}verified{reset} in {took}"),
                (0, _) => format!("before it began: {message}"),
                _ => format!("{yellow}not verified{reset}: {message}"),
            }
        }
        "phase" => format!("{bold}{}{reset}", text("name")),
        "worktree_removed" => "nothing changed; its worktree is removed".to_owned(),
        "merged" => match word(object, "status") {
            "up_to_date" => format!("{}: {} has it already", text("branch"), text("into")),
            _ => format!("{}: {green}merged{reset} into {}", text("branch"), text("into")),
        },
        "message" => match word(object, "level") {
            "debug" => return None,
            "warn" => format!("{yellow}warning{reset}: {}", text("text")),
            "error" => format!("{red}error{reset}: {}", text("text")),
            _ => text("text"),
        },
        "gap" => format!("{dim}{} events before are not kept{reset}", count("missed")),
        _ => return None,
    })
}

/// Returns how an agent ended.
fn end(object: &Value, style: &Styles) -> String {
    let Styles { red, yellow, green, reset, .. } = style;
    let number = |name: &str| object.get(name).and_then(Value::as_u64).unwrap_or_default();
    let changed = object.get("files_changed").and_then(Value::as_array).map_or(0, Vec::len);
    let usage = object.get("usage").and_then(|usage| serde_json::from_value(usage.clone()).ok());
    let cost = object.get("total_cost_usd").and_then(Value::as_f64);
    let spent = match number("num_turns") {
        0 => String::new(),
        turns => {
            let took = duration(number("duration_ms"));
            format!("{}, {took}", spent(turns, usage.unwrap_or_default(), cost))
        }
    };
    match word(object, "subtype") {
        "success" => format!("{green}done{reset}, {}{spent}", files(changed)),
        "error_cancelled" => format!("{yellow}cancelled{reset}{spent}"),
        subtype => {
            let why = object.pointer("/errors/0").and_then(Value::as_str).unwrap_or(subtype);
            format!("{red}failed{reset}: {}{spent}", plain(&why.replace('\n', " ")))
        }
    }
}

/// Returns turns, tokens and money, each with a comma before it.
pub(super) fn spent(turns: u64, usage: Usage, cost: Option<f64>) -> String {
    let turns = if turns == 1 { "1 turn".to_owned() } else { format!("{turns} turns") };
    let (input, output) = (thousands(usage.total_input()), thousands(usage.output_tokens));
    let is_known = usage != Usage::default();
    let tokens =
        if is_known { format!(", {input} tokens in, {output} out") } else { String::new() };
    let cost = cost.filter(|cost| *cost > 0.0).map(|cost| format!(", {}", usd(cost)));
    format!(", {turns}{tokens}{}", cost.unwrap_or_default())
}

/// Returns a field of an object that is a word.
pub(super) fn word<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}
