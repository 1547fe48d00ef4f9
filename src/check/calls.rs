//! Calls of agentlua's functions: arguments of the wrong type, and queries that are called where they
//! have to be passed. Tables of options are looked at in [`super::options`].

use full_moon::ast::{Expression, Field, FunctionArgs, TableConstructor, Var};
use full_moon::node::Node;

use super::options::{self, Table};
use super::reading::{Call, How, Target};
use super::text::{self, Span};
use super::value::{self, Value};
use super::{Finding, Look, Severity};
use crate::error::Error;
use crate::manual::Function;

/// Functions that take items, which are queries and no calls.
const OF_ITEMS: [&str; 4] = ["agent.all", "agent.all_settled", "agent.race", "agent.iter"];

/// Returns what is wrong with the calls of a file.
pub(super) fn findings(look: &Look<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for call in &look.reading.calls {
        let Some((name, function)) = look.callee(call) else { continue };
        let within = look.reading.uses[call.callee].within;
        let mut visit = Visit { look, call, within, found: Vec::new() };
        visit.call(&name, function);
        findings.append(&mut visit.found);
    }
    findings
}

impl<'a> Look<'a> {
    /// Returns the function that a call is of, and its name in messages, unless the script has put
    /// another in its place.
    fn callee(&self, call: &Call<'_>) -> Option<(String, &'a Function)> {
        if self.reading.uses[call.callee].how != How::Called {
            return None;
        }
        let path = self.catalog.path(self.reading, call.callee)?;
        if self.facts.replaced.contains(&path.text()) {
            return None;
        }
        let function = self.catalog.function(&path)?;
        // A twin is the function that it is the twin of.
        Some((function.twin_of().unwrap_or_else(|| path.text()), function))
    }

    /// Returns the table that an argument names, if it is made here and only given to functions.
    fn kept_table(&self, arg: &Expression) -> Option<&'a TableConstructor> {
        let Expression::Var(Var::Name(token)) = arg else { return None };
        let uses = &self.reading.uses;
        let target = uses.iter().find(|named| std::ptr::eq(named.name, token))?.target;
        let Target::Local(local) = target else { return None };
        let Value::Table(table) = Value::of(self.reading.constant(local)?.0) else { return None };
        let mut places = uses.iter().filter(|named| named.target == target);
        places.all(|named| named.how == How::Given && named.path.is_empty()).then_some(table)
    }

    /// Reports whether a value is a call of `agent.query`.
    fn is_query(&self, value: &Expression) -> bool {
        let Expression::FunctionCall(called) = value else { return false };
        let mut calls = self.reading.calls.iter();
        called.suffixes().count() <= 2
            && calls.any(|call| {
                let named = &self.reading.uses[call.callee];
                called.start_position() == named.name.start_position()
                    && self.callee(call).is_some_and(|(name, _)| name == "agent.query")
            })
    }
}

/// A call that is looked at.
pub(super) struct Visit<'a> {
    pub look: &'a Look<'a>,
    call: &'a Call<'a>,
    within: usize,
    found: Vec<Finding>,
}

impl<'a> Visit<'a> {
    /// Notes what is wrong; `place` goes before it.
    pub(super) fn complain(&mut self, span: Span, place: Option<&str>, mut error: Error) {
        if let Some(place) = place {
            error.message = format!("{place}: {}", error.message);
        }
        let mocked = self.look.facts.mocked;
        let severity = if mocked { Severity::Warning } else { Severity::Error };
        self.found.push(self.look.finding(self.within, span, severity, error));
    }

    fn call(&mut self, name: &str, function: &'a Function) {
        let args: Vec<&Expression> = match self.call.args {
            FunctionArgs::Parentheses { arguments, .. }
                if arguments.is_empty() && name == "agent.query" =>
            {
                let callee = self.look.reading.uses[self.call.callee].name;
                return self.complain(Span::of(callee), None, no_query("nil"));
            }
            FunctionArgs::Parentheses { arguments, .. } => arguments.iter().collect(),
            FunctionArgs::TableConstructor(table) => {
                return self.first_table(name, function, table);
            }
            _ => return,
        };
        for (index, arg) in args.iter().enumerate() {
            let kept = self.look.kept_table(arg);
            match kept.map_or_else(|| Value::of(arg), Value::Table) {
                Value::Table(table) if index == 0 => self.first_table(name, function, table),
                Value::Table(table) => {
                    if let Some(class) = self.options_of(function, index) {
                        self.options(name, class, table);
                    }
                }
                value => self.argument(name, function, index, arg, value),
            }
            if kept.is_none() {
                self.added(name, function, index, arg);
            }
        }
        if let (true, Some(first)) = (OF_ITEMS.contains(&name), args.first())
            && self.look.is_query(first)
        {
            let why = format!("`{name}` was given an outcome, not a table of items");
            self.complain(Span::of_node(*first), None, already_run(why));
        }
    }

