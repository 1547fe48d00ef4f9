//! What a script declares with `agent.args`: names of options, and words for types.

use full_moon::ast::{Field, TableConstructor};

use super::calls::Visit;
use super::text::{self, Span};
use super::value::{self, Value};
use crate::api::shapes;
use crate::error::Error;
use crate::suggest::nearest;

impl Visit<'_> {
    /// Looks at the table that `agent.args` is given.
    pub(super) fn declaration(&mut self, table: &TableConstructor) {
        self.names(table, "agent.args");
        for field in table.fields() {
            if let Field::NoKey(value) = field
                && let Value::Table(argument) = Value::of(value)
            {
                self.names(argument, "agent.args: argument");
                self.type_of(argument);
            }
        }
    }

    /// Looks at what has a name in a table that has a list too.
    fn names(&mut self, table: &TableConstructor, shape: &str) {
        let Some(shape) = self.look.catalog.shapes.get(shape) else { return };
        for field in table.fields() {
            let Field::NameKey { key, value, .. } = field else { continue };
            if matches!(Value::of(value), Value::Nil) {
                continue;
            }
            if let Err(error) = shape.resolve(text::name(key)) {
                self.complain(Span::of(key), None, error);
            }
        }
    }

    /// Looks at the type of an argument: the first word behind its names, of which only those with dashes
    /// may be several.
    fn type_of(&mut self, argument: &TableConstructor) {
        let mut first = None;
        for field in argument.fields() {
            let Field::NoKey(written) = field else { continue };
            let Value::Text(Some(word)) = Value::of(written) else { return };
            let Some(name) = first else {
                first = Some(word);
                continue;
            };
            if word.starts_with('-') {
                continue;
            }
            if !shapes::TYPES.contains(&word) {
                let types = shapes::TYPES.map(|word| format!("`{word}`"));
                let why = format!("`agent.args`: `{word}`, said of `{name}`, is no type");
                let error = Error::usage(why).hint(match nearest(word, shapes::TYPES) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it is one of {}, or a list of words", value::join(&types)),
                });
                self.complain(Span::of_node(written), None, error);
            }
            return;
        }
    }
}
