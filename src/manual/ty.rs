//! A type as a stub writes it.

use std::fmt;

use anyhow::{Result, bail};

/// A type of `LuaCATS`, as far as the stubs use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `string`, `agent.Query`, a type parameter.
    Name(String),
    /// One value: `"merge"`, `false`.
    Literal(String),
    /// `string[]`
    List(Box<Self>),
    /// `table<string, any>`
    Map(Box<Self>, Box<Self>),
    /// `fun(item: V): R`, as it is written.
    Function(String),
    /// One of several; `T?` is one of `T` and `nil`.
    Union(Vec<Self>),
}

impl Type {
    /// Reads the type at the start of `text`, and returns what follows it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn read(text: &str) -> Result<(Self, &str)> {
        let (first, mut rest) = Self::read_one(text.trim_start())?;
        let mut types = vec![first];
        while let Some(next) = rest.strip_prefix('|') {
            let (ty, after) = Self::read_one(next)?;
            types.push(ty);
            rest = after;
        }
        let ty = match types.len() {
            1 => types.swap_remove(0),
            _ => Self::Union(types),
        };
        Ok((ty, rest))
    }

    fn read_one(text: &str) -> Result<(Self, &str)> {
        let (mut ty, mut rest) = if let Some(inner) = text.strip_prefix('(') {
            let (ty, rest) = Self::read(inner)?;
            let Some(rest) = rest.strip_prefix(')') else { bail!("`)` is missing in `{text}`") };
            (ty, rest)
        } else if text.starts_with("fun(") || text.starts_with("async fun(") {
            let end = function_end(text)?;
            (Self::Function(text[..end].to_owned()), &text[end..])
        } else if let Some(inner) = text.strip_prefix("table<") {
            let (key, rest) = Self::read(inner)?;
            let Some(rest) = rest.strip_prefix(',') else { bail!("`,` is missing in `{text}`") };
            let (value, rest) = Self::read(rest)?;
            let Some(rest) = rest.strip_prefix('>') else { bail!("`>` is missing in `{text}`") };
            (Self::Map(Box::new(key), Box::new(value)), rest)
        } else if let Some(inner) = text.strip_prefix('"') {
            let Some(end) = inner.find('"') else { bail!("`\"` is missing in `{text}`") };
            (Self::Literal(text[..end + 2].to_owned()), &inner[end + 1..])
        } else {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
            let name = text[..end].trim_end_matches("...").to_owned();
            match name.as_str() {
                // `...` of a function's parameters and results.
                "" if end > 0 => (Self::Name("any".to_owned()), &text[end..]),
                "" => bail!("`{text}` is no type"),
                "true" | "false" => (Self::Literal(name), &text[end..]),
                _ => (Self::Name(name), &text[end..]),
            }
        };
        loop {
            if let Some(after) = rest.strip_prefix("[]") {
                (ty, rest) = (Self::List(Box::new(ty)), after);
            } else if let Some(after) = rest.strip_prefix('?') {
                (ty, rest) = (Self::Union(vec![ty, Self::Name("nil".to_owned())]), after);
            } else {
                return Ok((ty, rest));
            }
        }
    }

    /// Returns the names in it, those in functions left out.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Name(name) => vec![name],
            Self::List(inner) => inner.names(),
            Self::Map(key, value) => [key.names(), value.names()].concat(),
            Self::Union(types) => types.iter().flat_map(Self::names).collect(),
            Self::Literal(_) | Self::Function(_) => Vec::new(),
        }
    }

    /// Returns the types that it is one of; itself, if it is no union.
    pub fn choices(&self) -> Vec<&Self> {
        match self {
            Self::Union(types) => types.iter().flat_map(Self::choices).collect(),
            other => vec![other],
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(text) | Self::Literal(text) | Self::Function(text) => f.write_str(text),
            Self::List(inner) if matches!(**inner, Self::Union(_) | Self::Function(_)) => {
                write!(f, "({inner})[]")
            }
            Self::List(inner) => write!(f, "{inner}[]"),
            Self::Map(key, value) => write!(f, "table<{key}, {value}>"),
            Self::Union(types) => {
                let nil = Self::Name("nil".to_owned());
                let (present, optional) = match types.as_slice() {
                    [one, last] if *last == nil => (std::slice::from_ref(one), true),
                    all => (all, false),
                };
                for (index, ty) in present.iter().enumerate() {
                    let bar = if index > 0 { "|" } else { "" };
                    match ty {
                        // What follows would belong to what the function returns.
                        Self::Function(_) if types.len() > 1 => write!(f, "{bar}({ty})")?,
                        _ => write!(f, "{bar}{ty}")?,
                    }
                }
                if optional { f.write_str("?") } else { Ok(()) }
            }
        }
    }
}

/// Returns where a function's type ends: after its parameters, and what it returns.
fn function_end(text: &str) -> Result<usize> {
    let open = text.find('(').unwrap_or_default();
    let mut depth = 0;
    let mut end = None;
    for (at, c) in text.char_indices().skip(open) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            end = Some(at + 1);
            break;
        }
    }
    let Some(mut end) = end else { bail!("`)` is missing in `{text}`") };
    let mut separator = ':';
    while let Some(returned) = text[end..].strip_prefix(separator) {
        let (_, rest) = Type::read(returned)?;
        end = text.len() - rest.len();
        separator = ',';
    }
    Ok(end)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_and_written_back() {
        for text in [
            "string",
            "agent.Query|string",
            "(string|agent.Model)[]",
            "table<string, agent.McpProgram|agent.McpHost>",
            "\"number\"|\"continue\"|false",
            "string|(fun(outcome: agent.Outcome, worktree?: git.Worktree): ...)",
            "(async fun(value: any, item: V, key: K): any)[]",
            "agent.Outcome?",
            "fun(): K, agent.Outcome|any, agent.Error|any",
        ] {
            let (ty, rest) = Type::read(text).unwrap();
            assert_eq!((ty.to_string().as_str(), rest), (text, ""));
        }
    }

    #[test]
    fn what_follows_is_left() {
        let (ty, rest) = Type::read("agent.Outcome? outcome, what it did").unwrap();
        assert_eq!((ty.choices().len(), rest), (2, " outcome, what it did"));
        let (ty, rest) = Type::read("agent.Outcome|any ...").unwrap();
        assert_eq!((ty.to_string().as_str(), rest), ("agent.Outcome|any", " ..."));
        assert!(Type::read("(string").is_err() && Type::read("| x").is_err());
    }
}
