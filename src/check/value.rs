//! What a value is, as far as one sees it, and whether it is of a type.

use full_moon::ast::{Expression, TableConstructor, UnOp};

use super::text;
use crate::manual::{Manual, Type};

/// A value as it is written.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Nil,
    Flag(bool),
    /// Whether it is whole.
    Number(bool),
    /// What it says, unless it has escapes.
    Text(Option<&'a str>),
    Function,
    Table(&'a TableConstructor),
    /// What only running would tell.
    Unknown,
}

impl<'a> Value<'a> {
    pub fn of(value: &'a Expression) -> Self {
        match value {
            Expression::Parentheses { expression, .. } => Self::of(expression),
            Expression::UnaryOperator { unop: UnOp::Minus(_), expression } => {
                match Self::of(expression) {
                    number @ Self::Number(_) => number,
                    _ => Self::Unknown,
                }
            }
            Expression::Number(token) => Self::Number(is_whole(&token.token().to_string())),
            Expression::String(token) => Self::Text(text::string(token)),
            Expression::Symbol(token) => match token.token().to_string().as_str() {
                "nil" => Self::Nil,
                "true" => Self::Flag(true),
                "false" => Self::Flag(false),
                _ => Self::Unknown,
            },
            Expression::Function(_) => Self::Function,
            Expression::TableConstructor(table) => Self::Table(table),
            _ => Self::Unknown,
        }
    }

    /// Returns its type as Lua names it; nothing for what is not known.
    pub fn type_name(self) -> Option<&'static str> {
        match self {
            Self::Nil => Some("nil"),
            Self::Flag(_) => Some("boolean"),
            Self::Number(_) => Some("number"),
            Self::Text(_) => Some("string"),
            Self::Function => Some("function"),
            Self::Table(_) => Some("table"),
            Self::Unknown => None,
        }
    }

    /// Reports whether it may be of a type.
    pub fn fits(self, ty: &Type, manual: &Manual) -> bool {
        match ty {
            Type::Union(types) => types.iter().any(|ty| self.fits(ty, manual)),
            Type::Literal(literal) => match self {
                Self::Text(Some(text)) => literal.trim_matches('"') == text,
                Self::Flag(flag) => *literal == flag.to_string(),
                Self::Text(None) | Self::Unknown => true,
                _ => false,
            },
            Type::List(_) | Type::Map(..) => matches!(self, Self::Table(_) | Self::Unknown),
            Type::Function(_) => matches!(self, Self::Function | Self::Unknown),
            Type::Name(name) => self.fits_name(name, manual),
        }
    }

    fn fits_name(self, name: &str, manual: &Manual) -> bool {
        match (name, self) {
            (_, Self::Unknown) => true,
            ("string", value) => matches!(value, Self::Text(_)),
            ("integer", value) => matches!(value, Self::Number(true)),
            ("number", value) => matches!(value, Self::Number(_)),
            ("boolean", value) => matches!(value, Self::Flag(_)),
            ("function", value) => matches!(value, Self::Function),
            ("table", value) => matches!(value, Self::Table(_)),
            ("nil", value) => matches!(value, Self::Nil),
            (name, value) => match (manual.alias(name), manual.class(name)) {
                (Some(alias), _) => value.fits(&alias.ty, manual),
                // A handle is none, but a class is not known to be one.
                (None, Some(_)) => matches!(value, Self::Table(_)),
                (None, None) => true,
            },
        }
    }
}

/// Reports whether a number is one that stands for a whole: `5`, `5.0`, `0x10`, `1e3`.
fn is_whole(text: &str) -> bool {
    let hex = text.to_ascii_lowercase().starts_with("0x");
    // What is not read here is taken for whole: nobody writes turns as `0x1p4`.
    hex || text.parse::<f64>().map_or(true, |number| number.fract() == 0.0)
}

/// Reports whether a number as it is written is less than 1.
pub(super) fn is_below_one(value: &Expression) -> bool {
    let text = value.to_string();
    text.trim().parse::<f64>().is_ok_and(|number| number < 1.0)
}

/// Returns what a type takes, in the words of messages.
pub(super) fn words(ty: &Type, manual: &Manual) -> String {
    let mut words: Vec<String> = Vec::new();
    collect(ty, manual, &mut words);
    join(&words)
}

fn collect(ty: &Type, manual: &Manual, words: &mut Vec<String>) {
    let word = match ty {
        Type::Union(types) => {
            return types.iter().for_each(|ty| collect(ty, manual, words));
        }
        Type::Literal(literal) if literal.starts_with('"') => "a string",
        Type::Literal(literal) => literal,
        Type::List(inner) if **inner == Type::Name("string".to_owned()) => "a list of strings",
        Type::List(_) => "a list",
        Type::Map(_, value) if **value == Type::Name("string".to_owned()) => {
            "a table of strings by name"
        }
        Type::Map(..) => "a table",
        Type::Function(_) => "a function",
        Type::Name(name) => match name.as_str() {
            "nil" => return,
            "string" => "a string",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            "function" => "a function",
            "agent.Outcome" => "an outcome",
            "agent.Task" => "a task",
            "agent.Model" => "an `agent.model`",
            "agent.Tool" => "an `agent.tool`",
            "git.Worktree" => "a worktree",
            name => match manual.alias(name) {
                Some(alias) => return collect(&alias.ty, manual, words),
                None => "a table",
            },
        },
    };
    if !words.iter().any(|known| known == word) {
        words.push(word.to_owned());
    }
}

/// Joins as people do: `a, b or c`.
pub(super) fn join(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
