//! The man page: the command line as clap knows it, and what it does not know: variables, files and
//! exit codes.

use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::Cli;
use crate::config::VARIABLES;

/// Variables that are no settings, and what each is for.
pub const OTHER_VARIABLES: [(&str, &str); 13] = [
    ("ANTHROPIC_API_KEY", "The key for models that begin with anthropic/."),
    ("OPENAI_API_KEY", "The key for models that begin with openai/."),
    ("ANTHROPIC_BASE_URL", "Another host for anthropic/, without /v1."),
    ("OPENAI_BASE_URL", "Another host for openai/, with /v1: any compatible server."),
    ("OLLAMA_HOST", "Where ollama/ is found, if not at 127.0.0.1:11434."),
    ("GITHUB_TOKEN", "The token of the github module."),
    ("GH_TOKEN", "The same, where GITHUB_TOKEN is not set."),
    ("GITHUB_API_URL", "Another host for it: https://HOST/api/v3 of an Enterprise server."),
    ("AGENTLUA_LOG", "debug shows what log.debug says."),
    ("NO_COLOR", "Anything but nothing leaves colours out."),
    ("XDG_STATE_HOME", "In place of ~/.local/state."),
    ("XDG_CONFIG_HOME", "In place of ~/.config."),
    ("PATH", "Where git, and the programs of scripts and agents, are looked for."),
];

/// Files, and what is in them.
pub const FILES: [(&str, &str); 8] = [
    ("~/.config/agentlua/config.toml", "Your settings, by the names of the flags."),
    (
        "agentlua.toml",
        "At the top of a repository: its defaults and lower limits. Never keys, hosts or commands.",
    ),
    (
        ".git/agentlua/",
        "The journal of a repository's agents and runs, and the locks of live ones.",
    ),
    ("~/.local/state/agentlua/worktrees/", "The worktrees of agents."),
    ("~/.local/state/agentlua/repl_history", "What was typed in the REPL."),
    ("~/.local/state/agentlua/runs/", "The journal of runs outside every repository."),
    (".worktreeinclude", "Which files that git ignores a new worktree gets, as in .gitignore."),
    ("AGENTS.md, CLAUDE.md", "What agents are told of a repository, if it is there."),
];

/// Options that a verb shares with `run` before they are those of `run`.
const MANY: usize = 5;

/// Exit codes, and what each says.
pub const EXITS: [(&str, &str); 8] = [
    ("0", "All went well."),
    ("1", "The script or an agent failed."),
    ("2", "Usage: a flag, a setting or an option that there is not, or a script with a mistake."),
    ("3", "The money is spent, or the turns."),
    ("70", "A fault of agentlua."),
    ("129, 130, 143", "A hangup, an interrupt or a terminate signal ended it, in order."),
    ("141", "Nobody reads the output any more."),
    ("others", "What the script gave to os.exit."),
];

/// Writes the page `agentlua(1)`.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(out: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Cli::command().term_width(80);
    command.build();
    let man = Man::new(command.clone()).manual("agentlua");
    man.render_title(out)?;
    man.render_name_section(out)?;
    let mut head = Roff::new();
    head.control("SH", ["SYNOPSIS"]);
    for line in ["", "run SCRIPT [ARG]...", "COMMAND [OPTION]... [ARG]..."] {
        head.text([bold("agentlua"), roman(" "), roman(line)]).control("br", []);
    }
    head.control("SH", ["DESCRIPTION"]);
    prose(
        &mut head,
        "agentlua runs Lua scripts that command coding agents. Each agent works in a git worktree \
         of its own, on a branch of its own; the results are branches, to look at, verify and \
         merge.\n\nWithout a command, on a terminal, it starts the REPL.",
    );
    head.control("SH", ["COMMANDS"]);
    head.to_writer(out)?;
    let run = command.find_subcommand("run").into_iter().flat_map(Command::get_arguments);
    let run: Vec<&str> = run.filter_map(Arg::get_long).collect();
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        if sub.get_name() != "help" {
            section(sub, &run, out)?;
        }
    }
    let mut tail = Roff::new();
    tail.control("SH", ["ENVIRONMENT"]);
    prose(
        &mut tail,
        "A flag is before a variable, a variable before the repository's file, and that before \
         yours; agent.config in a script counts as a flag.",
    );
    for (name, key) in VARIABLES {
        let flag = key.replace('_', "-");
        let meaning = if run.contains(&&*flag) {
            format!("As --{flag} of run.")
        } else {
            format!("As {key} in config.toml.")
        };
        entry(&mut tail, &[bold(name)], &meaning);
    }
    for (heading, entries) in
        [("", &OTHER_VARIABLES[..]), ("FILES", &FILES[..]), ("EXIT STATUS", &EXITS[..])]
    {
        if !heading.is_empty() {
            tail.control("SH", [heading]);
        }
        for (name, meaning) in entries {
            let name = if heading == "FILES" { italic(*name) } else { bold(*name) };
            entry(&mut tail, &[name], meaning);
        }
    }
    tail.control("SH", ["SEE ALSO"]);
    tail.text([bold("git"), roman("(1), "), bold("git-worktree"), roman("(1), "), bold("lua")]);
    tail.to_writer(out)
}

/// Writes what a verb takes; options that it shares with `run` are told there.
fn section(sub: &Command, run: &[&str], out: &mut Vec<u8>) -> io::Result<()> {
    let usage = sub.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let is_told = |arg: &Arg| arg.get_long().is_some_and(|long| run.contains(&long));
    let told = sub.get_arguments().filter(|arg| is_told(arg)).count();
    let takes_all = sub.get_name() != "run" && told > MANY;
    let sub = sub.clone().mut_args(|arg| {
        let hide = arg.get_id() == "help" || (takes_all && is_told(&arg));
        arg.hide(hide)
    });
    let mut head = Roff::new();
    head.control("SS", [usage.as_str()]);
    let also = if takes_all { " Takes the options of run, and:" } else { "" };
    let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
    prose(&mut head, &format!("{about}.{also}"));
    head.to_writer(out)?;
    let mut options = Vec::new();
    // The section of a page of its own, without its heading.
    Man::new(sub.clone()).render_options_section(&mut options)?;
    let options = String::from_utf8_lossy(&options);
    for line in options.lines().filter(|line| *line != ".SH OPTIONS") {
        writeln!(out, "{line}")?;
    }
    if let Some(after) = sub.get_after_help() {
        let mut tail = Roff::new();
        tail.control("PP", []);
        prose(&mut tail, &after.to_string());
        tail.to_writer(out)?;
    }
    Ok(())
}

/// Writes paragraphs; lines that are indented stay lines.
fn prose(roff: &mut Roff, text: &str) {
    for line in text.lines() {
        if line.is_empty() {
            roff.control("PP", []);
            continue;
        }
        if line.starts_with(' ') {
            roff.control("br", []);
        }
        roff.text([roman(line)]);
    }
}

fn entry(roff: &mut Roff, term: &[Inline], meaning: &str) {
    roff.control("TP", []).text(term).text([roman(meaning)]);
}
