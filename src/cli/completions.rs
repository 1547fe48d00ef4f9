//! `agentlua completions SHELL`: what a shell needs to complete our command line, or the man page.
//!
//! Both are made from the command line as it is, so they never tell of another.

use clap::{Args, Command, CommandFactory, ValueEnum, ValueHint};
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
            let mut cli = Cli::command();
            clap_complete::generate(shell, &mut cli, "agentlua", &mut text);
            if shell == Shell::Bash {
                text = with_files(&cli, &String::from_utf8_lossy(&text)).into_bytes();
            }
        }
        None => man::write(&mut text).or_kind(Kind::Internal, || "cannot make the man page")?,
    }
    let stdout = Stdout::default();
    stdout.write(&text);
    Ok(if stdout.is_closed() { 141 } else { 0 })
}

/// Lets bash complete files where a command takes them. `clap_complete` offers options there, even
/// where no `-` was typed; bash itself completes files where nothing is offered.
fn with_files(cli: &Command, script: &str) -> String {
    const ANYTHING: &str = r#"COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )"#;
    let takes_files = |command: &&Command| {
        command.get_positionals().any(|argument| {
            matches!(argument.get_value_hint(), ValueHint::FilePath | ValueHint::AnyPath)
        })
    };
    let mut script = script.to_owned();
    for command in cli.get_subcommands().filter(takes_files) {
        let label = format!("agentlua__subcmd__{})\n            opts=", command.get_name());
        let Some(start) = script.find(&label) else { continue };
        let end =
            script[start..].find(";;\n        agentlua__").map_or(script.len(), |at| start + at);
        // Two places offer options: the first word after the command, and what follows no option.
        let block = script[start..end].replace(" || ${COMP_CWORD} -eq 2 ]]", " ]]");
        let block = match block.rfind(ANYTHING) {
            Some(at) => format!("{}COMPREPLY=(){}", &block[..at], &block[at + ANYTHING.len()..]),
            None => block,
        };
        script.replace_range(start..end, &block);
    }
    script
}

#[cfg(test)]
mod tests {
    use std::process::{Command as Process, Stdio};

    use super::*;

    /// Returns what bash offers for the last of these words.
    fn offered(words: &[&str]) -> String {
        let mut text = Vec::new();
        let mut cli = Cli::command();
        clap_complete::generate(Shell::Bash, &mut cli, "agentlua", &mut text);
        let script = with_files(&cli, &String::from_utf8_lossy(&text));
        let [.., before, last] = words else { return String::new() };
        let ask = format!(
            "{script}\ncompopt() {{ :; }}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n\
             _agentlua agentlua '{last}' '{before}'\necho \"${{COMPREPLY[*]}}\"",
            words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
            words.len() - 1,
        );
        let mut bash = Process::new("bash");
        bash.args(["--norc", "-c", &ask]).stdin(Stdio::null());
        let ran = bash.output().expect("bash starts");
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    #[test]
    fn bash_offers_words_where_they_are_known_and_leaves_files_to_itself() {
        assert_eq!(offered(&["agentlua", "run", ""]), "");
        assert_eq!(offered(&["agentlua", "run", "first.lua", ""]), "");
        assert_eq!(offered(&["agentlua", "check", ""]), "");
        assert_eq!(offered(&["agentlua", "run", "--dry"]), "--dry-run");
        let formats = offered(&["agentlua", "run", "--output-format", ""]);
        assert_eq!(formats, "text json stream-json");
        let strategies = offered(&["agentlua", "merge", "--strategy", ""]);
        assert_eq!(strategies, "merge squash ff rebase");
        assert!(offered(&["agentlua", "completions", ""]).contains("bash"));
    }
}
