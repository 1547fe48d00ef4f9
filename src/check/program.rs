//! A script with the modules beside it that it requires.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use full_moon::ast::Ast;

use super::catalog::only_text;
use super::reading::{Guard, How, Reading, Target};
use super::{Finding, Script, Severity, known, reader, text};
use crate::error::Error;
use crate::vm::chunk::Syntax;

/// Looking at larger files takes too long, and more memory than there may be.
const LARGEST: usize = 8 << 20;
/// More modules are not looked at.
const MOST: usize = 200;

/// A file that could be read.
pub(super) struct File {
    pub name: String,
    pub ast: Ast,
    /// Whether it is the script, and no module.
    pub is_main: bool,
    /// Whether it is required only where errors are caught.
    pub guarded: bool,
}

pub(super) struct Program {
    /// The script's file, to be known again.
    pub path: PathBuf,
    pub files: Vec<File>,
    /// What is no Lua.
    pub findings: Vec<Finding>,
    /// Whether it requires what could not be looked at.
    pub open: bool,
    modules: Vec<PathBuf>,
}

/// A module that a file requires.
struct Required {
    name: String,
    guarded: bool,
}

impl Program {
    /// Reads a script and its modules.
    pub fn load(script: &Script) -> Self {
        let syntax = Syntax::new();
        let mut program = Self {
            path: real(Path::new(&script.name)),
            files: Vec::new(),
            findings: Vec::new(),
            open: false,
            modules: Vec::new(),
        };
        let mut required = program.take(&syntax, &script.name, &script.source, (true, false));
        let mut seen = BTreeSet::new();
        while let Some(Required { name, guarded }) = required.pop() {
            let is_own = name.starts_with("agentlua.");
            if is_own || known::is_global(&name) || !seen.insert(name.clone()) {
                continue;
            }
            let Some((shown, source)) = beside(&script.dir, &name) else {
                program.open = true;
                continue;
            };
            program.modules.push(real(Path::new(&shown)));
            if program.modules.len() > MOST {
                program.open = true;
                continue;
            }
            required.extend(program.take(&syntax, &shown, &source, (false, guarded)));
        }
        program
    }

    /// Returns the files of its modules.
    pub fn modules(&self) -> Vec<PathBuf> {
        self.modules.iter().filter(|module| **module != self.path).cloned().collect()
    }

    fn take(
        &mut self,
        syntax: &Syntax,
        name: &str,
        source: &[u8],
        (is_main, guarded): (bool, bool),
    ) -> Vec<Required> {
        if let Err(error) = syntax.check(source, name) {
            let severity = if guarded { Severity::Warning } else { Severity::Error };
            let span = place_of(&error, source);
            self.findings.push(Finding::new(name, span, severity, error));
            self.open = true;
            return Vec::new();
        }
        // Definitions for editors are no scripts.
        if source.starts_with(b"---@meta") {
            return Vec::new();
        }
        if source.len() > LARGEST {
            let error = Error::usage("it is too large to check, and nothing is known of it");
            let error = error.hint(format!("files of up to {} MiB are looked at", LARGEST >> 20));
            let span = text::Span { line: 1, column: 1, end: 2 };
            self.findings.push(Finding::new(name, span, Severity::Warning, error));
            self.open = true;
            return Vec::new();
        }
        let Some(ast) = text::parse(source) else {
            self.open = true;
            return Vec::new();
        };
        let (required, is_open) = required_by(&reader::read(ast.nodes()));
        self.open |= is_open;
        self.files.push(File { name: name.to_owned(), ast, is_main, guarded });
        required
    }
}

/// Returns the modules that a file requires, and whether there may be more.
fn required_by(reading: &Reading<'_>) -> (Vec<Required>, bool) {
    let (mut required, mut others) = (Vec::new(), 0);
    let is_require = |index: usize| {
        let named = &reading.uses[index];
        named.target == Target::Global
            && named.path.is_empty()
            && text::name(named.name) == "require"
    };
    for (index, named) in reading.uses.iter().enumerate() {
        // As a value it may be called with anything.
        others += usize::from(is_require(index) && named.how != How::Called);
    }
    for call in reading.calls.iter().filter(|call| is_require(call.callee)) {
        match only_text(call.args) {
            Some(name) => {
                let guarded = reading.guard(reading.uses[call.callee].within) != Guard::None;
                required.push(Required { name: name.to_owned(), guarded });
            }
            None => others += 1,
        }
    }
    (required, others > 0)
}

/// Finds a module as `require` does first.
fn beside(dir: &Path, name: &str) -> Option<(String, Vec<u8>)> {
    let path = name.replace('.', "/");
    let dir = if dir == Path::new(".") { Path::new("") } else { dir };
    let files = [dir.join(format!("{path}.lua")), dir.join(path).join("init.lua")];
    let file = files.iter().find(|file| file.is_file())?;
    Some((file.display().to_string(), std::fs::read(file).ok()?))
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Returns the place of a syntax error: what it is near to, or what it names, on its line.
fn place_of(error: &Error, source: &[u8]) -> text::Span {
    let text = String::from_utf8_lossy(source);
    let told = error.at.as_deref().and_then(|at| at.rsplit_once(':')?.1.parse().ok());
    // Of labels it is told at the end of the block that lacks them.
    let meant = error.message.rsplit_once(" at line ").and_then(|(_, line)| line.parse().ok());
    let number: usize = meant.or(told).unwrap_or(1);
    // What is missing at the end is missing behind the last line.
    let number = number.clamp(1, text.lines().count().max(1));
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let quoted: Vec<_> = error.message.split('\'').skip(1).step_by(2).collect();
    let named = if meant.is_some() { quoted.first() } else { quoted.last() };
    let at_end = error.message.ends_with("<eof>");
    let found = named.filter(|_| !at_end).and_then(|named| Some((line.rfind(*named)?, named)));
    let (start, width) = match found {
        Some((start, named)) if !named.is_empty() => (start, named.chars().count()),
        _ if at_end => (line.trim_end().len(), 1),
        _ => (line.len() - line.trim_start().len(), line.trim().chars().count()),
    };
    let column = line[..start].chars().count() + 1;
    text::Span { line: number, column, end: column + width.max(1) }
}
