//! What starts with a colon: words to the REPL itself, which Lua never sees.

use crate::error::{Error, Result};
use crate::manual::{Entry, Manual};
use crate::suggest::nearest;

/// A word to the REPL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Tells what there is, or what something is.
    Help(Option<String>),
    /// Lists agents, as `agentlua agents` does.
    Agents { all: bool, wide: bool },
    /// Leaves.
    Quit,
}

/// Each command with what follows it and what it does.
pub(super) const COMMANDS: [(&str, &str, &str); 3] = [
    (":help", "[NAME]", "what there is, or what `agent.query`, `git.merge`, a handle… is"),
    (":agents", "[--all] [--wide]", "the agents of this repository, those of other processes too"),
    (":quit", "", "leaves; agents that still work are stopped and keep what they did"),
];

/// Reads a line; nothing for one that is Lua, as `::label::` is.
pub(super) fn parse(line: &str) -> Option<Result<Command>> {
    let line = line.trim();
    if !line.starts_with(':') || line.starts_with("::") {
        return None;
    }
    let mut words = line.split_whitespace();
    let (word, rest) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
    Some(read(word, &rest))
}

fn read(word: &str, rest: &[&str]) -> Result<Command> {
    let names = COMMANDS.map(|(name, ..)| name);
    let known = match word {
        ":exit" => ":quit",
        ":?" => ":help",
        // Any start of a name will do: `:q`.
        _ => names.into_iter().find(|name| word.len() > 1 && name.starts_with(word)).ok_or_else(
            || {
                let near = nearest(word, names);
                let hint = near.map_or("`:help` lists what there is".to_owned(), |near| {
                    format!("did you mean `{near}`?")
                });
                Error::usage(format!("there is no command `{word}`")).hint(hint)
            },
        )?,
    };
    match (known, rest) {
        (":help", []) => Ok(Command::Help(None)),
        (":help", [name]) => Ok(Command::Help(Some((*name).to_owned()))),
        (":agents", flags) => {
            let mut command = (false, false);
            for flag in flags {
                match *flag {
                    "--all" => command.0 = true,
                    "--wide" => command.1 = true,
                    other => {
                        return Err(Error::usage(format!("`:agents` has no `{other}`"))
                            .hint(":agents [--all] [--wide]"));
                    }
                }
            }
            Ok(Command::Agents { all: command.0, wide: command.1 })
        }
        (":quit", []) => Ok(Command::Quit),
        (name, _) => {
            let form = COMMANDS.iter().find(|(known, ..)| *known == name);
            let form = form.map(|(name, rest, _)| format!("{name} {rest}").trim().to_owned());
            Err(Error::usage(format!("`{name}` takes less")).hint(form.unwrap_or_default()))
        }
    }
}

/// Returns what may follow `text`, if it is the start of a command: where that starts, and the words.
pub(super) fn completions(manual: &Manual, text: &str) -> Option<(usize, Vec<String>)> {
    let line = text.trim_start();
    if !line.starts_with(':') || line.starts_with("::") {
        return None;
    }
    let start = text.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let typed = &text[start..];
    let command = line.split_whitespace().next().unwrap_or_default();
    let words: Vec<String> = if typed.starts_with(':') && command == typed {
        COMMANDS.iter().map(|(name, ..)| (*name).to_owned()).collect()
    } else if ":agents".starts_with(command) {
        vec!["--all".to_owned(), "--wide".to_owned()]
    } else if ":help".starts_with(command) {
        names(manual)
    } else {
        Vec::new()
    };
    let mut words: Vec<String> = words.into_iter().filter(|word| word.starts_with(typed)).collect();
    words.sort();
    Some((start, words))
}

/// Returns the names that `:help` knows.
pub(super) fn names(manual: &Manual) -> Vec<String> {
    let modules = manual.pages.iter().filter(|page| manual.module(page.name).is_some());
    let mut names: Vec<String> = modules.map(|page| page.name.to_owned()).collect();
    names.extend(manual.entries().filter_map(|entry| match entry {
        Entry::Function(function) => Some(function.name.clone()),
        Entry::Class(class) if class.name.ends_with("lib") => None,
        Entry::Class(class) => Some(class.name.clone()),
        Entry::Alias(alias) => Some(alias.name.clone()),
    }));
    names
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_and_lua_is_not() {
        assert!(parse("x = 1").is_none() && parse("::label::").is_none());
        assert_eq!(parse(" :q ").unwrap().unwrap(), Command::Quit);
        assert_eq!(parse(":exit").unwrap().unwrap(), Command::Quit);
        let help = Command::Help(Some("git.merge".to_owned()));
        assert_eq!(parse(":h git.merge").unwrap().unwrap(), help);
        let agents = Command::Agents { all: true, wide: false };
        assert_eq!(parse(":agents --all").unwrap().unwrap(), agents);
        let error = parse(":agnets").unwrap().unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `:agents`?"));
        let error = parse(":quit now").unwrap().unwrap_err();
        assert_eq!(error.to_string(), "`:quit` takes less");
        assert!(parse(":").unwrap().is_err() && parse(":agents --wied").unwrap().is_err());
    }
}
