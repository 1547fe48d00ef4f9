//! Tables of options: names that there are not, values of the wrong type, and what is missing.

use std::collections::BTreeSet;

use full_moon::ast::{Expression, Field, TableConstructor};

use super::calls::Visit;
use super::text::{self, Span};
use super::value::{self, Value};
use crate::api::shapes;
use crate::error::Error;
use crate::manual::{Class, Function, Manual, Type};
use crate::suggest::nearest;
use crate::vm::Shape;

/// Classes of tables within options, and the names of their shapes.
const NESTED: [(&str, &str); 7] = [
    ("agent.Query", "agent.query"),
    ("agent.TeamOptions", "agent.query"),
    ("agent.WorktreeOptions", "agent.query: worktree"),
    ("agent.WorktreeDefaults", "agent.config: worktree"),
    ("agent.Hooks", "agent.query: hooks"),
    ("agent.HookMatcher", "agent.query: hooks: matcher"),
    ("sh.Options", "sh"),
];

/// A table of options that is looked at.
pub(super) struct Table<'a> {
    /// The shape, or the name of a function that takes only `limit`.
    pub shape: Result<&'static Shape, String>,
    pub class: &'a Class,
    /// Goes before each message: `agent.all`: item 1.
    pub place: Option<String>,
    /// Whether options that a merge decides about are refused.
    pub of_team: bool,
}

impl<'a> Visit<'a> {
    /// Returns the class of options that a function takes in a place.
    pub(super) fn options_of(&self, function: &'a Function, index: usize) -> Option<&'a Class> {
        let manual = &self.look.catalog.manual;
        let param = function.params.get(index)?;
        let tables = manual.tables(&param.ty);
        tables.into_iter().find(|class| self.shape_of(class, function).is_some())
    }

    /// Looks at a table of options of a function.
    pub(super) fn options(&mut self, name: &str, class: &'a Class, table: &'a TableConstructor) {
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

    /// Returns the shape of a class of options; an error is a function that takes only `limit`.
    pub(super) fn shape_named(
        &self,
        class: &str,
        function: &str,
    ) -> Option<Result<&'static Shape, String>> {
        let shapes = &self.look.catalog.shapes;
        if class == "agent.GroupOptions" {
            return Some(Err(function.to_owned()));
        }
        let nested = NESTED.iter().find(|(nested, _)| *nested == class).map(|(_, shape)| *shape);
        let is_options = class.ends_with("Options") || class == "sh.Program" || nested.is_some();
        shapes.get(nested.unwrap_or(function)).copied().map(Ok).filter(|_| is_options)
    }

    /// Looks at a table of options.
    pub(super) fn table(&mut self, table: &'a TableConstructor, of: &Table<'_>) {
        let place = of.place.as_deref();
        let function = of.shape.as_ref().map_or_else(String::as_str, |shape| shape.function);
        let fields = self.look.catalog.manual.fields(of.class);
        let (mut seen, mut number, mut complete) = (BTreeSet::new(), 0, true);
        for field in table.fields() {
            let (written, token, value) = match field {
                Field::NameKey { key, value, .. } => (text::name(key), key, &**value),
                Field::ExpressionKey { key, value, .. } => {
                    complete = false;
                    let Expression::String(token) = &**key else { continue };
                    let Some(written) = text::string(token) else { continue };
                    (written, token, &**value)
                }
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
        if function == "agent.query" {
            self.site(table, place);
        }
        let missing = fields.values().find(|field| !field.optional && !seen.contains(&field.name));
        if let Some(field) = missing.filter(|_| complete && !of.of_team) {
            let span = Span::of(table.braces().tokens().0);
            let error = Error::usage(format!("`{function}` needs the option `{}`", field.name));
            self.complain(span, place, error);
        }
    }

    /// Looks at `worktree = false` beside what only worktrees have.
    fn site(&mut self, table: &TableConstructor, place: Option<&str>) {
        let value = |name: &str| {
            let field = table.fields().iter().find(|field| is_named(field, name));
            field.and_then(|field| match field {
                Field::NameKey { value, .. } => Some((&**value, Value::of(value))),
                _ => None,
            })
        };
        let Some((written, Value::Flag(false))) = value("worktree") else { return };
        let is_there = |name: &&&str| {
            value(name).is_some_and(|(_, value)| !matches!(value, Value::Nil | Value::Unknown))
        };
        if let Some(name) = shapes::OF_WORKTREES.iter().find(is_there) {
            let why = "`agent.query`: option `worktree` is false, but";
            let error = Error::usage(format!("{why} `{name}` is given"));
            self.complain(Span::of_node(written), place, error);
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
            // None of them is a number that may be less.
            Value::Number(true)
                if value::words(ty, manual) == "a whole number" && value::is_below_one(written) =>
            {
                let number = written.to_string();
                let why = format!("must be a whole number above 0, not {}", number.trim());
                self.complain(span, place, bad(why));
            }
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
        for field in table.fields() {
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
        for field in table.fields() {
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
pub(super) fn resolve(of: &Table<'_>, written: &str) -> Result<String, Error> {
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
fn choices(ty: &Type, manual: &Manual) -> Vec<String> {
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
