//! What agentlua's modules have, by name.

use std::collections::{BTreeMap, BTreeSet};

use full_moon::ast::{Call, Expression, FunctionArgs, FunctionCall, Suffix, Var};

use super::known;
use super::reading::{How, Reading, Target};
use super::text;
use crate::api::shapes;
use crate::manual::{Function, Manual};
use crate::vm::Shape;

/// The manual, looked into by name.
pub(super) struct Catalog {
    pub manual: Manual,
    pub shapes: BTreeMap<&'static str, &'static Shape>,
    /// Functions and fields of modules and libraries.
    members: BTreeMap<String, BTreeSet<String>>,
}

/// A module of agentlua or of Lua, and the names of fields behind it.
pub(super) struct Path<'a> {
    pub module: &'a str,
    pub fields: Vec<&'a str>,
}

impl Path<'_> {
    /// Returns it as it is typed.
    pub fn text(&self) -> String {
        [&[self.module], &self.fields[..]].concat().join(".")
    }
}

impl Catalog {
    /// Reads the manual.
    pub fn load() -> Self {
        let manual = Manual::load();
        let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for page in manual.pages.iter().filter(|page| page.module.is_some()) {
            let of = members.entry(page.name.to_owned()).or_default();
            for function in manual.members(page.name) {
                of.insert(function.short_name().to_owned());
            }
            let class = manual.module(page.name);
            of.extend(class.into_iter().flat_map(|class| manual.fields(class).into_keys()));
        }
        for (library, names) in known::LIBRARIES {
            members.insert(library.to_owned(), names.split(' ').map(str::to_owned).collect());
        }
        Self { manual, shapes: shapes::all(), members }
    }

    /// Returns the functions and fields of a module; nothing when it is none.
    pub fn members(&self, module: &str) -> Option<&BTreeSet<String>> {
        self.members.get(module)
    }

    /// Reports whether a module has a function or field. Those that only misuse could fail have twins
    /// too, which the manual does not name.
    pub fn has(&self, module: &str, name: &str) -> bool {
        self.members.get(module).is_some_and(|members| {
            members.contains(name)
                || name.strip_prefix("try_").is_some_and(|name| members.contains(name))
        })
    }

    /// Returns the function of a path. The module `sh` is called itself, and as `sh.check` is.
    pub fn function(&self, path: &Path<'_>) -> Option<&Function> {
        match path.fields[..] {
            [] if path.module == "sh" => self.manual.function("sh.check"),
            [_] => self.manual.function(&path.text()),
            _ => None,
        }
    }

    /// Returns what of a module a use stands for, also through locals: `q` after `local q = agent.query`.
    pub fn path<'a>(&self, reading: &Reading<'a>, named: usize) -> Option<Path<'a>> {
        let named = &reading.uses[named];
        let fields = named.path.iter().map(|(name, _)| *name);
        let local = match named.target {
            Target::Global => {
                let module = text::name(named.name);
                let is_one = known::is_global(module) && self.members.contains_key(module);
                return is_one.then(|| Path { module, fields: fields.collect() });
            }
            Target::Local(local) => local,
        };
        let (value, first) = reading.constant(local)?;
        let mut path = match value {
            Expression::FunctionCall(call) => {
                let first = &reading.uses[first?];
                let is_global = first.target == Target::Global && first.path.is_empty();
                let requires = is_global && text::name(first.name) == "require";
                let module = required(call).filter(|_| requires)?.strip_prefix("agentlua.")?;
                self.members.contains_key(module).then_some(Path { module, fields: Vec::new() })?
            }
            Expression::Var(Var::Name(_) | Var::Expression(_)) => {
                self.path(reading, first.filter(|first| reading.uses[*first].how == How::Passed)?)?
            }
            _ => return None,
        };
        path.fields.extend(fields);
        Some(path)
    }
}

/// Returns the text that a call is given, if that is all it is given.
pub(super) fn required(call: &FunctionCall) -> Option<&str> {
    let mut suffixes = call.suffixes();
    match (suffixes.next(), suffixes.next()) {
        (Some(Suffix::Call(Call::AnonymousCall(args))), None) => only_text(args),
        _ => None,
    }
}

/// Returns the text that is the first argument.
pub(super) fn only_text(args: &FunctionArgs) -> Option<&str> {
    match args {
        FunctionArgs::String(token) => text::string(token),
        FunctionArgs::Parentheses { arguments, .. } => match arguments.iter().next() {
            Some(Expression::String(token)) => text::string(token),
            _ => None,
        },
        _ => None,
    }
}
