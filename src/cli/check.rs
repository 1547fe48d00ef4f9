//! `agentlua check FILE|DIR…`: mistakes in scripts, without running them; and the same before `run`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::diagnostic;
use super::script::Script;
use super::terminal::{Stdout, Styles, say, stdout_styles, styles};
use crate::check::{self, Finding, Severity, folder_of};
use crate::error::{Error, Result, ResultExt};
use crate::files;

/// How the names of files end that are found beneath a folder.
const SUFFIX: &str = ".lua";

/// The arguments of `check`.
#[derive(Args)]
#[command(
    after_help = "It finds what is no Lua, functions and options that there are not, options of\n\
                  the wrong type, queries that are called where they have to be passed, and\n\
                  variables that are defined nowhere. Modules beside a script are looked at with\n\
                  it. Folders are searched for *.lua, save for what git ignores.\n\n\
                  Exit codes: 0 no errors (there may be warnings), 2 errors, or nothing to read."
)]
pub(super) struct Check {
    /// Scripts, and folders to search; `-` reads one from standard input
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,
    /// Print JSON: a list of findings, each with its file, line, column and severity
    #[arg(long)]
    json: bool,
    /// Print a line for each finding, as compilers do
    #[arg(long, conflicts_with = "json")]
    short: bool,
}

/// Looks at scripts and returns the exit code.
pub(super) fn main(asked: &Check) -> Result<i32> {
    let scripts = scripts(&asked.paths)?;
    let count = scripts.len();
    let texts = texts(&scripts);
    let findings = check::check(scripts)?;
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let stdout = Stdout::default();
    let text = if asked.json {
        let json = serde_json::to_string_pretty(&findings);
        json.or_kind(crate::error::Kind::Internal, || "the findings have no JSON form")? + "\n"
    } else if asked.short {
        findings.iter().map(short).collect()
    } else {
        let style = stdout_styles();
        let blocks: String =
            findings.iter().map(|finding| block(finding, &texts, &style) + "\n").collect();
        blocks + &summary(count, errors, findings.len() - errors)
    };
    stdout.write(text.as_bytes());
    match errors {
        _ if stdout.is_closed() => Ok(141),
        0 => Ok(0),
        _ => Ok(2),
    }
}

impl From<&Script> for check::Script {
    fn from(script: &Script) -> Self {
        let Script { name, source, dir, .. } = script;
        Self { name: name.clone(), source: source.clone(), dir: dir.clone() }
    }
}

/// Looks at a script that is about to run, says what is wrong with it, and returns the first error.
/// Warnings are for `agentlua check`.
pub(super) fn before_run(script: &Script) -> Option<Error> {
    let looked_at = vec![check::Script::from(script)];
    let texts = texts(&looked_at);
    // When the check itself fails, Lua is still there to judge the script.
    let findings = check::check(looked_at).unwrap_or_default();
    let errors: Vec<_> =
        findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    let blocks: Vec<_> = errors.iter().map(|error| block(error, &texts, &styles())).collect();
    say(&blocks.join("\n"));
    errors.first().map(|finding| finding.error())
}

/// Reads what is to be looked at.
fn scripts(paths: &[PathBuf]) -> Result<Vec<check::Script>> {
    let mut found = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            found.push(path.clone());
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(|fault| {
            Error::usage(format!("cannot read `{}`", path.display())).because(fault)
        })?;
        if metadata.is_file() {
            found.push(path.clone());
            continue;
        }
        if !metadata.is_dir() {
            let error = Error::usage(format!("`{}` is no file and no folder", path.display()));
            return Err(error.hint("`agentlua check -` reads a script from standard input"));
        }
        let (files, passed_over) = files::beneath(path, SUFFIX);
        for fault in passed_over {
            say(&format!("warning: passed over: {fault}\n"));
        }
        let shown = |file: PathBuf| file.strip_prefix(".").map(Path::to_owned).unwrap_or(file);
        found.extend(files.into_iter().map(shown));
    }
    if found.is_empty() {
        let looked: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        let message = format!("no `*{SUFFIX}` beneath {}", looked.join(", "));
        return Err(Error::usage(message).hint("agentlua check FILE.lua, or a folder with scripts"));
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    found.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<check::Script> {
    if path == Path::new("-") {
        return Ok(check::Script::from(&Script::load(path)?));
    }
    let name = path.display().to_string();
    let source = files::read(path)
        .map_err(|fault| Error::usage(format!("cannot read `{name}`")).because(fault))?;
    Ok(check::Script { name, source, dir: folder_of(path) })
}

/// Texts of scripts by their names: one from standard input is in no file.
type Texts = BTreeMap<String, Vec<u8>>;

fn texts(scripts: &[check::Script]) -> Texts {
    scripts.iter().map(|script| (script.name.clone(), script.source.clone())).collect()
}

/// Returns a finding as a block for people.
fn block(finding: &Finding, texts: &Texts, style: &Styles) -> String {
    let source = texts.get(&finding.file).cloned();
    let source = source.or_else(|| std::fs::read(&finding.file).ok()).unwrap_or_default();
    diagnostic::finding(finding, &source, style)
}

fn short(finding: &Finding) -> String {
    let Finding { file, line, column, message, .. } = finding;
    let word = finding.severity.word();
    let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{file}:{line}:{column}: {word}: {message}{hint}\n")
}

fn summary(files: usize, errors: usize, warnings: usize) -> String {
    let count = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        number => format!("{number} {word}s"),
    };
    let looked = format!("looked at {}", count(files, "file"));
    match (errors, warnings) {
        (0, 0) => format!("{looked}: nothing is wrong\n"),
        (errors, 0) => format!("{looked}: {}\n", count(errors, "error")),
        (0, warnings) => format!("{looked}: {}\n", count(warnings, "warning")),
        (errors, warnings) => {
            format!("{looked}: {}, {}\n", count(errors, "error"), count(warnings, "warning"))
        }
    }
}
