//! A Lua file as a tree, and places in it.

use full_moon::ast::Ast;
use full_moon::node::Node;
use full_moon::tokenizer::{Position, TokenReference, TokenType};

/// A place in a file: from a column to another, both counted in characters from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub line: usize,
    pub column: usize,
    /// Behind the last character.
    pub end: usize,
}

impl Span {
    /// Returns the place of a name, a string or a symbol.
    pub fn of(token: &TokenReference) -> Self {
        Self::between(token.token().start_position(), token.token().end_position())
    }

    /// Returns the place of anything, as far as it is on its first line.
    pub fn of_node(node: &impl Node) -> Self {
        node.range()
            .map_or(Self { line: 1, column: 1, end: 1 }, |(start, end)| Self::between(start, end))
    }

    fn between(start: Position, end: Position) -> Self {
        let (line, column) = (start.line(), start.character());
        let end = if end.line() == line { end.character() } else { column + 1 };
        Self { line, column, end: end.max(column + 1) }
    }
}

/// Reads a file that Lua itself takes. Nothing where the two do not agree about it: then there is
/// nothing to say.
pub(super) fn parse(source: &[u8]) -> Option<Ast> {
    let text = String::from_utf8_lossy(source);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // Lua passes over a first line with `#`, whatever follows that.
    let first = text.find('\n').unwrap_or(text.len());
    let blank = if text.starts_with('#') { first } else { 0 };
    full_moon::parse(&format!("{}{}", " ".repeat(blank), &text[blank..])).ok()
}

/// Returns the name that a token is; nothing for others.
pub(super) fn name(token: &TokenReference) -> &str {
    match token.token_type() {
        TokenType::Identifier { identifier } => identifier.as_str(),
        _ => "",
    }
}

/// Returns what a string says; nothing where it has escapes.
pub(super) fn string(token: &TokenReference) -> Option<&str> {
    match token.token_type() {
        TokenType::StringLiteral { literal, .. } => {
            Some(literal.as_str()).filter(|text| !text.contains('\\'))
        }
        _ => None,
    }
}
