//! What the shell puts into words: variables, substitutions, arithmetic. What a substitution runs goes
//! to the script's parts.

use super::word::Word;
use super::{Cursor, Parser, Script, Unreadable, parse_nested};

impl Parser<'_> {
    /// Reads what a here-document expands.
    pub(super) fn document(&mut self, body: &str) -> Result<(), Unreadable> {
        let cursor = std::mem::replace(&mut self.cursor, Cursor::new(body));
        let read = self.deeper(|parser| {
            let mut word = Word::default();
            loop {
                match parser.cursor.peek() {
                    None => return Ok(()),
                    Some('\\') => parser.escaped_in_quotes(&mut word, false)?,
                    Some('$') => parser.dollar(&mut word, false)?,
                    Some('`') => {
                        parser.cursor.skip(1);
                        parser.backquoted(false)?;
                    }
                    Some(_) => parser.cursor.skip(1),
                }
            }
        });
        self.cursor = cursor;
        read
    }

    /// Reads the commands of a substitution to its parenthesis.
    pub(super) fn commands(&mut self) -> Result<(), Unreadable> {
        let outer = std::mem::take(&mut self.heredocs);
        let mark = self.cursor.mark();
        self.deeper(|parser| parser.list(&[]))?;
        self.require(")")?;
        if !self.heredocs.is_empty()
            || (!outer.is_empty() && self.cursor.since(mark).contains('\n'))
        {
            return Err("a here-document crosses a substitution");
        }
        self.heredocs = outer;
        Ok(())
    }

    pub(super) fn backquoted(&mut self, in_quotes: bool) -> Result<(), Unreadable> {
        let mut text = String::new();
        loop {
            match self.cursor.next_raw() {
                None => return Err("a quote has no end"),
                Some('`') => break,
                Some('\\') => match self.cursor.next_raw() {
                    Some(c @ ('`' | '\\' | '$')) => text.push(c),
                    Some('"') if in_quotes => text.push('"'),
                    Some(c) => text.extend(['\\', c]),
                    None => return Err("a quote has no end"),
                },
                Some(c) => text.push(c),
            }
        }
        let script: &mut Script = self.script;
        if self.depth >= super::MAX_DEPTH {
            return Err("it is nested too deeply");
        }
        parse_nested(&text, self.depth + 1, script)
    }

    pub(super) fn dollar(&mut self, word: &mut Word, splits: bool) -> Result<(), Unreadable> {
        self.cursor.skip(1);
        match self.cursor.peek() {
            Some('(') if self.cursor.peek_at(1) == Some('(') => {
                self.cursor.skip(2);
                self.arithmetic()?;
                word.open(splits);
            }
            Some('(') => {
                self.cursor.skip(1);
                self.commands()?;
                word.open(splits);
            }
            Some('{') => {
                self.cursor.skip(1);
                self.deeper(|parser| parser.braces(splits))?;
                word.open(splits);
            }
            Some('[') => return Err("`$[` is an old form of arithmetic"),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                while self.cursor.peek().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
                    self.cursor.skip(1);
                }
                word.open(splits);
            }
            // "$@" is several words even in quotes.
            Some('@') => {
                self.cursor.skip(1);
                word.open(true);
            }
            Some(c) if c.is_ascii_digit() || "*#?$!-".contains(c) => {
                self.cursor.skip(1);
                word.open(splits);
            }
            _ => word.push('$'),
        }
        Ok(())
    }

    /// Reads `${…}` after its brace.
    fn braces(&mut self, bare: bool) -> Result<(), Unreadable> {
        let counts = self.cursor.peek() == Some('#') && self.cursor.peek_at(1) != Some('}');
        if counts {
            self.cursor.skip(1);
        }
        if self.cursor.peek() == Some('!') {
            self.unclear("`${!…}` names what it reads by a variable");
            self.cursor.skip(1);
        }
        let mut named = 0;
        while self.cursor.peek().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            self.cursor.skip(1);
            named += 1;
        }
        if named == 0 {
            if !self.cursor.peek().is_some_and(|c| "@*#?$!-".contains(c)) {
                return Err("`${` is followed by no variable");
            }
            self.cursor.skip(1);
        }
        if self.cursor.take("[") {
            let plain = |c: char| c.is_ascii_digit() || "@*".contains(c);
            while self.cursor.peek().is_some_and(plain) {
                self.cursor.skip(1);
            }
            if !self.cursor.take("]") {
                return Err("an index is no plain number");
            }
        }
        match self.cursor.peek() {
            Some('=' | '@') => self.unclear("`${…}` does more than to read a variable"),
            Some(':') => match self.cursor.peek_at(1) {
                Some('-' | '+' | '?') => self.cursor.skip(2),
                Some(c) if c.is_ascii_digit() => {}
                _ => self.unclear("`${…}` does more than to read a variable"),
            },
            Some('}' | '-' | '+' | '?' | '#' | '%' | '/' | '^' | ',') => {}
            _ => return Err("`${…}` is not understood"),
        }
        self.inside_braces(bare)
    }

    /// Reads the rest of `${…}`: a word, in which quotes mean what they do around it.
    fn inside_braces(&mut self, bare: bool) -> Result<(), Unreadable> {
        let mut word = Word::default();
        loop {
            match self.cursor.peek() {
                None => return Err("`${` has no end"),
                Some('}') => {
                    self.cursor.skip(1);
                    return Ok(());
                }
                // Where single quotes quote and where they do not is a science.
                Some('\'') if !bare => return Err("a quote stands in `${…}` in quotes"),
                Some('\'') => {
                    self.cursor.skip(1);
                    self.single_quoted(&mut word)?;
                }
                Some('"') => {
                    self.cursor.skip(1);
                    self.double_quoted(&mut word)?;
                }
                Some('\\') => {
                    self.cursor.skip(0);
                    self.cursor.next_raw();
                    self.cursor.next_raw();
                }
                Some('$') if matches!(self.cursor.peek_at(1), Some('\'' | '"')) => {
                    return Err("a quote stands after `$` in `${…}`");
                }
                Some('$') => self.dollar(&mut word, bare)?,
                Some('`') => {
                    self.cursor.skip(1);
                    self.backquoted(!bare)?;
                }
                Some('<' | '>') if self.cursor.peek_at(1) == Some('(') => {
                    return Err("a substitution stands in `${…}`");
                }
                Some('{') => return Err("a brace stands in `${…}`"),
                Some(_) => self.cursor.skip(1),
            }
        }
    }

    /// Reads arithmetic to its `))`. Variables in it are computed in turn, and a value such as
    /// `a[$(cmd)]` is run.
    pub(super) fn arithmetic(&mut self) -> Result<(), Unreadable> {
        let mut depth = 0;
        loop {
            match self.cursor.peek() {
                Some(')') if depth == 0 => {
                    self.cursor.skip(1);
                    return self.require(")");
                }
                Some(')') => depth -= 1,
                Some('(') => depth += 1,
                Some('$') if self.cursor.peek_at(1) == Some('(') => {
                    return Err("a substitution stands in arithmetic");
                }
                Some(c) if c.is_ascii_alphabetic() || "$_[".contains(c) => {
                    self.unclear("arithmetic runs what the values of variables say");
                }
                Some(c) if c.is_ascii_digit() || " \t+-*/%<>=!&|^~?:,;]{}@#".contains(c) => {}
                _ => return Err("arithmetic is not understood"),
            }
            self.cursor.skip(1);
        }
    }
}
