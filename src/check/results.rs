//! What agentlua's functions return: fields and methods that it does not have. Found late, such a
//! mistake is a dear one: the agents have worked by then.

use full_moon::tokenizer::TokenReference;

use super::reading::{Chain, How, Init, Target, Use};
use super::text::{self, Span};
use super::{Finding, Look, Severity};
use crate::api::result::{self, Kind};
use crate::error::Error;
use crate::manual::Function;
use crate::suggest::{nearest, snake_case};

/// Classes of handles, which have methods, and what they are called.
const HANDLES: [(&str, &str); 2] = [("agent.Task", "a task"), ("git.Worktree", "a worktree")];

/// Returns what is wrong with the use of results in a file.
pub(super) fn findings(look: &Look<'_>) -> Vec<Finding> {
    let uses = &look.reading.uses;
    let classes: Vec<_> =
        (0..look.reading.locals.len()).map(|local| look.class_of(local)).collect();
    let mut findings = Vec::new();
    for named in uses {
        let Target::Local(local) = named.target else { continue };
        let Some(class) = &classes[local] else { continue };
        // Others may have given it more fields.
        let changed = uses.iter().any(|other| {
            other.target == named.target
                && (matches!(other.how, How::Passed | How::Indexed) && other.path.is_empty()
                    || other.how == How::Assigned)
        });
        let severity = if changed { Severity::Warning } else { Severity::Error };
        findings.extend(look.unknown_field(named, class, severity));
    }
    findings.extend(look.reading.chains.iter().filter_map(|chain| look.chained(chain)));
    findings.extend((0..uses.len()).filter_map(|index| look.of_budget(index)));
    findings
}

/// A field or method that is asked for.
struct Asked<'a> {
    name: &'a str,
    token: &'a TokenReference,
    is_method: bool,
}

impl Look<'_> {
    /// Returns the class of a local that keeps what a function of agentlua's has returned.
    fn class_of(&self, local: usize) -> Option<String> {
        match self.reading.locals[local].init {
            Init::Value(value, Some(first)) if !self.reading.locals[local].changes => {
                self.result_of(value, first)
            }
            _ => None,
        }
    }

    fn unknown_field(&self, named: &Use<'_>, class: &str, severity: Severity) -> Option<Finding> {
        let asked = match (named.path.first(), named.how) {
            // A script may keep things of its own there.
            (Some(_), How::Assigned) if named.path.len() == 1 => return None,
            (Some((name, token)), _) => Asked { name, token, is_method: false },
            (None, How::Method(token)) => Asked { name: text::name(token), token, is_method: true },
            _ => return None,
        };
        let error = self.objection(class, &asked)?;
        // A handle gets no further methods.
        let severity = if is_handle(class) { Severity::Error } else { severity };
        Some(self.finding(named.within, Span::of(asked.token), severity, error))
    }

    /// Looks at what follows a call at once: `agent.query("x").reslt`.
    fn chained(&self, chain: &Chain<'_>) -> Option<Finding> {
        let class = self.returned(chain.callee)?;
        let Chain { name, token, is_method, .. } = *chain;
        let error = self.objection(&class, &Asked { name, token, is_method })?;
        let severity = if self.facts.mocked { Severity::Warning } else { Severity::Error };
        let within = self.reading.uses[chain.callee].within;
        Some(self.finding(within, Span::of(token), severity, error))
    }

    /// Looks at what is asked of `agent.budget`, which has few fields and refuses others.
    fn of_budget(&self, index: usize) -> Option<Finding> {
        let named = &self.reading.uses[index];
        let path = self.catalog.path(self.reading, index)?;
        let replaced = self.facts.replaced.contains("agent.budget");
        let (name, token) = match (path.module, &path.fields[..], named.how) {
            ("agent", ["budget"], How::Method(token)) => (text::name(token), token),
            ("agent", ["budget", _], How::Assigned) => return None,
            ("agent", ["budget", _, rest @ ..], _) => {
                *named.path.get(named.path.len().checked_sub(rest.len() + 1)?)?
            }
            _ => return None,
        };
        if replaced || self.class_has("agent.Budget", name) {
            return None;
        }
        let error = Error::usage(format!("`agent.budget` has no field `{name}`"));
        let error = error.hint("it has `total`, `:spent()` and `:remaining()`");
        let severity = if self.facts.mocked { Severity::Warning } else { Severity::Error };
        Some(self.finding(named.within, Span::of(token), severity, error))
    }

    /// Returns what Lua would say of a field or method that a class does not have.
    fn objection(&self, class: &str, asked: &Asked<'_>) -> Option<Error> {
        let name = asked.name;
        if let Some((_, what)) = HANDLES.iter().find(|(handle, _)| *handle == class) {
            let missing = asked.is_method && !self.class_has(class, name);
            return missing.then(|| self.no_method(class, what, name));
        }
        let kind = self.kind_of(class)?;
        if kind.fields.contains(&&*snake_case(name)) || self.class_has(class, name) {
            return None;
        }
        let article = if kind.name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let error = Error::usage(format!("{article} {} has no field `{name}`", kind.name));
        Some(error.hint(match nearest(name, kind.fields.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has `{}`", kind.fields.join("`, `")),
        }))
    }

    /// Returns the kind of result that a class is, or one that it extends.
    fn kind_of(&self, class: &str) -> Option<&'static Kind> {
        result::of_class(class).or_else(|| {
            let class = self.catalog.manual.class(class)?;
            class.parents.iter().find_map(|parent| result::of_class(parent))
        })
    }

    fn no_method(&self, class: &str, what: &str, method: &str) -> Error {
        let manual = &self.catalog.manual;
        let variable = manual.class(class).and_then(|class| class.variable.as_deref());
        let methods = variable.into_iter().flat_map(|variable| manual.members(variable));
        let error = Error::usage(format!("{what} has no method `{method}`"));
        match nearest(method, methods.map(Function::short_name)) {
            Some(near) => error.hint(format!("did you mean `:{near}`?")),
            None => error,
        }
    }
}

fn is_handle(class: &str) -> bool {
    HANDLES.iter().any(|(handle, _)| *handle == class)
}
