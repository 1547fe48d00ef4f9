//! `agentlua completions SHELL`: what a shell needs to complete our command line, or the man page.
//!
//! Both are made from the command line as it is, so they never tell of another.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::terminal::Stdout;
use super::{Cli, man};
use crate::error::{Kind, Result, ResultExt};

#[derive(Args)]
#[command(after_help = "Where it goes, for you alone:\n\n  \
    bash:\n    \
      echo 'source <(agentlua completions bash)' >> ~/.bashrc\n  \
    zsh, with `fpath+=~/.zfunc` before `compinit` in ~/.zshrc:\n    \
      agentlua completions zsh > ~/.zfunc/_agentlua\n  \
    fish:\n    \
      agentlua completions fish > ~/.config/fish/completions/agentlua.fish\n  \
    elvish:\n    \
      agentlua completions elvish >> ~/.config/elvish/rc.elv\n  \
    powershell:\n    \
      agentlua completions powershell >> $PROFILE\n  \
    man agentlua:\n    \
      agentlua completions man > ~/.local/share/man/man1/agentlua.1\n\n\
    The folder has to be there. A new shell knows them.")]
pub(super) struct Completions {
    /// The shell, or `man` for the manual page
    #[arg(value_name = "SHELL")]
    target: Target,
}

/// What is made for.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "lowercase")]
enum Target {
    Bash,
    Zsh,
    Fish,
    Elvish,
    PowerShell,
    Man,
}

/// Prints them and returns the exit code.
pub(super) fn main(completions: &Completions) -> Result<i32> {
    let shell = match completions.target {
        Target::Bash => Some(Shell::Bash),
        Target::Zsh => Some(Shell::Zsh),
        Target::Fish => Some(Shell::Fish),
        Target::Elvish => Some(Shell::Elvish),
        Target::PowerShell => Some(Shell::PowerShell),
        Target::Man => None,
    };
    let mut text = Vec::new();
    match shell {
        Some(shell) => {
            clap_complete::generate(shell, &mut Cli::command(), "agentlua", &mut text);
        }
        None => man::write(&mut text).or_kind(Kind::Internal, || "cannot make the man page")?,
    }
    let stdout = Stdout::default();
    stdout.write(&text);
    Ok(if stdout.is_closed() { 141 } else { 0 })
}
