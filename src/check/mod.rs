//! `agentlua check`: what is wrong with a script, without running it.
//!
//! A file is parsed, read once with Lua's scopes ([`reader`]), and what it says is held against the
//! stubs and the shapes of the API ([`catalog`]). It errs on the side of silence: `run` refuses a
//! script that has an error here, so what may have worked is a warning at most. What a script does to
//! its globals, or asks of them, anywhere in it or in its modules, counts everywhere ([`facts`]).
//!
//! It knows nothing of a terminal, and of Lua the interpreter only how to compile.

mod arguments;
mod calls;
mod catalog;
mod facts;
mod known;
mod names;
mod options;
mod program;
mod reader;
mod reading;
mod results;
mod text;
mod value;

use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};
use catalog::Catalog;
use facts::Facts;
use program::Program;
use text::Span;

/// Room for trees as deep as Lua allows, and for long sums, which are deeper; only what is used of it
/// is taken.
const STACK: usize = 256 << 20;

/// A file to look at.
#[derive(Clone, Debug)]
pub struct Script {
    /// As it is shown.
    pub name: String,
    /// What is in it.
    pub source: Vec<u8>,
    /// Where its modules are.
    pub dir: std::path::PathBuf,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It fails when it is come to.
    Error,
    /// It may fail.
    Warning,
}

impl Severity {
    /// Returns it as messages say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, as it is shown.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column of the first character, from 1.
    pub column: usize,
    /// The column behind the last one, on the same line.
    pub end_column: usize,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a lower-case clause.
    pub message: String,
    /// What to change.
    pub hint: Option<String>,
}

impl Finding {
    fn new(file: &str, span: Span, severity: Severity, error: Error) -> Self {
        Self {
            file: file.to_owned(),
            line: span.line,
            column: span.column,
            end_column: span.end,
            severity,
            message: error.message,
            hint: error.hint,
        }
    }

    /// Returns it as the error that running the script would end with.
    pub fn error(&self) -> Error {
        let mut error = Error::usage(self.message.clone());
        error.hint.clone_from(&self.hint);
        error.at = Some(format!("{}:{}", self.file, self.line));
        error
    }
}

/// Looks at scripts, each with the modules beside it that it requires, and returns what is wrong by
/// script, file and line. A script that another one requires is looked at with that.
///
/// # Errors
/// Internal, for a fault of ours.
pub fn check(scripts: Vec<Script>) -> Result<Vec<Finding>> {
    let looking = std::thread::Builder::new().name("check".to_owned()).stack_size(STACK);
    let looked = looking.spawn(move || look(&scripts));
    let looked =
        looked.map_err(|fault| Error::internal(format!("cannot start a thread: {fault}")))?;
    looked.join().map_err(|_| Error::internal("the check panicked"))
}

fn look(scripts: &[Script]) -> Vec<Finding> {
    let catalog = Catalog::load();
    let mut programs: Vec<Program> = scripts.iter().map(Program::load).collect();
    let modules: Vec<_> = programs.iter().flat_map(Program::modules).collect();
    programs.retain(|program| !modules.contains(&program.path));
    let mut findings: Vec<Finding> = Vec::new();
    for program in &mut programs {
        let mut found = std::mem::take(&mut program.findings);
        let readings: Vec<_> =
            program.files.iter().map(|file| reader::read(file.ast.nodes())).collect();
        let mut facts = Facts { open: program.open, ..Facts::default() };
        for reading in &readings {
            facts.note(reading, &catalog);
        }
        for (file, reading) in program.files.iter().zip(&readings) {
            let look = Look { file, reading, facts: &facts, catalog: &catalog };
            found.extend(names::findings(&look));
            found.extend(calls::findings(&look));
            found.extend(results::findings(&look));
        }
        // In the order of the files, the script first; a module that two scripts share is told once.
        let order = |finding: &Finding| {
            let file = program.files.iter().position(|file| file.name == finding.file);
            (file.unwrap_or(usize::MAX), finding.line, finding.column)
        };
        found.sort_by_key(order);
        found.dedup();
        for finding in found {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    findings
}

/// What a rule looks at.
struct Look<'a> {
    file: &'a program::File,
    reading: &'a reading::Reading<'a>,
    facts: &'a Facts,
    catalog: &'a Catalog,
}

impl Look<'_> {
    /// Makes a finding in a function; an error is none where it may be caught.
    fn finding(&self, within: usize, span: Span, severity: Severity, error: Error) -> Finding {
        let caught = match self.reading.guard(within) {
            reading::Guard::None => self.file.guarded,
            reading::Guard::Perhaps => self.file.guarded || self.facts.catches,
            reading::Guard::Surely => true,
        };
        let severity = if caught { Severity::Warning } else { severity };
        Finding::new(&self.file.name, span, severity, error)
    }
}

/// Returns the globals of Lua, and the fields of those that are libraries, that scripts are taken to have.
pub fn names_of_lua() -> impl Iterator<Item = String> {
    known::names()
}

/// Returns where modules of a script are that is named so.
pub fn folder_of(path: &Path) -> std::path::PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}
