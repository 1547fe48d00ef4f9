//! The command line: what was typed, as types; each verb in a file of its own.
//!
//! Only this layer prints. Data goes to standard output; progress, warnings and errors go to
//! standard error.

pub mod agents;
mod check;
mod choice;
mod completions;
mod detach;
pub mod diagnostic;
mod diff;
mod doctor;
pub mod gc;
mod init;
mod launch;
mod live;
mod logs;
pub mod look;
pub mod man;
mod merge;
pub mod output;
pub mod plan;
pub mod printer;
pub mod progress;
pub mod repl;
pub mod rm;
pub mod run;
mod runs;
mod screen;
mod script;
mod send;
pub mod session;
pub mod signals;
mod stop;
pub mod stream;
pub mod table;
pub mod terminal;
mod test;
mod watch;
mod width;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};
use serde::{Deserialize, Serialize};

use crate::config::{self, Format, Settings};
use crate::error::Error;
use crate::process::{GUARDIAN_ARG, guardian_main};

#[derive(Parser)]
#[command(
    name = "agentlua",
    bin_name = "agentlua",
    version,
    about = "Script fleets of coding agents in Lua, each in its own git worktree",
    after_help = "Without a command, on a terminal, it starts the REPL.\n\n\
                  Models: set ANTHROPIC_API_KEY or OPENAI_API_KEY, or pass --model FILE.lua.\n\n\
                  Exit codes: 0 ok, 1 a script or an agent failed, 2 usage, 3 budget,\n\
                  70 a fault of agentlua, 129 hangup, 130 interrupt, 143 terminate,\n\
                  141 closed output; a script's own by `os.exit(n)`.",
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a script
    Run(Run),
    /// Type Lua line by line, with the same globals
    Repl(Flags),
    /// List agents that are live or still have a worktree or a branch
    Agents(Agents),
    /// Show what an agent was asked, said and did, live with -f
    Logs(logs::Logs),
    /// Show what an agent has changed so far, committed or not
    Diff(diff::Diff),
    /// Merge the work of an agent that has ended
    Merge(merge::Merge),
    /// Tell an agent something while it works
    Send(Send),
    /// Stop an agent, or a run with all its agents; they keep their work
    Stop(Stop),
    /// Remove the worktree of an ended agent, and its branch if it is merged or empty
    Rm(Rm),
    /// List what was run here, and how it ended
    Runs(runs::Runs),
    /// Go on with a run that was cut off, interrupted or has failed
    Resume(Resume),
    /// Remove what ended agents left and is merged or empty, and say why for each
    Gc(Gc),
    /// Look for mistakes in scripts, without running them
    Check(check::Check),
    /// Run the `*_test.lua` files here, or those that are named
    Test(Test),
    /// Tell what this machine and this repository allow, and what is missing
    Doctor(doctor::Doctor),
    /// Set a project up: what editors know of agentlua, and a first script
    Init(init::Init),
    /// Print completions for a shell, or the man page
    Completions(completions::Completions),
}

#[derive(Args)]
#[command(override_usage = "agentlua run [OPTIONS] <SCRIPT> [ARG]...")]
struct Run {
    #[command(flatten)]
    flags: Flags,
    /// Leave the run in the background, and print its id
    #[arg(long)]
    detach: bool,
    /// Go on with a run of the script, or with its last one that is not finished
    #[arg(long, value_name = "RUN", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "")]
    resume: Option<String>,
    /// The script, or `-` for standard input, and what it finds in `arg[1]`, `arg[2]`…: all that follows
    /// is the script's, options too
    #[arg(required = true, trailing_var_arg = true, value_name = "SCRIPT")]
    #[arg(value_hint = ValueHint::FilePath)]
    script: Vec<OsString>,
}

#[derive(Args)]
#[command(
    after_help = "The script is run again, in the folder and with the arguments and flags of then.\n\
                  What its agents have done is not done again: finished ones answer at once, and\n\
                  those that were cut off or have failed go on where they were. The script may\n\
                  have been changed meanwhile."
)]
struct Resume {
    /// The run's id, or the start of it [default: the last one here that is not finished]
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    run: Option<String>,
    #[command(flatten)]
    flags: Flags,
    /// Leave the run in the background, and print its id
    #[arg(long)]
    detach: bool,
}

#[derive(Args)]
struct Send {
    /// The agent's id, or the start of it
    id: String,
    /// What it is told; `-` reads it from standard input
    #[arg(allow_hyphen_values = true)]
    text: String,
    /// Repository of the agent [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    repo: Option<PathBuf>,
}

