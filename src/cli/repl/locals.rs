//! Locals that live on: in a session, a `local` at the top of a line would be gone with its line. So it
//! becomes a variable of the session, which hides a global of its name just as a local does.
//!
//! The text stays as long as it was up to each name, so that messages point where people typed.

use super::lexer::{Kind, Token, tokens};

/// A line as it is compiled.
#[derive(Debug)]
pub(super) struct Line {
    /// The text.
    pub text: String,
    /// The variables that it declares for the session.
    pub names: Vec<String>,
}

/// Makes the locals at the top of `source` variables of the session. What has `<close>` stays local:
/// it is closed at the end of the line.
pub(super) fn keep(source: &str) -> Line {
    let mut tokens = tokens(source);
    tokens.retain(|token| !matches!(token.kind, Kind::Comment { .. }));
    let mut line = Line { text: String::with_capacity(source.len()), names: Vec::new() };
    let (mut depth, mut copied) = (0_usize, 0);
    for (index, token) in tokens.iter().enumerate() {
        if token.is("do") || token.is("if") || token.is("function") || token.is("repeat") {
            depth += 1;
        } else if token.is("end") || token.is("until") {
            depth = depth.saturating_sub(1);
        } else if depth == 0
            && token.is("local")
            && let Some(declared) = declared(&tokens[index + 1..])
        {
            line.text.push_str(&source[copied..token.start]);
            line.text.push_str("     ");
            copied = token.end();
            for (start, end) in declared.attributes {
                line.text.push_str(&source[copied..start]);
                line.text.extend(std::iter::repeat_n(' ', end - start));
                copied = end;
            }
            if let Some(end) = declared.nothing_at {
                line.text.push_str(&source[copied..end]);
                line.text.push_str(" = nil");
                copied = end;
            }
            line.names.extend(declared.names);
        }
    }
    line.text.push_str(&source[copied..]);
    line
}

/// What follows a `local`.
#[derive(Default)]
struct Declared {
    names: Vec<String>,
    /// Where there is a `<const>`.
    attributes: Vec<(usize, usize)>,
    /// Where the names end, when no value follows.
    nothing_at: Option<usize>,
}

fn declared(tokens: &[Token<'_>]) -> Option<Declared> {
    let name = |index: usize| tokens.get(index).filter(|token| token.kind == Kind::Name);
    if tokens.first()?.is("function") {
        let names = vec![name(1)?.text.to_owned()];
        return Some(Declared { names, ..Declared::default() });
    }
    let mut declared = Declared::default();
    let mut index = 0;
    let end = loop {
        let mut last = name(index)?;
        declared.names.push(last.text.to_owned());
        index += 1;
        if tokens.get(index).is_some_and(|token| token.is("<")) {
            let (open, close) = (&tokens[index], tokens.get(index + 2)?);
            if name(index + 1)?.text != "const" || !close.is(">") {
                return None;
            }
            declared.attributes.push((open.start, close.end()));
            last = close;
            index += 3;
        }
        if !tokens.get(index).is_some_and(|token| token.is(",")) {
            break last.end();
        }
        index += 1;
    };
    declared.nothing_at = (!tokens.get(index).is_some_and(|token| token.is("="))).then_some(end);
    Some(declared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locals_at_the_top_become_variables_of_the_session() {
        for (source, text, names) in [
            ("local x = 1", "      x = 1", "x"),
            ("local a, b <const> = f() -- local c", "      a, b         = f() -- local c", "a b"),
            ("local x print(x)", "      x = nil print(x)", "x"),
            ("local function f() local y = 1 end", "      function f() local y = 1 end", "f"),
            ("x = 1; local y; local z = x", "x = 1;       y = nil;       z = x", "y z"),
            ("do local x = 1 end local y = 2", "do local x = 1 end       y = 2", "y"),
            (
                "repeat local x = 1 until x local y = 'local z'",
                "repeat local x = 1 until x       y = 'local z'",
                "y",
            ),
            ("local f <close> = io.open('x')", "local f <close> = io.open('x')", ""),
            ("local a <const>", "      a         = nil", "a"),
            ("local = 5", "local = 5", ""),
            (
                "for i = 1, 2 do if i then local q = 1 end end",
                "for i = 1, 2 do if i then local q = 1 end end",
                "",
            ),
        ] {
            let line = keep(source);
            assert_eq!((line.text.as_str(), line.names.join(" ").as_str()), (text, names));
        }
    }
}
