//! `agentlua init [DIR]`: sets a project up: what editors know of agentlua, and a first script.
//!
//! No file of the user's is written over. The stubs are ours: they lie in a folder of our own that git
//! ignores, and are those of this version after every call.

mod luarc;
pub(super) mod stubs;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use self::luarc::Change;
use super::terminal::{Stdout, Styles, stdout_styles};
use super::{session, table};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::files;
use crate::git::Repo;

const SCRIPT: (&str, &str) = ("first.lua", include_str!("../../../lua/start/first.lua"));
const TEST: (&str, &str) = ("first_test.lua", include_str!("../../../lua/start/first_test.lua"));

#[derive(Args)]
#[command(
    after_help = "It writes .agentlua/types/, from which an editor with a Lua language server knows what \
                  agentlua has; .luarc.json, which tells the server of it (one that is there gets the \
                  entry added); and first.lua, with a test that needs no key.\n\n\
                  A file that is there stays as it is; only the types are written anew by each call, \
                  after an update say."
)]
pub(super) struct Init {
    /// The project's folder, which is made if need be [default: this one]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What became of a file.
struct Line {
    done: &'static str,
    what: String,
    why: &'static str,
}

/// Sets the project up and returns the exit code.
pub(super) fn main(init: &Init) -> Result<i32> {
    let dir = init.dir.as_deref().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(|fault| {
        let error = Error::new(Kind::Io, format!("cannot make the folder `{}`", dir.display()));
        error.because(fault)
    })?;
    let mut lines = vec![types(dir)?];
    let (luarc, advice) = language_server(dir)?;
    lines.push(luarc);
    let script = first(dir, SCRIPT, "two agents, each on a branch of its own")?;
    lines.push(script);
    lines.push(first(dir, TEST, "the same, played without a key")?);
    let style = stdout_styles();
    let mut text = report(&lines, &style);
    for advice in advice {
        let _ = writeln!(text, "\n{advice}");
    }
    text += &next(init.dir.as_deref(), ground(dir)?.as_deref(), &style);
    let stdout = Stdout::default();
    stdout.write(text.as_bytes());
    Ok(if stdout.is_closed() { 141 } else { 0 })
}

/// Writes the stubs, each only where it is not as it should be.
fn types(dir: &Path) -> Result<Line> {
    let done = match stubs::write(dir).or_kind(Kind::Io, || unwritable(dir, stubs::FOLDER))? {
        stubs::Written::New => "wrote",
        stubs::Written::Changed => "updated",
        stubs::Written::Same => "up to date",
    };
    let why = "what editors know of agentlua; git ignores it";
    Ok(Line { done, what: format!("{}/", stubs::FOLDER), why })
}

/// Tells the language server of the stubs; also says what is to be done by hand.
fn language_server(dir: &Path) -> Result<(Line, Vec<String>)> {
    let file = luarc::FILES.iter().find(|name| dir.join(name).exists()).unwrap_or(&luarc::FILES[0]);
    let path = dir.join(file);
    let trouble = || unwritable(dir, file);
    let text = match std::fs::read_to_string(&path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => None,
        Err(fault) if fault.kind() == io::ErrorKind::InvalidData => Some(String::new()),
        text => Some(text.or_kind(Kind::Io, || format!("cannot read `{}`", path.display()))?),
    };
    let mut advice = Vec::new();
    let (done, why) = match luarc::merged(text.as_deref(), stubs::FOLDER) {
        Change::New(text) => {
            files::write(&path, text.as_bytes()).or_kind(Kind::Io, trouble)?;
            ("wrote", "tells the Lua language server of it")
        }
        Change::Added(text) => {
            files::write(&path, text.as_bytes()).or_kind(Kind::Io, trouble)?;
            ("updated", "tells the Lua language server of it, beside what was there")
        }
        Change::Known => ("up to date", "tells the Lua language server of it"),
        Change::ByHand => {
            advice.push(format!(
                "`{file}` is not plain JSON, so it is left to you. Add to it:\n\n  {}",
                luarc::entry(stubs::FOLDER)
            ));
            ("kept", "see below")
        }
    };
    if dir.join(luarc::EMMY).exists() {
        advice.push(format!(
            "`{}` goes before `{file}` with EmmyLua. Add to it:\n\n  \
             \"workspace\": {{ \"library\": [\"{}\"] }}",
            luarc::EMMY,
            stubs::FOLDER
        ));
    }
    Ok((Line { done, what: (*file).to_owned(), why }, advice))
}

/// Writes a file, unless there is one of that name.
fn first(dir: &Path, (name, text): (&str, &str), why: &'static str) -> Result<Line> {
    let path = dir.join(name);
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let done = match made.and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes())) {
        Ok(()) => "wrote",
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {
            let same = std::fs::read(&path).is_ok_and(|there| there == text.as_bytes());
            let why = if same { why } else { "it is there already" };
            return Ok(Line { done: "kept", what: name.to_owned(), why });
        }
        Err(fault) => return Err(fault).or_kind(Kind::Io, || unwritable(dir, name)),
    };
    Ok(Line { done, what: name.to_owned(), why })
}

fn unwritable(dir: &Path, name: &str) -> String {
    format!("cannot write `{}`", dir.join(name).display())
}

/// Returns what the folder lacks for agents that write: a repository with a commit.
fn ground(dir: &Path) -> Result<Option<String>> {
    let Some(_) = crate::host::repository_around(dir) else {
        return Ok(Some(
            "This is no git repository, and agents that write work on branches of one:\n\n  \
             git init && git add . && git commit -m start"
                .to_owned(),
        ));
    };
    let workers = session::workers()?;
    let head = workers.block_on(async { Repo::open(dir).await?.head().await });
    workers.shutdown_background();
    // A repository that cannot be looked at is told by `doctor`, and by whoever works on it.
    Ok(head.is_ok_and(|head| head.commit.is_none()).then(|| {
        "The repository has no commit yet, and agents start from one:\n\n  \
         git add . && git commit -m start"
            .to_owned()
    }))
}

fn report(lines: &[Line], style: &Styles) -> String {
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| vec![line.done.to_owned(), line.what.clone(), line.why.to_owned()])
        .collect();
    let mut text = String::new();
    for (line, row) in lines.iter().zip(table::columns(&rows).lines()) {
        let colour = if line.done == "kept" { style.dim } else { style.green };
        let _ = writeln!(text, "{colour}{}{}{}", line.done, style.reset, &row[line.done.len()..]);
    }
    text
}

/// Returns what there is to type now.
fn next(dir: Option<&Path>, lacks: Option<&str>, style: &Styles) -> String {
    let Styles { bold, reset, .. } = style;
    let mut text = String::new();
    if let Some(lacks) = lacks {
        let _ = writeln!(text, "\n{lacks}");
    }
    let _ = writeln!(text, "\n{bold}next{reset}:");
    if let Some(dir) = dir.filter(|dir| *dir != Path::new(".")) {
        let _ = writeln!(text, "  cd {}", dir.display());
    }
    text + "  agentlua test             plays the agents: no key, no network\n  \
            agentlua run first.lua    has a model do it, with your key\n  \
            agentlua doctor           says what is missing here, if anything is\n"
}
