//! Commands that only look: what an agent with `read_only` may run.
//!
//! A command is here if nothing that can stand behind it writes a file, starts another program, or
//! reaches the network, but for the options named beside it. What only sometimes looks is not here
//! (`sed` has `-i` and the commands `w` and `e`, `awk` has `system`, `xxd` takes an output file).
//! A word that the shell fills in might be an option, so where options are refused such a word is
//! too, unless it begins with something else: `sort $x` might write, `sort "./$x"` cannot.

mod git;

use super::bash::sets_safely;
use super::program::{self, FIND_ACTIONS, listed};
use super::shell::{self, Part, Word};

/// What may stand behind a program.
#[derive(Clone, Copy)]
enum Terms {
    /// Anything.
    Any,
    /// No option of these, be it whole, cut short (`--outp`), or among short ones (`-ro`).
    Without(&'static [&'static str]),
    /// So many operands, and none of these options: the last operand would be written.
    Operands(usize, &'static [&'static str]),
    /// Options and first words as this says.
    Judged(fn(&[Word]) -> bool),
}

use Terms::{Any, Judged, Operands, Without};

/// Programs behind which anything may stand: builtins of the shell that change nothing beyond it (`cd`
/// changes where it is), and what prints files, what it reads, or what the system says.
const FREE: &str = "\
     : true false pwd echo cd exit return break continue shift type which cat head tail \
     tac nl rev wc cut paste join comm tr fold expand unexpand column od hexdump strings \
     base64 cmp diff seq expr tsort jq grep egrep fgrep md5sum sha1sum sha256sum \
     sha512sum b2sum cksum sum ls dir vdir stat du df readlink realpath basename dirname \
     id whoami groups uname arch nproc uptime free ps pgrep printenv getconf locale tty \
     sleep";

/// Returns what may stand behind a program, if it is one that may run.
fn terms(program: &str) -> Option<Terms> {
    if listed(FREE, program) {
        return Some(Any);
    }
    Some(match program {
        // Without a name it prints; with one it sets it.
        "hostname" => Operands(0, &["-F", "--file", "-b", "--boot"]),
        // Alone it prints the environment; with words it is a wrapper, and `-Srm` holds some.
        "env" => Judged(<[Word]>::is_empty),
        // `-o` writes, and `--compress-program` is run.
        "sort" => Without(&["-o", "--output", "--compress-program"]),
        // The second operand is written.
        "uniq" => Operands(1, &[]),
        // `-C` writes a compiled magic file.
        "file" => Without(&["-C", "--compile"]),
        // `-o` writes, and `-R` writes an index into each folder.
        "tree" => Without(&["-o", "-R"]),
        // These run a program on what is found, or to read it.
        "rg" => Without(&["--pre", "--hostname-bin", "-z", "--search-zip"]),
        "fd" | "fdfind" => Without(&["-x", "-X", "--exec", "--exec-batch"]),
        "find" => Judged(find),
        // `-s` and a bare time set the clock.
        "date" => Judged(date),
        // `-v` and `-R` compute an index, and `a[$(cmd)]` in it is run; `printf -v` assigns to one.
        "test" | "[" => Judged(test),
        "printf" => Judged(printf),
        "read" => Judged(read),
        "set" => Judged(set),
        // `-v` looks a name up; else it is a wrapper.
        "command" => Judged(|args| {
            matches!(args.first().and_then(Word::value).as_deref(), Some("-v" | "-V"))
        }),
        "git" => Judged(git::looks),
        _ => return None,
    })
}

/// Programs of the table that say nothing but what they are told, and those that beside their
/// arguments read files only where some are named.
const FILTERS: &str = "\
     : true false echo printf cd exit return break continue shift set read test [ seq \
     expr basename dirname sleep date pwd cat head tail tac nl rev wc cut paste join comm \
     tr fold expand unexpand column od hexdump strings base64 cmp diff tsort jq grep \
     egrep fgrep sort uniq md5sum sha256sum";

/// Reports whether a part reads no file that it does not name.
pub(super) fn only_filters(part: &Part) -> bool {
    let words = program::seen(&part.words);
    let recurses = |word: &Word| {
        word.value().is_none_or(|word| {
            is_option(&word, "-r") || is_option(&word, "-R") || is_option(&word, "--recursive")
        })
    };
    match program::name(words) {
        None => part.words.is_empty(),
        Some(name) if name.ends_with("grep") => {
            listed(FILTERS, &name) && !words.iter().any(recurses)
        }
        Some(name) => listed(FILTERS, &name),
    }
}

/// Says why a command does more than look, if it does or may.
pub(super) fn objection(command: &str) -> Option<String> {
    let script = match shell::parse(command) {
        Ok(script) => script,
        Err(why) => return Some(format!("it cannot be checked: {why}")),
    };
    if let Some(why) = script.unclear {
        return Some(format!("it cannot be checked: {why}"));
    }
    script.parts.iter().find_map(|part| (!only_looks(part)).then(|| complaint(part)))
}

fn complaint(part: &Part) -> String {
    if let Some(redirect) = part.redirects.iter().find(|redirect| redirect.writes) {
        return format!("it may write `{}`", redirect.target.raw());
    }
    match part.words.first() {
        Some(word) => format!("`{}` with these arguments may do more than read", word.raw()),
        None => "it sets variables that change what commands do".to_owned(),
    }
}

/// Reports whether a part only looks.
pub(super) fn only_looks(part: &Part) -> bool {
    let harmless = part.redirects.iter().all(|redirect| {
        let Some(target) = redirect.target.value() else {
            return !redirect.writes && redirect.target.is_operand();
        };
        // The shell opens connections for these.
        let network = target.starts_with("/dev/tcp/") || target.starts_with("/dev/udp/");
        !network && (!redirect.writes || is_sink(&target))
    });
    harmless
        && sets_safely(part)
        && (part.words.is_empty() || words_look(program::seen(&part.words)))
}

