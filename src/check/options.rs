//! Calls of agentlua's functions: options that there are not, values of the wrong type, what is
//! missing, and queries that are called where they have to be passed.

use std::collections::BTreeSet;

use full_moon::ast::{Expression, Field, FunctionArgs, TableConstructor};
use full_moon::node::Node;

use super::reading::{Call, How};
use super::text::{self, Span};
use super::value::{self, Value};
use super::{Finding, Look, Severity};
use crate::api::shapes;
use crate::error::Error;
use crate::manual::{Class, Function, Type};
use crate::suggest::nearest;
use crate::vm::Shape;

/// Functions that take items, which are queries and no calls.
const OF_ITEMS: [&str; 4] = ["agent.all", "agent.all_settled", "agent.race", "agent.iter"];

/// Classes of tables within options, and the names of their shapes.
const NESTED: [(&str, &str); 6] = [
    ("agent.Query", "agent.query"),
    ("agent.TeamOptions", "agent.query"),
    ("agent.WorktreeOptions", "agent.query: worktree"),
    ("agent.WorktreeDefaults", "agent.config: worktree"),
    ("agent.Hooks", "agent.query: hooks"),
    ("agent.HookMatcher", "agent.query: hooks: matcher"),
];

/// Returns what is wrong with the calls of a file.
pub(super) fn findings(look: &Look<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for call in &look.reading.calls {
        let Some(function) = look.callee(call) else { continue };
        let mut visit = Visit { look, call, within: 0, found: Vec::new() };
        visit.within = look.reading.uses[call.callee].within;
        visit.call(function);
        findings.append(&mut visit.found);
    }
    findings
}

impl<'a> Look<'a> {
    /// Returns the function that a call is of, unless the script has put another in its place.
    fn callee(&self, call: &Call<'_>) -> Option<&'a Function> {
        if self.reading.uses[call.callee].how != How::Called {
            return None;
        }
        let path = self.catalog.path(self.reading, call.callee)?;
        let function = self.catalog.function(&path)?;
        (!self.facts.replaced.contains(&function.name)).then_some(function)
    }

    /// Reports whether a value is a call of `agent.query`.
    fn is_query(&self, value: &Expression) -> bool {
        let Expression::FunctionCall(called) = value else { return false };
        let mut calls = self.reading.calls.iter();
        called.suffixes().count() <= 2
            && calls.any(|call| {
                let named = &self.reading.uses[call.callee];
                called.start_position() == named.name.start_position()
                    && self.callee(call).is_some_and(|function| {
                        ["agent.query", "agent.try_query"].contains(&function.name.as_str())
                    })
            })
    }
}

/// A call that is looked at.
struct Visit<'a> {
    look: &'a Look<'a>,
    call: &'a Call<'a>,
    within: usize,
    found: Vec<Finding>,
}

/// A table of options that is looked at.
struct Table<'a> {
    /// The shape, or the name of a function that takes only `limit`.
    shape: Result<&'static Shape, String>,
    class: &'a Class,
    /// Goes before each message: `agent.all`: item 1.
    place: Option<String>,
    /// Whether options that a merge decides about are refused.
    of_team: bool,
}

impl<'a> Visit<'a> {
    fn complain(&mut self, span: Span, place: Option<&str>, mut error: Error) {
        if let Some(place) = place {
            error.message = format!("{place}: {}", error.message);
        }
        let mocked = self.look.facts.mocked;
        let severity = if mocked { Severity::Warning } else { Severity::Error };
        self.found.push(self.look.finding(self.within, span, severity, error));
    }

