//! Which program a simple command runs: the words in front of it that only say how, and the programs
//! that run another one.

use super::shell::Word;

/// Programs that run what their arguments or their input say. Nobody can tell from their first words
/// what that is, so no rule with `*` lets them run; an exact rule does.
const RUNNERS: &str = "\
     watch setsid ionice flock sudo doas su runuser chroot unshare nsenter eval exec \
     source . trap xargs parallel env coproc chrt taskset script strace ltrace gdb \
     busybox timeout time nice nohup stdbuf command builtin noglob enable alias hash bind \
     mapfile";
/// Shells: runners, unless their first operand names a script.
const SHELLS: &str = "\
     sh bash dash zsh ksh mksh ash fish rbash";
/// What `find` runs and writes with.
pub(super) const FIND_ACTIONS: [&str; 10] = [
    "-exec",
    "-execdir",
    "-ok",
    "-okdir",
    "-delete",
    "-fprint",
    "-fprint0",
    "-fprintf",
    "-fls",
    "-files0-from",
];

/// Options of `git` before its subcommand that take a word of their own.
const GIT_VALUES: [&str; 8] = [
    "-C",
    "-c",
    "--git-dir",
    "--work-tree",
    "--namespace",
    "--super-prefix",
    "--config-env",
    "--attr-source",
];

/// Reports whether a list of words has this one.
pub(super) fn listed(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed == word)
}

/// Returns the words from the program on: what only says how it runs is taken off.
pub(super) fn unwrapped(mut words: &[Word]) -> &[Word] {
    while let Some(inner) = inside(words) {
        words = inner;
    }
    words
}

/// As [`unwrapped`], but leaves `xargs` where it is: it adds words that nobody has seen.
pub(super) fn seen(mut words: &[Word]) -> &[Word] {
    while words.first().and_then(Word::value).as_deref() != Some("xargs")
        && let Some(inner) = inside(words)
    {
        words = inner;
    }
    words
}

/// Takes one wrapper off, if one stands there and its options are known.
fn inside(words: &[Word]) -> Option<&[Word]> {
    let (first, mut rest) = words.split_first()?;
    // Options that stand alone, and those that take the next word.
    let (flags, values): (&[&str], &[&str]) = match &*first.value()? {
        "timeout" => (
            &["--preserve-status", "--foreground", "-v", "--verbose"],
            &["-k", "-s", "--kill-after", "--signal"],
        ),
        "nice" => (&[], &["-n", "--adjustment"]),
        "nohup" | "builtin" | "noglob" | "xargs" => (&[], &[]),
        "time" | "command" => (&["-p"], &[]),
        "stdbuf" => (&[], &["-i", "-o", "-e", "--input", "--output", "--error"]),
        _ => return None,
    };
    let wrapper = first.value()?;
    loop {
        let option = rest.first()?.value();
        let Some(option) = option.filter(|option| option.starts_with('-') && option.len() > 1)
        else {
            break;
        };
        let joined = |value: &&&str| match value.strip_prefix("--") {
            Some(_) => option.starts_with(&format!("{value}=")),
            None => option.starts_with(**value) && option.len() > 2,
        };
        let number = wrapper == "nice" && option[1..].bytes().all(|byte| byte.is_ascii_digit());
        if flags.contains(&&*option) || values.iter().any(|value| joined(&value)) || number {
            rest = &rest[1..];
        } else if values.contains(&&*option) {
            rest = rest.get(2..)?;
        } else if option == "--" && wrapper != "xargs" {
            rest = &rest[1..];
            break;
        } else {
            return None;
        }
    }
    if wrapper == "timeout" {
        // Its duration.
        rest.first()?.value().filter(|time| time.starts_with(|c: char| c.is_ascii_digit()))?;
        rest = &rest[1..];
    }
    (!rest.is_empty()).then_some(rest)
}

/// Returns the name of a program without its folder.
pub(super) fn name(words: &[Word]) -> Option<String> {
    let value = words.first()?.value()?;
    Some(value.rsplit('/').next().unwrap_or_default().to_owned())
}

/// Reports whether what runs is decided by arguments or input.
pub(super) fn is_runner(words: &[Word]) -> bool {
    let Some(name) = name(words) else { return true };
    if name == "find" {
        let acts = |word: &Word| word.value().is_some_and(|word| FIND_ACTIONS.contains(&&*word));
        return words.iter().any(acts);
    }
    if name == "env" {
        return words.len() > 1;
    }
    if name == "command" {
        // `command -v x` only looks.
        return !matches!(words.get(1).and_then(Word::value).as_deref(), Some("-v" | "-V"));
    }
    if listed(SHELLS, &name) {
        return !words.get(1).is_some_and(Word::is_operand);
    }
    listed(RUNNERS, &name)
}

/// Reports whether what runs is read from the input: `echo x | bash`, `bash <<E`.
pub(super) fn reads_commands(words: &[Word]) -> bool {
    let is_shell = name(words).is_some_and(|name| listed(SHELLS, &name));
    is_shell
        && words[1..].iter().all(|word| {
            word.value().is_some_and(|word| {
                word.starts_with('-') && !["--version", "--help"].contains(&&*word)
            })
        })
}

/// Reports whether options of `git` may give a subcommand a name of its own.
pub(super) fn sets_alias(options: &[Word]) -> bool {
    options.iter().any(|option| {
        option.value().is_none_or(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("alias.") || value.contains("include")
        })
    })
}

/// Reports whether files go that nobody means: `rm` of `/`, of a folder right below it, of the home
/// folder, or of what is around the directory.
pub(super) fn is_ruinous(words: &[Word]) -> bool {
    let removes = matches!(name(words).as_deref(), Some("rm" | "rmdir"));
    removes
        && words[1..].iter().any(|word| {
            // `/*` and `~/*` are no better than `/` and `~`; a variable is what its name says.
            let path =
                word.value().unwrap_or_else(|| word.raw().trim_matches(['"', '*']).to_owned());
            let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
            let first = parts.next();
            match first {
                None => !path.is_empty(),
                Some("~" | "$HOME" | "${HOME}") => parts.next().is_none(),
                Some("..") => parts.all(|part| part == ".."),
                Some(_) => path.starts_with('/') && parts.next().is_none(),
            }
        })
}

/// Returns the words of a `git` command without the options before its subcommand; `None` for other
/// programs, and where these cannot be told.
pub(super) fn git_words(words: &[Word]) -> Option<(Vec<Word>, Vec<Word>)> {
    if name(words).as_deref() != Some("git") {
        return None;
    }
    let (mut plain, mut options) = (vec![words[0].clone()], Vec::new());
    let mut rest = words[1..].iter();
    while let Some(word) = rest.next() {
        let Some(option) = word.value().filter(|value| value.starts_with('-')) else {
            plain.push(word.clone());
            plain.extend(rest.cloned());
            return Some((plain, options));
        };
        options.push(word.clone());
        if GIT_VALUES.contains(&&*option) {
            options.push(rest.next()?.clone());
        }
    }
    Some((plain, options))
}