    /// Looks at options that are put into a table before it is given: `t.max_turn = 3`. It is a warning:
    /// they may be put there on another way than that to the call.
    fn added(&mut self, name: &str, function: &'a Function, index: usize, arg: &Expression) {
        let Expression::Var(Var::Name(token)) = arg else { return };
        let uses = &self.look.reading.uses;
        let Some(given) = uses.iter().position(|named| std::ptr::eq(named.name, token)) else {
            return;
        };
        let target = uses[given].target;
        let Target::Local(local) = target else { return };
        let made = self.look.reading.constant(local).map(|(value, _)| Value::of(value));
        let Some(class) = self.options_of(function, index) else { return };
        let (Some(Value::Table(_)), Some(shape)) = (made, self.shape_named(&class.name, name))
        else {
            return;
        };
        let place = (name == "agent.spawn").then(|| format!("`{name}`"));
        let table = Table { shape, class, place, of_team: false };
        let mut others = uses.iter().filter(|named| named.target == target);
        if others.any(|named| named.path.is_empty() && named.how != How::Given) {
            return;
        }
        for named in &uses[..given] {
            let [(written, token)] = named.path[..] else { continue };
            let is_set = named.target == target && named.how == How::Assigned;
            if !is_set || named.within != self.within {
                continue;
            }
            if let Err(error) = options::resolve(&table, written) {
                self.complain(Span::of(token), table.place.as_deref(), error);
                if let Some(finding) = self.found.last_mut() {
                    finding.severity = Severity::Warning;
                }
            }
        }
    }

    /// Looks at an argument that is no table.
    fn argument(
        &mut self,
        name: &str,
        function: &Function,
        index: usize,
        arg: &Expression,
        value: Value<'_>,
    ) {
        let manual = &self.look.catalog.manual;
        let Some(param) = function.params.get(index) else { return };
        let (Some(actual), true) = (value.type_name(), param.name != "...") else { return };
        // Overloads take other things in the same place; all that is known of a query is said here.
        let overloaded = !function.overloads.is_empty() && name != "agent.query";
        let absent = matches!(value, Value::Nil) && name != "agent.query";
        if overloaded || absent || value.fits(&param.ty, manual) {
            return;
        }
        if name == "agent.query" {
            return self.complain(Span::of_node(arg), None, no_query(actual));
        }
        let expected = value::words(&param.ty, manual);
        let error = Error::usage(format!(
            "`{name}`: argument {} (`{}`) must be {expected}, not {actual}",
            index + 1,
            param.name
        ));
        self.complain(Span::of_node(arg), None, error);
    }

    /// Looks at a table that is the first argument: items, options, or a query.
    fn first_table(&mut self, name: &str, function: &'a Function, table: &'a TableConstructor) {
        if OF_ITEMS.contains(&name) {
            return self.items(name, table);
        }
        if name == "agent.args" {
            return self.declaration(table);
        }
        let class = self.options_of(function, 0).or_else(|| {
            // Options alone, as in `git.fetch { prune = true }`.
            let alone =
                function.overloads.iter().any(|overload| overload.contains("fun(options: "));
            let index = function.params.iter().position(|param| param.name == "options")?;
            self.options_of(function, index).filter(|_| alone)
        });
        if let Some(class) = class {
            return self.options(name, class, table);
        }
        let Some(param) = function.params.first() else { return };
        let manual = &self.look.catalog.manual;
        if function.overloads.is_empty() && !Value::Table(table).fits(&param.ty, manual) {
            let expected = value::words(&param.ty, manual);
            let error = Error::usage(format!(
                "`{name}`: argument 1 (`{}`) must be {expected}, not table",
                param.name
            ));
            self.complain(Span::of(table.braces().tokens().0), None, error);
        }
    }

    /// Looks at items: queries, prompts, functions, tasks.
    fn items(&mut self, name: &str, table: &'a TableConstructor) {
        let query = self.look.catalog.manual.class("agent.Query");
        let (mut number, mut named) = (0, None);
        for field in table.fields() {
            let (key, value) = match field {
                Field::NameKey { key, value, .. } => {
                    named = Some(key);
                    (format!("`{}`", text::name(key)), &**value)
                }
                Field::NoKey(value) => {
                    number += 1;
                    (number.to_string(), value)
                }
                Field::ExpressionKey { value, .. } => ("there".to_owned(), &**value),
                _ => continue,
            };
            let place = format!("`{name}`: item {key}");
            let span = Span::of_node(value);
            match Value::of(value) {
                Value::Table(spec) => {
                    let shape = self.shape_named("agent.Query", name);
                    if let (Some(class), Some(shape)) = (query, shape) {
                        let place = Some(place);
                        self.table(spec, &Table { shape, class, place, of_team: false });
                    }
                }
                other @ (Value::Flag(_) | Value::Number(_)) => {
                    let actual = other.type_name().unwrap_or_default();
                    let error = Error::usage(format!("{place} is a {actual}"));
                    let hint = "items are query tables, prompts, functions or tasks";
                    self.complain(span, None, error.hint(hint));
                }
                Value::Unknown if self.look.is_query(value) => {
                    let why = format!("{place} is an outcome, not a query");
                    self.complain(span, None, already_run(why));
                }
                _ => {}
            }
        }
        if let (Some(key), true) = (named, number > 0) {
            let why = "items are a list or have names, not both";
            let error = Error::usage(format!("`{name}`: {why} (`{}`)", text::name(key)));
            self.complain(Span::of(key), None, error);
        }
    }
}

fn no_query(actual: &str) -> Error {
    let why = "takes a table of options or a prompt";
    Error::usage(format!("`agent.query` {why}, not {actual}"))
}

fn already_run(why: String) -> Error {
    Error::usage(why).hint("`agent.query` has already run it: pass the query's table alone")
}
