//! What is wanted at a place in Lua text: the type of a parameter, a field or an item, as the manual has
//! it, for whatever is being typed there.

use super::lexer::{Kind, Token};
use crate::manual::{Class, Field, Manual, Type};

/// What a place takes.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Its types, aliases replaced by what they stand for.
    pub types: Vec<Type>,
    /// The name of the parameter or field; empty for an item of a list.
    pub name: String,
}

/// Text up to where somebody types, as far as it is known what things in it are.
pub(super) struct Text<'a> {
    /// The text in pieces, without comments and what is being typed.
    pub tokens: &'a [Token<'a>],
    /// What Lua has.
    pub manual: &'a Manual,
    /// Returns the class in the manual of what a path leads to.
    pub class_of: &'a dyn Fn(&[String]) -> Option<&'static str>,
}

/// Returns the names at the end of `tokens`: `git` and `diff` of `x = git.diff`.
pub(super) fn chain(tokens: &[Token<'_>]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = tokens;
    loop {
        let (last, before) = rest.split_last()?;
        if last.kind != Kind::Name {
            return None;
        }
        names.insert(0, last.text.to_owned());
        match before.split_last() {
            Some((link, before)) if link.is(".") || link.is(":") => rest = before,
            // What follows are the parameters of a new function.
            Some((link, _)) if link.is("function") => return None,
            _ => return Some(names),
        }
    }
}

/// Returns where the innermost bracket is that is open at the end.
pub(super) fn innermost(tokens: &[Token<'_>]) -> Option<usize> {
    let mut closed = 0;
    for (index, token) in tokens.iter().enumerate().rev() {
        if token.is(")") || token.is("}") || token.is("]") {
            closed += 1;
        } else if token.is("(") || token.is("{") || token.is("[") {
            if closed == 0 {
                return Some(index);
            }
            closed -= 1;
        }
    }
    None
}

/// Returns the names of the fields that `tokens` sets, brackets in it left out, up to where the
/// bracket ends around it.
pub(super) fn fields_set<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let mut depth = 0;
    let mut names = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.is(")") || token.is("}") || token.is("]") {
            if depth == 0 {
                break;
            }
            depth -= 1;
        } else if token.is("(") || token.is("{") || token.is("[") {
            depth += 1;
        } else if depth == 0
            && token.kind == Kind::Name
            && tokens.get(index + 1).is_some_and(|next| next.is("="))
        {
            names.push(token.text);
        }
    }
    names
}

impl Text<'_> {
    /// Returns what is wanted where the piece `at` is, or would be.
    pub fn wanted(&self, at: usize) -> Option<Wanted> {
        let before = &self.tokens[..at];
        let last = before.last()?;
        if last.kind == Kind::Name {
            // What is called takes a string or a table without parentheses.
            return self.parameter(&chain(before)?, 0);
        }
        let open = innermost(before)?;
        let follows = last.is(",") || last.is(";") || before.len() == open + 1;
        match (before[open].text, last.text) {
            ("(", _) if follows => {
                self.parameter(&chain(&before[..open])?, commas(&before[open + 1..]))
            }
            ("{", "=") => {
                let name = before.get(at.checked_sub(2)?).filter(|t| t.kind == Kind::Name)?;
                let field = self.options(open).into_iter().find(|field| field.name == name.text)?;
                Some(Wanted { types: self.expanded(&field.ty), name: field.name })
            }
            ("{", _) if follows => {
                let items = self.wanted(open)?.types.into_iter().filter_map(|ty| match ty {
                    Type::List(item) | Type::Map(_, item) => Some(self.expanded(&item)),
                    _ => None,
                });
                Some(Wanted { types: items.flatten().collect(), name: String::new() })
            }
            _ => None,
        }
    }

    /// Returns the fields that the table takes whose bracket is at `open`, in the order of the manual.
    pub fn options(&self, open: usize) -> Vec<Field> {
        let Some(wanted) = self.wanted(open) else { return Vec::new() };
        let classes = wanted.types.iter().flat_map(|ty| self.manual.tables(ty));
        // Results and handles are passed on whole; nobody writes one.
        let options = classes.filter(|class| !is_result(class));
        let mut fields: Vec<Field> = Vec::new();
        for field in options.flat_map(|class| self.fields(class)) {
            if fields.iter().all(|known| known.name != field.name) {
                fields.push(field);
            }
        }
        fields
    }

    fn fields(&self, class: &Class) -> Vec<Field> {
        let parents = class.parents.iter().filter_map(|parent| self.manual.class(parent));
        let inherited = parents.flat_map(|parent| self.fields(parent));
        class.fields.iter().cloned().chain(inherited).collect()
    }

    /// Returns what a function takes at a place.
    fn parameter(&self, path: &[String], index: usize) -> Option<Wanted> {
        let (name, owner) = path.split_last()?;
        let mut function = self.manual.function(&path.join("."));
        if function.is_none() && !owner.is_empty() {
            let class = self.manual.class((self.class_of)(owner)?)?;
            function = self.manual.function(&format!("{}.{name}", class.variable.as_ref()?));
        }
        let param = function.and_then(|function| {
            let rest = function.params.last().filter(|param| param.name == "...");
            function.params.get(index).or(rest)
        });
        let mut wanted = Wanted { types: Vec::new(), name: String::new() };
        if let Some(param) = param {
            wanted = Wanted { types: self.expanded(&param.ty), name: param.name.clone() };
        }
        let overloads = match function {
            Some(function) => &function.overloads,
            None => &self.manual.module(&path.join("."))?.overloads,
        };
        for (name, ty) in overloads.iter().filter_map(|text| overload_parameter(text, index)) {
            let words = ty.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_');
            for word in words.filter(|word| !word.is_empty()) {
                wanted.types.extend(self.expanded(&Type::Name(word.to_owned())));
            }
            if wanted.name.is_empty() {
                name.clone_into(&mut wanted.name);
            }
        }
        Some(wanted)
    }

    /// Returns what a type is one of, through aliases. An alias stays beside what it stands for.
    fn expanded(&self, ty: &Type) -> Vec<Type> {
        let mut types = Vec::new();
        for choice in ty.choices() {
            if let Type::Name(name) = choice
                && let Some(alias) = self.manual.alias(name)
            {
                types.extend(self.expanded(&alias.ty));
            }
            types.push(choice.clone());
        }
        types
    }
}

/// Reports whether a class is of what comes out of functions.
fn is_result(class: &Class) -> bool {
    class.variable.is_some() || ["agent.Outcome", "agent.Settled"].contains(&class.name.as_str())
}

fn commas(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    let mut commas = 0;
    for token in tokens {
        match token.text {
            "(" | "{" | "[" => depth += 1,
            ")" | "}" | "]" => depth = depth.saturating_sub(1),
            "," if depth == 0 => commas += 1,
            _ => {}
        }
    }
    commas
}

/// Returns the name and the type of a parameter of `fun(a: string, b?: sh.Options): …`.
fn overload_parameter(text: &str, index: usize) -> Option<(&str, &str)> {
    let (_, params) = text.split_once("fun(")?;
    // Ours have no functions among their parameters.
    let (params, _) = params.split_once(')')?;
    let (name, ty) = params.split(", ").nth(index)?.split_once(": ")?;
    Some((name.trim_end_matches('?'), ty))
}
