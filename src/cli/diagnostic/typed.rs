//! Command lines that cannot be understood, in our words: clap's reasons as errors of ours.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::Error;

/// Returns what is wrong with a command line.
pub fn mistyped(fault: &clap::Error) -> Error {
    let texts = |kind| texts(fault, kind);
    let first = |kind| texts(kind).into_iter().next().unwrap_or_default();
    let argument = first(ContextKind::InvalidArg);
    let verb = verb(fault);
    let error = Error::usage(match fault.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            format!("`{verb}` has no option `{argument}`")
        }
        ErrorKind::UnknownArgument => format!("`{verb}` takes no argument `{argument}`"),
        ErrorKind::TooManyValues => format!("`{}` takes no value", flag(&argument)),
        ErrorKind::InvalidSubcommand => {
            format!("agentlua has no command `{}`", first(ContextKind::InvalidSubcommand))
        }
        ErrorKind::MissingRequiredArgument => {
            let names: Vec<_> = texts(ContextKind::InvalidArg)
                .iter()
                .map(|name| format!("`{}`", bare(name)))
                .collect();
            format!("`{verb}` needs {}", names.join(" and "))
        }
        ErrorKind::ArgumentConflict if texts(ContextKind::PriorArg).contains(&argument) => {
            format!("`{}` is given twice", flag(&argument))
        }
        ErrorKind::ArgumentConflict => {
            format!(
                "`{}` cannot go with `{}`",
                flag(&argument),
                flag(&first(ContextKind::PriorArg))
            )
        }
        ErrorKind::InvalidValue if first(ContextKind::InvalidValue).is_empty() => {
            format!("`{}` needs a value: `{argument}`", flag(&argument))
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = first(ContextKind::InvalidValue);
            format!("`{}` cannot be `{value}`{}", bare(flag(&argument)), reason(fault))
        }
        _ => said(fault),
    });
    error.hint(hint(fault, &verb))
}

/// Returns the next thing to type.
fn hint(fault: &clap::Error, verb: &str) -> String {
    let first = |kind| texts(fault, kind).into_iter().next();
    let near = first(ContextKind::SuggestedSubcommand)
        .map(|name| format!("agentlua {name}"))
        .or_else(|| first(ContextKind::SuggestedArg).map(|name| flag(&name).to_owned()))
        .or_else(|| first(ContextKind::SuggestedValue));
    let allowed = texts(fault, ContextKind::ValidValue);
    let is_missing = fault.kind() == ErrorKind::MissingRequiredArgument;
    match (near, usage(fault)) {
        (near, _) if !allowed.is_empty() => {
            let allowed: Vec<_> = allowed.iter().map(|value| format!("`{value}`")).collect();
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            format!("{near}it is one of {}", allowed.join(", "))
        }
        (Some(near), _) => format!("did you mean `{near}`?"),
        _ if fault.kind() == ErrorKind::InvalidSubcommand => {
            match first(ContextKind::InvalidSubcommand) {
                Some(file) if crate::config::is_lua_file(&file) => format!("agentlua run {file}"),
                _ => "`agentlua --help` lists the commands; a script runs with `agentlua run`"
                    .to_owned(),
            }
        }
        (None, Some(usage)) if is_missing => usage,
        _ => format!("`{verb} --help` lists what there is"),
    }
}

/// Returns the texts that clap knows about one side of the mistake.
fn texts(fault: &clap::Error, kind: ContextKind) -> Vec<String> {
    match fault.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
        Some(ContextValue::Number(number)) => vec![number.to_string()],
        _ => Vec::new(),
    }
}

/// Returns how the command is typed.
fn usage(fault: &clap::Error) -> Option<String> {
    let text = texts(fault, ContextKind::Usage).into_iter().next()?;
    let line = text.lines().next()?.trim_start_matches("Usage:").trim();
    Some(
        line.replace(['<', '>'], "")
            .replace("[OPTIONS] ", "")
            .replace("[ARG]...", "[ARG…]")
            .replace("...", "…"),
    )
}

/// Returns the command that was typed: `agentlua run`.
fn verb(fault: &clap::Error) -> String {
    let is_word = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    let usage = usage(fault).unwrap_or_default();
    let words: Vec<_> = usage.split(' ').take_while(is_word).collect();
    if words.len() > 1 {
        return words.join(" ");
    }
    // Of a wrong value clap does not say where it stood.
    match std::env::args().nth(1).filter(|word| is_word(&word.as_str())) {
        Some(verb) if fault.kind() != ErrorKind::InvalidSubcommand => format!("agentlua {verb}"),
        _ => "agentlua".to_owned(),
    }
}

/// Returns an option without its value: `--model` of `--model <NAME>`.
fn flag(argument: &str) -> &str {
    argument.split([' ', '=']).next().unwrap_or(argument)
}

/// Returns a name without its brackets.
fn bare(argument: &str) -> String {
    argument.replace(['<', '>'], "").replace("...", "")
}

/// Returns why a value cannot be, as far as clap's reader said it in words for people.
fn reason(fault: &clap::Error) -> String {
    let Some(source) = std::error::Error::source(fault) else { return String::new() };
    match source.to_string().as_str() {
        "invalid digit found in string" | "invalid float literal" => ": it is a number".to_owned(),
        "cannot parse integer from empty string" | "cannot parse float from empty string" => {
            ": it is a number".to_owned()
        }
        other => format!(": {other}"),
    }
}

/// Returns the first line that clap has for it.
fn said(fault: &clap::Error) -> String {
    let text = fault.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).replace('\'', "`")
}
