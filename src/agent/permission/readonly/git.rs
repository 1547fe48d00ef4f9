//! The commands of `git` that only look. What they may run by configuration is the user's own: an agent
//! that may only look has not written it.

use super::free_of;
use crate::agent::permission::shell::Word;

/// Reports whether `git` with these arguments only looks: `-c`, `--exec-path`, `--git-dir` and the like choose what is run, and so none of them may
/// stand before the subcommand, where an alias could stand too.
pub(super) fn looks(args: &[Word]) -> bool {
    let mut rest = args;
    loop {
        let Some(word) = rest.first().and_then(Word::value) else { return rest.is_empty() };
        match &*word {
            "--no-pager" | "-P" | "--no-optional-locks" | "--literal-pathspecs" => {
                rest = &rest[1..];
            }
            "-C" if rest.get(1).is_some_and(|path| path.value().is_some()) => rest = &rest[2..],
            "--version" => return true,
            _ => break,
        }
    }
    let Some((subcommand, args)) = rest.split_first() else { return true };
    let Some(subcommand) = subcommand.value() else { return false };
    let first = args.first().and_then(Word::value);
    match &*subcommand {
        // `-O` opens the files in a program.
        "grep" => free_of(args, &["-O", "--open-files-in-pager"]),
        "log" | "show" | "diff" | "whatchanged" | "diff-tree" | "diff-index" | "diff-files"
        | "shortlog" | "status" | "blame" | "annotate" | "rev-parse" | "rev-list" | "ls-files"
        | "ls-tree" | "cat-file" | "describe" | "name-rev" | "merge-base" | "for-each-ref"
        | "show-ref" | "show-branch" | "count-objects" | "check-ignore" | "check-attr"
        | "cherry" | "range-diff" | "version" => free_of(args, &PATCHES),
        "branch" => lists(args, &BRANCH_OPTIONS),
        "tag" => lists(args, &TAG_OPTIONS),
        "remote" => match first.as_deref() {
            None => args.is_empty(),
            Some("-v" | "--verbose") => args.len() == 1,
            Some("get-url") => free_of(args, &[]),
            Some(_) => false,
        },
        "stash" => match first.as_deref() {
            Some("list" | "show") => free_of(args, &PATCHES),
            _ => false,
        },
        "worktree" | "notes" => first.as_deref() == Some("list") && free_of(args, &[]),
        "reflog" => match first.as_deref() {
            None => args.is_empty(),
            Some("show" | "exists") => free_of(args, &PATCHES),
            Some(_) => false,
        },
        "config" => {
            let looks = ["--get", "--get-all", "--get-regexp", "--list", "-l", "list", "get"];
            first.is_some_and(|first| looks.contains(&&*first))
                && free_of(
                    args,
                    &[
                        "--add",
                        "--unset",
                        "--replace-all",
                        "-e",
                        "--edit",
                        "--rename-section",
                        "--remove-section",
                    ],
                )
        }
        _ => false,
    }
}

/// They write a file, or run a program of the configuration or of the arguments.
const PATCHES: [&str; 4] = ["--output", "--ext-diff", "--show-signature", "--open-files-in-pager"];

/// What `git branch` lists by; those with `=` take the next word or their own rest.
const BRANCH_OPTIONS: [&str; 20] = [
    "-a",
    "--all",
    "-r",
    "--remotes",
    "-v",
    "-vv",
    "-av",
    "-avv",
    "-rv",
    "--verbose",
    "--show-current",
    "--list=",
    "-l=",
    "--contains=",
    "--no-contains=",
    "--merged=",
    "--no-merged=",
    "--points-at=",
    "--sort",
    "--format",
];
/// What `git tag` lists by.
const TAG_OPTIONS: [&str; 11] = [
    "-l=",
    "--list=",
    "-n",
    "--contains=",
    "--no-contains=",
    "--merged=",
    "--no-merged=",
    "--points-at=",
    "--sort",
    "--format",
    "--column",
];

/// Reports whether a command lists: an operand would be a name to make, unless an option says that it
/// is what to look for.
fn lists(args: &[Word], options: &[&str]) -> bool {
    let mut looks_for = false;
    let mut operands = false;
    for arg in args {
        if arg.is_operand() {
            operands = true;
            continue;
        }
        let Some(value) = arg.value() else { return false };
        let name = value.split('=').next().unwrap_or_default();
        let found = options.iter().find(|option| option.trim_end_matches('=') == name);
        let numbered =
            name.strip_prefix("-n").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        match found {
            Some(option) => looks_for |= option.ends_with('='),
            None if numbered && options.contains(&"-n") => looks_for = true,
            None => return false,
        }
    }
    !operands || looks_for
}