    fn call(&mut self, function: &'a Function) {
        // As messages name it: a twin is the function that it is the twin of.
        let name = function.twin_of().unwrap_or_else(|| function.name.clone());
        let args: Vec<&Expression> = match self.call.args {
            FunctionArgs::Parentheses { arguments, .. } => arguments.iter().collect(),
            FunctionArgs::TableConstructor(table) => {
                return self.first_table(&name, function, table);
            }
            _ => return,
        };
        for (index, arg) in args.iter().enumerate() {
            match Value::of(arg) {
                Value::Table(table) if index == 0 => self.first_table(&name, function, table),
                Value::Table(table) => {
                    if let Some(class) = self.options_of(function, index) {
                        self.options(&name, class, table);
                    }
                }
                value => self.argument(&name, function, index, arg, value),
            }
        }
        if let (true, Some(first)) = (OF_ITEMS.contains(&&*name), args.first())
            && self.look.is_query(first)
        {
            let why = format!("`{name}` was given an outcome, not a table of items");
            self.complain(Span::of_node(*first), None, already_run(why));
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
        let absent = matches!(value, Value::Nil);
        if overloaded || absent || value.fits(&param.ty, manual) {
            return;
        }
        let expected = value::words(&param.ty, manual);
        let error = Error::usage(format!(
            "`{name}`: argument {} (`{}`) must be {expected}, not {actual}",
            index + 1,
            param.name
        ));
        self.complain(Span::of_node(arg), None, error);
    }

    /// Returns the class of options that a function takes in a place.
    fn options_of(&self, function: &'a Function, index: usize) -> Option<&'a Class> {
        let manual = &self.look.catalog.manual;
        let param = function.params.get(index)?;
        let tables = manual.tables(&param.ty);
        tables.into_iter().find(|class| self.shape_of(class, function).is_some())
    }

    /// Looks at a table that is the first argument: items, options, or a query.
    fn first_table(&mut self, name: &str, function: &'a Function, table: &'a TableConstructor) {
        if OF_ITEMS.contains(&name) {
            return self.items(name, table);
        }
        let class = self.options_of(function, 0).or_else(|| {
            // Options alone, as in `git.fetch { prune = true }`.
            let alone =
                function.overloads.iter().any(|overload| overload.contains("fun(options: "));
            let index = function.params.iter().position(|param| param.name == "options")?;
            self.options_of(function, index).filter(|_| alone)
        });
        match class {
            Some(class) => self.options(name, class, table),
            None => {
                let Some(param) = function.params.first() else { return };
                let manual = &self.look.catalog.manual;
                let fits = Value::Table(table).fits(&param.ty, manual);
                if !fits && function.overloads.is_empty() {
                    let expected = value::words(&param.ty, manual);
                    let name = format!("`{name}`: argument 1 (`{}`)", param.name);
                    let error = Error::usage(format!("{name} must be {expected}, not table"));
                    self.complain(Span::of(table.braces().tokens().0), None, error);
                }
            }
        }
    }

    fn options(&mut self, name: &str, class: &'a Class, table: &'a TableConstructor) {
        let place = (name == "agent.spawn").then(|| format!("`{name}`"));
        let shape = self.shape_named(&class.name, name);
        if let Some(shape) = shape {
            self.table(table, &Table { shape, class, place, of_team: false });
        }
    }

    fn shape_of(
        &self,
        class: &Class,
        function: &Function,
    ) -> Option<Result<&'static Shape, String>> {
        let name = function.twin_of().unwrap_or_else(|| function.name.clone());
        self.shape_named(&class.name, &name)
    }

    fn shape_named(&self, class: &str, function: &str) -> Option<Result<&'static Shape, String>> {
        let shapes = &self.look.catalog.shapes;
        if class == "agent.GroupOptions" {
            return Some(Err(function.to_owned()));
        }
        let nested = NESTED.iter().find(|(nested, _)| *nested == class).map(|(_, shape)| *shape);
        let is_options = class.ends_with("Options") || class == "sh.Program" || nested.is_some();
        shapes.get(nested.unwrap_or(function)).copied().map(Ok).filter(|_| is_options)
    }