/// Reports whether nothing is kept of what is written to a path.
pub(super) fn is_sink(path: &str) -> bool {
    matches!(path, "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/fd/1" | "/dev/fd/2")
}

/// Reports whether a program with its arguments only looks.
fn words_look(words: &[Word]) -> bool {
    let Some(program) = words.first().and_then(Word::value) else { return false };
    let args = &words[1..];
    if program == "xargs" {
        return fed(args);
    }
    let Some(terms) = terms(&program) else { return false };
    match terms {
        Any => true,
        Without(banned) => free_of(args, banned),
        Operands(most, banned) => {
            free_of(args, banned) && !args.iter().any(Word::splits) && operands(args) <= most
        }
        Judged(judge) => judge(args),
    }
}

/// Counts the words that are no options: a `-` alone, and everything behind a `--`, is none.
fn operands(args: &[Word]) -> usize {
    let is_end = |arg: &Word| arg.value().as_deref() == Some("--");
    let end = args.iter().position(is_end).unwrap_or(args.len());
    let is_option = |arg: &&Word| arg.value().is_some_and(|v| v.len() > 1 && v.starts_with('-'));
    let before = args[..end].iter().filter(|arg| !is_option(arg)).count();
    before + args.len().saturating_sub(end + 1)
}

/// Reports whether no option of these can be among the words before a `--`.
fn free_of(args: &[Word], banned: &[&str]) -> bool {
    for arg in args {
        let Some(value) = arg.value() else {
            if arg.is_operand() {
                continue;
            }
            return false;
        };
        if value == "--" {
            return true;
        }
        if banned.iter().any(|option| is_option(&value, option)) {
            return false;
        }
    }
    true
}

/// Reports whether a word is, or holds, an option.
fn is_option(word: &str, option: &str) -> bool {
    if option.starts_with("--") {
        let name = word.split('=').next().unwrap_or_default();
        name.len() > 2 && name.starts_with("--") && option.starts_with(name)
    } else {
        // Among short options, and not knowing which of them take the rest of the word.
        word.starts_with('-') && !word.starts_with("--") && word[1..].contains(&option[1..])
    }
}

/// `xargs`, which adds words that nobody has seen: only for programs that mind none.
fn fed(mut args: &[Word]) -> bool {
    while let Some(option) = args.first().and_then(Word::value).filter(|arg| arg.starts_with('-')) {
        let takes = match &*option {
            "-0" | "-r" | "-t" | "--null" | "--no-run-if-empty" => 1,
            "-n" | "-P" | "-L" | "-I" | "-d" | "-s" => 2,
            _ => return false,
        };
        args = args.get(takes..).unwrap_or_default();
    }
    match args.first().and_then(Word::value) {
        // Alone it is `echo`.
        None => args.is_empty(),
        Some(program) => matches!(terms(&program), Some(Any)),
    }
}

fn find(args: &[Word]) -> bool {
    args.iter().all(|arg| match arg.value() {
        Some(value) => !FIND_ACTIONS.contains(&&*value),
        None => arg.is_operand(),
    })
}

fn date(args: &[Word]) -> bool {
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let known = arg.value().unwrap_or_else(|| arg.beginning().to_owned());
        match &*known {
            "-u" | "--utc" | "-R" | "--rfc-email" => {}
            "-d" | "--date" | "-r" | "--reference" => drop(rest.next()),
            option
                if ["+", "-I", "--iso-8601", "--rfc-3339", "--date="]
                    .iter()
                    .any(|o| option.starts_with(o)) => {}
            _ => return false,
        }
        if arg.splits() {
            return false;
        }
    }
    true
}

fn test(args: &[Word]) -> bool {
    const BEFORE: [&str; 25] = [
        "-b", "-c", "-d", "-e", "-f", "-g", "-h", "-k", "-L", "-n", "-p", "-r", "-s", "-t", "-u",
        "-w", "-x", "-z", "-O", "-G", "-N", "-S", "=", "==", "!=",
    ];
    const BETWEEN: [&str; 12] =
        ["=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"];
    args.iter().enumerate().all(|(index, arg)| {
        let Some(value) = arg.value() else {
            // An operand, whatever it turns out to be.
            let near = |at: Option<usize>, words: &[&str]| {
                let word = at.and_then(|at| args.get(at)).and_then(Word::value);
                word.is_some_and(|word| words.contains(&&*word))
            };
            let before = index.checked_sub(1);
            return !arg.splits()
                && (near(before, &BEFORE)
                    || near(before, &BETWEEN)
                    || near(Some(index + 1), &BETWEEN));
        };
        value != "-v" && value != "-R"
    })
}

fn printf(args: &[Word]) -> bool {
    args.first().is_none_or(|first| first.is_operand() || first.value().as_deref() == Some("--"))
}

fn read(args: &[Word]) -> bool {
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let Some(value) = arg.value() else { return false };
        match &*value {
            "-r" | "-s" => {}
            "-d" | "-n" | "-N" | "-t" => drop(rest.next()),
            name => {
                let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                if !plain || !shell::is_tame(name) {
                    return false;
                }
            }
        }
    }
    true
}

fn set(args: &[Word]) -> bool {
    const OPTIONS: [&str; 14] = [
        "-e", "-u", "-x", "-o", "-eu", "-ex", "-eux", "-euo", "-euxo", "+e", "+x", "pipefail",
        "errexit", "nounset",
    ];
    args.iter().all(|arg| arg.value().is_some_and(|value| OPTIONS.contains(&&*value)))
}
