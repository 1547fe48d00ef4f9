//! What agentlua's functions return: fields and methods that it does not have. Found late, such a
//! mistake is a dear one: the agents have worked by then.

use full_moon::tokenizer::TokenReference;

use super::reading::{How, Init, Target, Use};
use super::text::{self, Span};
use super::{Finding, Look, Severity};
use crate::api::result;
use crate::error::Error;
use crate::manual::Function;
use crate::suggest::{nearest, snake_case};

/// Classes whose tables raise when they are asked for another field, and the kinds of their results.
const STRICT: [(&str, &str); 11] = [
    ("agent.Config", "config"),
    ("agent.Integrated", "outcome"),
    ("agent.Outcome", "outcome"),
    ("git.Diff", "diff"),
    ("git.Head", "head"),
    ("git.MadeCommit", "made commit"),
    ("git.Merge", "merge"),
    ("git.ShownCommit", "shown commit"),
    ("git.Status", "status"),
    ("git.Transfer", "transfer"),
    ("sh.Result", "command result"),
];

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
    findings
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
        let (field, token, is_method) = match (named.path.first(), named.how) {
            // A script may keep things of its own there.
            (Some(_), How::Assigned) if named.path.len() == 1 => return None,
            (Some((field, token)), _) => (*field, *token, false),
            (None, How::Method(token)) => (text::name(token), token, true),
            _ => return None,
        };
        if let Some((_, what)) = HANDLES.iter().find(|(handle, _)| *handle == class) {
            let missing = is_method && !self.class_has(class, field);
            return missing.then(|| self.no_method(named, class, what, (field, token)));
        }
        let (_, kind) = STRICT.iter().find(|(strict, _)| *strict == class)?;
        let fields = result::fields(kind);
        if fields.contains(&&*snake_case(field)) || self.class_has(class, field) {
            return None;
        }
        let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let error = Error::usage(format!("{article} {kind} has no field `{field}`"));
        let error = match nearest(field, fields.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        };
        Some(self.finding(named.within, Span::of(token), severity, error))
    }

    fn no_method(
        &self,
        named: &Use<'_>,
        class: &str,
        what: &str,
        (method, token): (&str, &TokenReference),
    ) -> Finding {
        let manual = &self.catalog.manual;
        let variable = manual.class(class).and_then(|class| class.variable.as_deref());
        let methods = variable.into_iter().flat_map(|variable| manual.members(variable));
        let error = Error::usage(format!("{what} has no method `{method}`"));
        let error = match nearest(method, methods.map(Function::short_name)) {
            Some(near) => error.hint(format!("did you mean `:{near}`?")),
            None => error,
        };
        self.finding(named.within, Span::of(token), Severity::Error, error)
    }
}