    /// Looks at items: queries, prompts, functions, tasks.
    fn items(&mut self, name: &str, table: &'a TableConstructor) {
        let query = self.look.catalog.manual.class("agent.Query");
        let (mut number, mut named) = (0, None);
        for field in table.fields().iter() {
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

    /// Looks at a table of options.
    fn table(&mut self, table: &'a TableConstructor, of: &Table<'_>) {
        let place = of.place.as_deref();
        let function = of.shape.as_ref().map_or_else(String::as_str, |shape| shape.function);
        let fields = self.look.catalog.manual.fields(of.class);
        let (mut seen, mut number, mut complete) = (BTreeSet::new(), 0, true);
        for field in table.fields().iter() {
            let (written, token, value) = match field {
                Field::NameKey { key, value, .. } => (text::name(key), key, &**value),
                Field::ExpressionKey { key, value, .. } => match &**key {
                    Expression::String(token) => match text::string(token) {
                        Some(written) => (written, token, &**value),
                        None => continue,
                    },
                    _ => {
                        complete = false;
                        continue;
                    }
                },
                Field::NoKey(value) => {
                    number += 1;
                    if !matches!(Value::of(value), Value::Nil | Value::Unknown) {
                        let error = Error::usage(format!(
                            "`{function}` takes named options, not the number key {number}"
                        ));
                        self.complain(Span::of_node(value), place, error);
                    }
                    complete = false;
                    continue;
                }
                _ => continue,
            };
            if matches!(Value::of(value), Value::Nil) {
                continue;
            }
            let known = match resolve(of, written) {
                Ok(known) => known,
                Err(error) => {
                    // It may be meant for one that has to be there.
                    complete = false;
                    self.complain(Span::of(token), place, error);
                    continue;
                }
            };
            if !seen.insert(known.clone()) {
                if table.fields().iter().filter(|field| is_named(field, written)).count() < 2 {
                    let why = format!("`{function}`: `{known}` is given twice");
                    self.complain(Span::of(token), place, Error::usage(why));
                }
                continue;
            }
            if let Some(field) = fields.get(&known) {
                self.option(of, function, &known, &field.ty, value);
            }
        }
        let missing = fields.values().find(|field| !field.optional && !seen.contains(&field.name));
        if let Some(field) = missing.filter(|_| complete && !of.of_team) {
            let span = Span::of(table.braces().tokens().0);
            let error = Error::usage(format!("`{function}` needs the option `{}`", field.name));
            self.complain(span, place, error);
        }
    }

    /// Looks at the value of an option.
    fn option(
        &mut self,
        of: &Table<'_>,
        function: &str,
        name: &str,
        ty: &Type,
        written: &'a Expression,
    ) {
        let manual = &self.look.catalog.manual;
        let (place, span) = (of.place.as_deref(), Span::of_node(written));
        let value = Value::of(written);
        let bad = |why: String| Error::usage(format!("`{function}`: option `{name}` {why}"));
        if !value.fits(ty, manual) {
            let actual = value.type_name().unwrap_or_default();
            let choices = choices(ty, manual);
            let error = match value {
                Value::Text(Some(text)) if !choices.is_empty() => {
                    let words: Vec<_> = choices.iter().map(|word| format!("`{word}`")).collect();
                    let error = bad(format!("must be {}, not `{text}`", value::join(&words)));
                    match nearest(text, choices.iter().map(String::as_str)) {
                        Some(near) => error.hint(format!("did you mean `{near}`?")),
                        None => error,
                    }
                }
                Value::Number(false) if value::words(ty, manual) == "a whole number" => {
                    let number = written.to_string();
                    bad(format!("must be a whole number, not {}", number.trim()))
                }
                _ => bad(format!("must be {}, not {actual}", value::words(ty, manual))),
            };
            return self.complain(span, place, error);
        }
        match value {
            Value::Text(Some(text)) if name == "prompt" && text.trim().is_empty() => {
                self.complain(span, place, bad("is empty".to_owned()));
            }
            Value::Table(table) => self.nested(of, function, name, ty, table),
            _ => {}
        }
    }

    /// Looks at a table that is the value of an option.
    fn nested(
        &mut self,
        of: &Table<'_>,
        function: &str,
        name: &str,
        ty: &Type,
        table: &'a TableConstructor,
    ) {
        let manual = &self.look.catalog.manual;
        if name == "mcp_servers" {
            return self.servers(of, function, table);
        }
        let strings = Type::List(Box::new(Type::Name("string".to_owned())));
        let choices = ty.choices();
        if choices.contains(&&strings) && choices.iter().all(|ty| !matches!(ty, Type::Name(_))) {
            return self.strings(of, function, name, table);
        }
        // An outcome may stand in the same place, and is no table of options.
        if has_key(table, "base_commit") {
            return;
        }
        let nested = manual.tables(ty).into_iter().find_map(|class| {
            let is_nested = NESTED.iter().any(|(nested, _)| *nested == class.name);
            let shape = self.shape_named(&class.name, "").filter(|_| is_nested)?;
            Some((class, shape))
        });
        let Some((class, shape)) = nested else { return };
        let of_team = class.name == "agent.TeamOptions";
        let place = match (&of.place, of_team) {
            (place, true) => {
                let place = place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
                Some(format!("{place}`{function}`: option `{name}`"))
            }
            (place, false) => place.clone(),
        };
        self.table(table, &Table { shape, class, place, of_team });
    }

    /// Looks at a list of strings.
    fn strings(&mut self, of: &Table<'_>, function: &str, name: &str, table: &TableConstructor) {
        for field in table.fields().iter() {
            let span = match field {
                Field::NoKey(value) => match Value::of(value) {
                    Value::Text(_) | Value::Unknown | Value::Nil => continue,
                    _ => Span::of_node(value),
                },
                Field::NameKey { key, .. } => Span::of(key),
                _ => continue,
            };
            let why = format!("`{function}`: option `{name}` must be a list of strings");
            self.complain(span, of.place.as_deref(), Error::usage(why));
        }
    }

    /// Looks at MCP servers, each a program or a host.
    fn servers(&mut self, of: &Table<'_>, function: &str, table: &'a TableConstructor) {
        let manual = &self.look.catalog.manual;
        for field in table.fields().iter() {
            let Field::NameKey { key, value, .. } = field else { continue };
            let Value::Table(server) = Value::of(value) else { continue };
            let kind = server.fields().iter().find_map(|field| match field {
                Field::NameKey { key, value, .. } if text::name(key) == "type" => {
                    Some(Value::of(value))
                }
                _ => None,
            });
            let (class, shape) = match kind {
                None if has_key(server, "url") => continue,
                None | Some(Value::Text(Some("stdio"))) => ("agent.McpProgram", shapes::SERVERS[0]),
                Some(Value::Text(Some("http"))) => ("agent.McpHost", shapes::SERVERS[1]),
                Some(_) => continue,
            };
            let Some(class) = manual.class(class) else { continue };
            let before = of.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
            let place = Some(format!("{before}`{function}`: server `{}`", text::name(key)));
            self.table(server, &Table { shape: Ok(shape), class, place, of_team: false });
        }
    }
}

/// Returns our name for an option as it is written.
fn resolve(of: &Table<'_>, written: &str) -> Result<String, Error> {
    match &of.shape {
        Err(_) if written == "limit" => Ok(written.to_owned()),
        Err(function) => {
            let error = Error::usage(format!("`{function}` has no option `{written}`"));
            Err(error.hint("it takes `limit`"))
        }
        Ok(shape) => match shapes::team_refusal(written, "").filter(|_| of.of_team) {
            Some(mut error) => {
                error.message = error.message.trim_start_matches(": ").to_owned();
                Err(error)
            }
            None => shape.resolve(written).map(str::to_owned),
        },
    }
}

/// Returns the words that a type is one of.
fn choices(ty: &Type, manual: &crate::manual::Manual) -> Vec<String> {
    let mut words = Vec::new();
    for choice in ty.choices() {
        match choice {
            Type::Literal(literal) if literal.starts_with('"') => {
                words.push(literal.trim_matches('"').to_owned());
            }
            Type::Name(name) => {
                words.extend(
                    manual.alias(name).into_iter().flat_map(|alias| choices(&alias.ty, manual)),
                );
            }
            _ => {}
        }
    }
    words
}

fn is_named(field: &Field, name: &str) -> bool {
    matches!(field, Field::NameKey { key, .. } if text::name(key) == name)
}

fn has_key(table: &TableConstructor, name: &str) -> bool {
    table.fields().iter().any(|field| is_named(field, name))
}

fn already_run(why: String) -> Error {
    Error::usage(why).hint("`agent.query` has already run it: pass the query's table alone")
}