#[derive(Args)]
struct Stop {
    /// The id of the agent or of the run, or the start of it
    id: String,
    /// Repository of the agent or run [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    repo: Option<PathBuf>,
}

/// Flags of `run`; each is a variable `AGENTLUA_…`, a key of `agentlua.toml` and an option of
/// `agent.config` too.
#[derive(Args, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
struct Flags {
    /// Model of agents that name none of their own
    #[arg(long, value_name = "NAME|FILE.lua", value_hint = ValueHint::FilePath)]
    model: Option<String>,
    /// Agents at work at once, others wait [default: 4]
    #[arg(long, value_name = "N")]
    concurrency: Option<usize>,
    /// Model round trips of each agent [default: 20]
    #[arg(long, value_name = "N")]
    max_turns: Option<u32>,
    /// Money for the run, in USD [default: no limit]
    #[arg(long, value_name = "X")]
    max_budget_usd: Option<f64>,
    /// Time for each agent [default: no limit]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Fail the run when a tool call was denied
    #[arg(long)]
    strict: bool,
    /// Show warnings and failures, not progress
    #[arg(long)]
    quiet: bool,
    /// Repository to work on [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    repo: Option<PathBuf>,
    /// What standard output holds: text, json or stream-json [default: text]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    #[arg(value_parser = choice::Choice(&["text", "json", "stream-json"]))]
    output_format: Option<String>,
    /// Keep what models are asked and answer in a file, without keys and secrets
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Answer from such a file, in the place of every model: no key, no network. The order in which
    /// parallel agents end is not kept, and functions of agent.once run again
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// With --replay: use the recorded results of commands and of custom tools, and do not run them
    #[arg(long)]
    replay_tools: bool,
    /// Ask no model and change nothing: print the agents that would start, and what they may cost
    #[arg(long)]
    dry_run: bool,
}

impl Flags {
    /// Takes from `below`, flags that were typed earlier, what `self` does not say.
    fn over(self, below: Self) -> Self {
        Self {
            model: self.model.or(below.model),
            concurrency: self.concurrency.or(below.concurrency),
            max_turns: self.max_turns.or(below.max_turns),
            max_budget_usd: self.max_budget_usd.or(below.max_budget_usd),
            timeout: self.timeout.or(below.timeout),
            strict: self.strict || below.strict,
            quiet: self.quiet || below.quiet,
            repo: self.repo.or(below.repo),
            output_format: self.output_format.or(below.output_format),
            // A recording of what is left would replace that of the whole.
            record: self.record,
            replay: self.replay.or(below.replay),
            replay_tools: self.replay_tools || below.replay_tools,
            dry_run: self.dry_run,
        }
    }

    /// Lets relative paths stand for what they name from `here`, wherever they are used.
    fn anchored(mut self, here: &Path) -> Self {
        let files = self.model.take_if(|model| config::is_lua_file(model));
        self.model = files.map(|file| here.join(file).display().to_string()).or(self.model);
        for file in [&mut self.repo, &mut self.record, &mut self.replay].into_iter().flatten() {
            *file = here.join(&*file);
        }
        self
    }

    /// Returns what was typed, for the journal.
    fn recorded(&self) -> serde_json::Value {
        let mut flags = serde_json::to_value(self).unwrap_or_default();
        if let Some(flags) = flags.as_object_mut() {
            flags.retain(|_, value| !value.is_null() && value != false);
        }
        flags
    }

    /// Returns what was typed as settings.
    fn settings(&self) -> Result<Settings, Error> {
        let format = |word: &str| {
            Format::parse(word).ok_or_else(|| {
                let why = "`--output-format` must be text, json or stream-json";
                Error::usage(format!("{why}, not `{word}`"))
            })
        };
        Ok(Settings {
            model: self.model.clone(),
            concurrency: self.concurrency,
            max_turns: self.max_turns,
            max_budget_usd: self.max_budget_usd,
            timeout: self.timeout,
            strict: self.strict.then_some(true),
            quiet: self.quiet.then_some(true),
            output_format: self.output_format.as_deref().map(format).transpose()?,
            repo: self.repo.clone(),
            record: self.record.clone(),
            replay: self.replay.clone(),
            replay_tools: self.replay_tools.then_some(true),
            dry_run: self.dry_run.then_some(true),
            ..Settings::default()
        })
    }
}

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
struct Agents {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// List every agent that there ever was
    #[arg(long)]
    all: bool,
    /// Add run, label, turns, tokens and worktree
    #[arg(long)]
    wide: bool,
    /// Go on, and show every change; ends with Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Repository whose agents to list [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    repo: Option<PathBuf>,
}

