//! Names: undefined globals, functions that a module does not have, globals that are agentlua's.

use std::collections::BTreeMap;

use full_moon::ast::{Expression, Field, TableConstructor};

use super::reading::{How, Init, Target, Use};
use super::text::{self, Span};
use super::value::Value;
use super::{Finding, Look, Severity, known};
use crate::error::Error;
use crate::suggest::nearest;

/// As many names as one reads in a hint.
const FEW: usize = 9;

/// Returns what is wrong with the names of a file.
pub(super) fn findings(look: &Look<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Of each undefined global one place, the worst and then the first.
    let mut undefined: BTreeMap<&str, Finding> = BTreeMap::new();
    for (index, named) in look.reading.uses.iter().enumerate() {
        let name = text::name(named.name);
        if let Some(finding) = look.undefined(named) {
            match undefined.get(name) {
                Some(before) if before.severity <= finding.severity => {}
                _ => drop(undefined.insert(name, finding)),
            }
        }
        findings.extend(look.assigned(named));
        findings.extend(look.hidden(named));
        findings.extend(look.missing(index));
    }
    findings.extend(undefined.into_values());
    findings
}

impl Look<'_> {
    fn undefined(&self, named: &Use<'_>) -> Option<Finding> {
        let name = text::name(named.name);
        let facts = self.facts;
        let is_known = named.target != Target::Global || known::is_global(name);
        if is_known || facts.assigned.contains(name) || facts.tested.contains(name) {
            return None;
        }
        let old = known::old(name);
        let needs = !named.path.is_empty() && named.how != How::Tested || named.how.needs_a_value();
        // Modules that are written for several versions of Lua name what only others have.
        let other = old.is_some() && (facts.versions || !self.file.is_main);
        let severity =
            if needs && !facts.open && !other { Severity::Error } else { Severity::Warning };
        let error = Error::usage(format!("`{name}` is not defined"));
        let error = match self.advice(named, name) {
            Some(hint) => error.hint(hint),
            None => error,
        };
        Some(self.finding(named.within, Span::of(named.name), severity, error))
    }

    fn advice(&self, named: &Use<'_>, name: &str) -> Option<String> {
        if let Some(hint) = known::old(name).or_else(|| known::foreign(name)) {
            return Some(hint.to_owned());
        }
        let locals = &self.reading.locals;
        let same = |local: &&super::reading::Local<'_>| local.name == name;
        if let Some(local) = locals.iter().rev().find(same) {
            let line = Span::of(local.at).line;
            return Some(if Span::of(named.name).line < line {
                format!("the local `{name}` begins only at line {line}")
            } else {
                format!("the local `{name}` of line {line} is not visible here")
            });
        }
        let visible = named.visible.iter().map(|local| locals[*local].name);
        let assigned = self.facts.assigned.iter().map(String::as_str);
        let mut others: Vec<&str> = visible.chain(assigned).collect();
        for global in known::globals() {
            others.push(global);
        }
        if let Some(near) = nearest(name, others) {
            return Some(format!("did you mean `{near}`?"));
        }
        let of = known::MODULES.iter().find(|module| self.catalog.has(module, name))?;
        Some(format!("did you mean `{of}.{name}`?"))
    }

    /// Finds an assignment of a global that is agentlua's.
    fn assigned(&self, named: &Use<'_>) -> Option<Finding> {
        let name = text::name(named.name);
        let is_it = named.target == Target::Global && known::is_module(name);
        if !is_it || named.how != How::Assigned || !named.path.is_empty() {
            return None;
        }
        let error = Error::usage(format!("`{name}` is agentlua's and cannot be assigned"));
        let severity = if self.facts.mocked { Severity::Warning } else { Severity::Error };
        let error = error.hint("use another name, or `local`");
        Some(self.finding(named.within, Span::of(named.name), severity, error))
    }

    /// Finds a local that hides a global of agentlua's which is then meant.
    fn hidden(&self, named: &Use<'_>) -> Option<Finding> {
        let name = text::name(named.name);
        let Target::Local(local) = named.target else { return None };
        let means = match named.path.first() {
            Some((field, _)) => self.catalog.has(name, field),
            None => name == "sh" && named.how == How::Called,
        };
        if !known::is_module(name) || !means || matches!(named.how, How::Tested | How::Assigned) {
            return None;
        }
        let severity = self.hides(local, named)?;
        let line = Span::of(self.reading.locals[local].at).line;
        let error =
            Error::usage(format!("`{name}` is a local here, and hides agentlua's `{name}`"));
        let error = error.hint(format!("give the local of line {line} another name"));
        Some(self.finding(named.within, Span::of(named.name), severity, error))
    }

    /// Returns how bad it is that agentlua's module is asked of a local; nothing where the local may well
    /// have what is asked for.
    fn hides(&self, local: usize, named: &Use<'_>) -> Option<Severity> {
        let field = named.path.first().map(|(field, _)| *field);
        // Where it is only kept, nil is no mistake yet.
        let needs = named.path.len() > 1 || named.how.needs_a_value();
        let local_of = &self.reading.locals[local];
        if local_of.changes {
            return None;
        }
        let certain = match local_of.init {
            // A number has no fields, and cannot be called.
            Init::Counted => true,
            Init::Item => return (needs && field.is_some()).then_some(Severity::Warning),
            Init::Unknown => false,
            Init::Value(value, first) => match Value::of(value) {
                Value::Number(_) | Value::Flag(_) | Value::Nil => true,
                // A string has methods, but none of these names unless the script adds them.
                Value::Text(_) => {
                    let added = field.map(|field| format!("string.{field}"));
                    let facts = self.facts;
                    let replaced = added.is_some_and(|name| facts.replaced.contains(&name));
                    needs && !replaced && !facts.loose.contains("string")
                }
                Value::Function => field.is_some(),
                Value::Table(table) => {
                    needs && field.is_none_or(|field| self.lacks(local, table, field))
                }
                Value::Unknown => !self.class_has(&self.result_of(value, first?)?, field?),
            },
        };
        certain.then_some(Severity::Error)
    }

    /// Reports whether a local is a table that never has a field: nobody else gets it, and all that is
    /// put in is seen.
    fn lacks(&self, local: usize, table: &TableConstructor, field: &str) -> bool {
        let written = table.fields().iter().all(|entry| match entry {
            Field::NameKey { key, .. } => text::name(key) != field,
            Field::NoKey(_) => true,
            _ => false,
        });
        let mut uses = self.reading.uses.iter();
        let target = Target::Local(local);
        written
            && uses.all(|named| match named.path.first() {
                _ if named.target != target => true,
                Some((name, _)) => named.how != How::Assigned || *name != field,
                None => matches!(named.how, How::Tested | How::Operand),
            })
    }

    /// Returns the class of what a call of agentlua's returns.
    pub(super) fn result_of(&self, value: &Expression, first: usize) -> Option<String> {
        let Expression::FunctionCall(call) = value else { return None };
        // The name, its fields, and the call: nothing behind that.
        let named = &self.reading.uses[first];
        let is_all = call.suffixes().count() == named.path.len() + 1;
        is_all.then(|| self.returned(first)).flatten()
    }

    /// Returns the class of what agentlua's function returns that a use calls.
    pub(super) fn returned(&self, callee: usize) -> Option<String> {
        if self.reading.uses[callee].how != How::Called {
            return None;
        }
        let path = self.catalog.path(self.reading, callee)?;
        if self.facts.replaced.contains(&path.text()) {
            return None;
        }
        let function = self.catalog.function(&path)?;
        let returned = function.returns.first()?.ty.to_string();
        let class = returned.trim_end_matches('?');
        self.catalog.manual.class(class).map(|class| class.name.clone())
    }

    pub(super) fn class_has(&self, class: &str, field: &str) -> bool {
        let manual = &self.catalog.manual;
        let Some(class) = manual.class(class) else { return true };
        let mut methods = class.variable.iter().flat_map(|variable| manual.members(variable));
        manual.fields(class).contains_key(field)
            || methods.any(|method| method.short_name() == field)
    }

    /// Finds a function that a module does not have.
    fn missing(&self, index: usize) -> Option<Finding> {
        let named = &self.reading.uses[index];
        let path = self.catalog.path(self.reading, index)?;
        let module = path.module;
        if let (How::Method(method), []) = (named.how, &path.fields[..]) {
            return self.colon(named, module, text::name(method));
        }
        let field = *path.fields.first()?;
        let whole = format!("{module}.{field}");
        let facts = self.facts;
        if self.catalog.has(module, field)
            || facts.replaced.contains(&whole)
            || facts.tested.contains(&whole)
            || named.how == How::Assigned && path.fields.len() == 1
        {
            return None;
        }
        let (_, token) = named.path.first()?;
        let needs = path.fields.len() > 1 || named.how.needs_a_value();
        let certain = needs && !facts.loose.contains(module) && !facts.mocked;
        let severity = if certain { Severity::Error } else { Severity::Warning };
        let error = self.unknown(module, field);
        Some(self.finding(named.within, Span::of(token), severity, error))
    }

    fn unknown(&self, module: &str, field: &str) -> Error {
        let error = Error::usage(format!("`{module}` has no function `{field}`"));
        let own = self.catalog.members(module).into_iter().flatten();
        let elsewhere = known::MODULES.iter().find(|other| self.catalog.has(other, field));
        if let Some(other) = elsewhere.filter(|_| known::is_module(module)) {
            return error.hint(format!("did you mean `{other}.{field}`?"));
        }
        let names: Vec<&str> = own.map(String::as_str).collect();
        match nearest(field, names.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{module}.{near}`?")),
            None if names.len() <= FEW => {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                error.hint(format!("it has {}", names.join(", ")))
            }
            None => error.hint(format!(":help {module} in `agentlua repl` lists what it has")),
        }
    }

    /// Finds a function of a module that is called as a method.
    fn colon(&self, named: &Use<'_>, module: &str, method: &str) -> Option<Finding> {
        let How::Method(token) = named.how else { return None };
        let is_own = known::is_module(module) && self.catalog.has(module, method);
        let whole = format!("{module}.{method}");
        if !is_own || self.facts.replaced.contains(&whole) {
            return None;
        }
        let error = Error::usage(format!("`{module}:{method}` is no method"));
        let error = error.hint(format!("write `{whole}`, with a dot"));
        let severity = if self.facts.mocked { Severity::Warning } else { Severity::Error };
        Some(self.finding(named.within, Span::of(token), severity, error))
    }
}

impl How<'_> {
    /// Reports whether it fails for nil.
    fn needs_a_value(self) -> bool {
        matches!(self, Self::Called | Self::Method(_) | Self::Indexed | Self::Operand)
    }
}
