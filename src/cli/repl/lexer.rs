//! Lua text in pieces, also while it is being typed: an unfinished string is a piece like another.
//!
//! It knows what a piece is and where, and nothing of what pieces mean together.

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name that is no keyword.
    Name,
    /// A keyword.
    Keyword,
    /// A number.
    Number,
    /// A string; `content` is where its text starts, `open` whether its end is missing.
    Text { content: usize, open: bool },
    /// A comment.
    Comment { open: bool },
    /// An operator or a bracket.
    Symbol,
}

/// A piece of Lua text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// As it is written.
    pub text: &'a str,
    /// Where it starts, in bytes.
    pub start: usize,
}

/// The words that are no names.
pub(super) const KEYWORDS: [&str; 22] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
    "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// Operators of more than one character; longer ones first.
const OPERATORS: [&str; 11] = ["...", "..", "::", "==", "~=", "<=", ">=", "//", "<<", ">>", "->"];

impl Token<'_> {
    /// Returns where it ends.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Reports whether it is this operator, bracket or keyword.
    pub fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Symbol | Kind::Keyword) && self.text == text
    }
}

/// Returns the pieces of `source`; space is left out.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(next) = source[at..].chars().next() {
        if next.is_whitespace() {
            at += next.len_utf8();
            continue;
        }
        let (kind, length) = piece(&source[at..], next);
        let kind = match kind {
            Kind::Text { content, open } => Kind::Text { content: at + content, open },
            other => other,
        };
        tokens.push(Token { kind, text: &source[at..at + length], start: at });
        at += length;
    }
    tokens
}

/// Returns what `rest` starts with, and its length.
fn piece(rest: &str, first: char) -> (Kind, usize) {
    if let Some(comment) = rest.strip_prefix("--") {
        if let Some((_, length, open)) = long_text(comment) {
            return (Kind::Comment { open }, length + 2);
        }
        // Up to the end of the line; on the last line, whatever is typed belongs to it.
        let end = rest.find('\n');
        return (Kind::Comment { open: end.is_none() }, end.unwrap_or(rest.len()));
    }
    if let Some((content, length, open)) = long_text(rest) {
        return (Kind::Text { content, open }, length);
    }
    match first {
        '"' | '\'' => {
            let (length, open) = short_text(rest, first);
            (Kind::Text { content: 1, open }, length)
        }
        'a'..='z' | 'A'..='Z' | '_' => {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let is_keyword = KEYWORDS.contains(&&rest[..length]);
            (if is_keyword { Kind::Keyword } else { Kind::Name }, length)
        }
        '0'..='9' => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
            // `1..2` is no number of ours to split: Lua refuses it too.
            (Kind::Number, rest.find(|c| !is_part(c)).unwrap_or(rest.len()))
        }
        _ => {
            let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
            (Kind::Symbol, operator.map_or(first.len_utf8(), |operator| operator.len()))
        }
    }
}

/// Returns the length of the string that `rest` starts with, and whether its end is missing.
fn short_text(rest: &str, quote: char) -> (usize, bool) {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return (at, false),
            _ if c == quote => return (at + 1, false),
            _ => {}
        }
    }
    (rest.len(), true)
}

/// Returns where the text of a `[[`, `[=[`… starts, its length, and whether its end is missing.
fn long_text(rest: &str) -> Option<(usize, usize, bool)> {
    let inner = rest.strip_prefix('[')?;
    let level = inner.find(|c| c != '=')?;
    if !inner[level..].starts_with('[') {
        return None;
    }
    let content = level + 2;
    let end = format!("]{}]", "=".repeat(level));
    Some(match rest[content..].find(&end) {
        Some(at) => (content, content + at + end.len(), false),
        None => (content, rest.len(), true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> String {
        let shown = tokens(source).into_iter().map(|token| match token.kind {
            Kind::Name => format!("n:{}", token.text),
            Kind::Keyword => format!("k:{}", token.text),
            Kind::Number => format!("#:{}", token.text),
            Kind::Text { content, open } => {
                let end = if open { "…" } else { "" };
                format!("s{content}:{}{end}", token.text)
            }
            Kind::Comment { open } => format!("c{}", if open { "…" } else { "" }),
            Kind::Symbol => token.text.to_owned(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn text_falls_into_pieces() {
        assert_eq!(
            shown("local x <const> = a.b:c{ 0x1F, 1.5 } -- end"),
            "k:local n:x < n:const > = n:a . n:b : n:c { #:0x1F , #:1.5 } c…"
        );
        assert_eq!(
            shown("a..b == [==[ ]] ]==] --[[ x ]] 'q\\'q'"),
            "n:a .. n:b == s12:[==[ ]] ]==] c s32:'q\\'q'"
        );
        assert_eq!(shown("f \"öpen"), "n:f s3:\"öpen…");
        assert_eq!(shown("f [[öpen"), "n:f s4:[[öpen…");
        assert_eq!(shown("x = 'lost\ny ü"), "n:x = s5:'lost n:y ü");
    }
}