#[derive(Args)]
#[command(
    after_help = "What was made for an agent, worktree and branch, goes when the branch is empty,\n\
                  merged, or found in another branch as equal or squashed commits. Of an agent\n\
                  that worked on a branch of yours the worktree goes, when the branch has all of\n\
                  it. Files that git ignores are not work: they go with the worktree."
)]
struct Gc {
    /// Change nothing, only say what would go and why
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Repository to look at [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    repo: Option<PathBuf>,
}

#[derive(Args)]
struct Rm {
    /// The agent's id, or the start of it
    id: String,
    #[arg(
        long,
        help = "Remove unmerged and uncommitted work too: it is kept under
\
                refs/agentlua/removed/ID/. A repository inside it, which no ref
\
                can keep, stays"
    )]
    force: bool,
    /// Repository of the agent [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    repo: Option<PathBuf>,
}

#[derive(Args)]
#[command(
    after_help = "Each file runs in a process of its own, with a home and settings of its own\n\
                  and without keys. Folders are searched for *_test.lua, save for what git\n\
                  ignores. A file without cases passes when it ends without an error.\n\n\
                  Exit codes: 0 all passed, 1 failures, 2 nothing to run."
)]
struct Test {
    /// Test files, and folders to search [default: the current folder]
    #[arg(value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Run only cases whose name has this in it
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Files at work at once [default: one for each processor]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Stop at the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Time for each file
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    timeout: f64,
}

/// Runs the command line and returns the exit code.
pub fn main() -> i32 {
    // The guardian is started before anything else is set up: it must be small and quick.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == GUARDIAN_ARG) {
        return guardian_main();
    }
    let (typed, background) = match detach::Background::of(std::env::args_os()) {
        Ok(settled) => settled,
        Err(error) => {
            diagnostic::print(&error);
            return error.kind.exit_code();
        }
    };
    let cli = match Cli::try_parse_from(typed) {
        Ok(cli) => cli,
        Err(fault) => {
            if !fault.use_stderr() {
                let _ = fault.print();
                return fault.exit_code();
            }
            let error = diagnostic::mistyped(&fault);
            diagnostic::print(&error);
            refused(&error);
            return error.kind.exit_code();
        }
    };
    match dispatch(cli, background.as_ref()) {
        Ok(code) => code,
        Err(error) => {
            diagnostic::print(&error);
            error.kind.exit_code()
        }
    }
}

/// Tells the program that waits for the end of a run that there will be none.
fn refused(error: &Error) {
    let typed: Vec<OsString> = std::env::args_os().skip(1).collect();
    if typed.first().is_some_and(|verb| verb == "run" || verb == "resume") {
        let variable = std::env::var("AGENTLUA_OUTPUT_FORMAT").ok();
        output::refuse(&typed, variable.as_deref(), error);
    }
}

fn dispatch(cli: Cli, background: Option<&detach::Background>) -> Result<i32, Error> {
    let Some(verb) = cli.verb else {
        if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
            return repl::main(&Flags::default());
        }
        let _ = Cli::command().print_help();
        return Ok(2);
    };
    match verb {
        Verb::Run(run) => run::main(&run.asked(background)),
        Verb::Repl(flags) => repl::main(&flags),
        Verb::Agents(agents) => agents::main(&agents),
        Verb::Logs(logs) => logs::main(&logs),
        Verb::Diff(diff) => diff::main(&diff),
        Verb::Merge(merge) => merge::main(&merge),
        Verb::Send(send) => send::main(&send),
        Verb::Stop(stop) => stop::main(&stop),
        Verb::Rm(rm) => rm::main(&rm),
        Verb::Runs(runs) => runs::main(&runs),
        Verb::Resume(resume) => run::main(&resume.asked(background)),
        Verb::Gc(gc) => gc::main(&gc),
        Verb::Check(check) => check::main(&check),
        Verb::Test(test) => test::main(&test),
        Verb::Doctor(doctor) => doctor::main(&doctor),
        Verb::Init(init) => init::main(&init),
        Verb::Completions(completions) => completions::main(&completions),
    }
}
