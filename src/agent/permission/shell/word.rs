//! One word of a command: its text as far as it is known, with open pieces for what only the shell
//! can know. What a substitution in it runs goes to the script's parts.

use super::cursor::is_meta;
use super::{Parser, Script, Unreadable, parse_nested};

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// What stands there, quotes taken off.
    Text(String),
    /// Names of files that are there.
    Names,
    /// What is known only when it runs.
    Open {
        /// Whether it can become several words, or none.
        splits: bool,
    },
}

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    raw: String,
    pieces: Vec<Piece>,
    quoted: bool,
}

impl Word {
    /// Returns its pieces.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Returns it as it is written.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Returns what the program gets, if that is known.
    pub fn value(&self) -> Option<String> {
        let mut value = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => value.push_str(text),
                Piece::Names | Piece::Open { .. } => return None,
            }
        }
        Some(value)
    }

    /// Returns what is known of its beginning.
    pub fn beginning(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// Reports whether any of it is quoted.
    pub fn is_quoted(&self) -> bool {
        self.quoted
    }

    /// Reports whether it can become several words, or none.
    pub fn splits(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Names | Piece::Open { splits: true }))
    }

    /// Reports whether all that becomes of it begins, and not with a dash.
    pub fn is_operand(&self) -> bool {
        if let Some(value) = self.value() {
            return !value.starts_with('-');
        }
        let begins = !self.beginning().is_empty() && !self.beginning().starts_with('-');
        // What is split begins anew; names of files that are there all begin as they are written.
        begins && !self.pieces.contains(&Piece::Open { splits: true })
    }

    fn push(&mut self, c: char) {
        if let Some(Piece::Text(text)) = self.pieces.last_mut() {
            text.push(c);
        } else {
            self.pieces.push(Piece::Text(c.into()));
        }
    }

    fn open(&mut self, splits: bool) {
        self.pieces.push(Piece::Open { splits });
    }
}

impl Parser<'_> {
    /// Reads the word that stands here.
    pub(super) fn word(&mut self) -> Result<Word, Unreadable> {
        let mut word = Word::default();
        let mark = self.cursor.mark();
        while let Some(c) = self.cursor.peek() {
            match c {
                '<' | '>' if self.cursor.peek_at(1) == Some('(') => {
                    self.cursor.skip(2);
                    self.commands()?;
                    word.open(false);
                }
                c if is_meta(c) => break,
                '\'' => {
                    self.cursor.skip(1);
                    word.quoted = true;
                    self.single_quoted(&mut word)?;
                }
                '"' => {
                    self.cursor.skip(1);
                    word.quoted = true;
                    self.double_quoted(&mut word)?;
                }
                '\\' => {
                    self.cursor.skip(0);
                    self.cursor.next_raw();
                    word.quoted = true;
                    word.push(self.cursor.next_raw().ok_or("it ends in a backslash")?);
                }
                '$' if self.cursor.peek_at(1) == Some('\'') => {
                    self.cursor.skip(2);
                    word.quoted = true;
                    self.ansi_quoted(&mut word)?;
                }
                '$' if self.cursor.peek_at(1) == Some('"') => self.cursor.skip(1),
                '$' => self.dollar(&mut word, true)?,
                '`' => {
                    self.cursor.skip(1);
                    self.backquoted(false)?;
                    word.open(true);
                }
                '[' if word.pieces.is_empty() && self.cursor.is_word("[") => {
                    self.cursor.skip(1);
                    word.push('[');
                }
                '*' | '?' | '[' => {
                    self.cursor.skip(1);
                    word.pieces.push(Piece::Names);
                }
                '{' if self.cursor.peek_at(1) == Some('}') => {
                    self.cursor.skip(2);
                    word.push('{');
                    word.push('}');
                }
                '{' if word.pieces.is_empty() && self.cursor.is_word("{") => {
                    self.cursor.skip(1);
                    word.push('{');
                }
                '{' => {
                    self.cursor.skip(1);
                    word.open(true);
                }
                c => {
                    self.cursor.skip(1);
                    word.push(c);
                }
            }
        }
        word.raw = self.cursor.since(mark);
        if word.raw.is_empty() { Err("a word is missing") } else { Ok(word) }
    }

    fn single_quoted(&mut self, word: &mut Word) -> Result<(), Unreadable> {
        if word.pieces.is_empty() {
            word.pieces.push(Piece::Text(String::new()));
        }
        loop {
            match self.cursor.next_raw() {
                Some('\'') => return Ok(()),
                Some(c) => word.push(c),
                None => return Err("a quote has no end"),
            }
        }
    }

    /// Reads `$'…'`. Escapes by number are left open: what they spell is rarely meant well.
    fn ansi_quoted(&mut self, word: &mut Word) -> Result<(), Unreadable> {
        if word.pieces.is_empty() {
            word.pieces.push(Piece::Text(String::new()));
        }
        loop {
            match self.cursor.next_raw() {
                Some('\'') => return Ok(()),
                Some('\\') => match self.cursor.next_raw() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some(c @ ('\\' | '\'' | '"' | '?')) => word.push(c),
                    Some(_) => word.open(false),
                    None => return Err("a quote has no end"),
                },
                Some(c) => word.push(c),
                None => return Err("a quote has no end"),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), Unreadable> {
        if word.pieces.is_empty() {
            word.pieces.push(Piece::Text(String::new()));
        }
        loop {
            match self.cursor.peek() {
                None => return Err("a quote has no end"),
                Some('"') => {
                    self.cursor.skip(1);
                    return Ok(());
                }
                Some('\\') => self.escaped_in_quotes(word, true)?,
                Some('$') => self.dollar(word, false)?,
                Some('`') => {
                    self.cursor.skip(1);
                    self.backquoted(true)?;
                    word.open(false);
                }
                Some(c) => {
                    self.cursor.skip(1);
                    word.push(c);
                }
            }
        }
    }

    fn escaped_in_quotes(&mut self, word: &mut Word, quote_too: bool) -> Result<(), Unreadable> {
        self.cursor.skip(0);
        self.cursor.next_raw();
        match self.cursor.next_raw() {
            Some(c @ ('$' | '`' | '\\')) => word.push(c),
            Some('"') if quote_too => word.push('"'),
            Some(c) => {
                word.push('\\');
                word.push(c);
            }
            None if quote_too => return Err("a quote has no end"),
            None => word.push('\\'),
        }
        Ok(())
    }

    /// Reads what a here-document expands.
    pub(super) fn document(&mut self, body: &str) -> Result<(), Unreadable> {
        let cursor = std::mem::replace(&mut self.cursor, super::Cursor::new(body));
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
    fn commands(&mut self) -> Result<(), Unreadable> {
        let outer = std::mem::take(&mut self.heredocs);
        let mark = self.cursor.mark();
        self.deeper(|parser| parser.list(&[]))?;
        self.require(")")?;
        if !self.heredocs.is_empty() || (!outer.is_empty() && self.cursor.since(mark).contains('\n')) {
            return Err("a here-document crosses a substitution");
        }
        self.heredocs = outer;
        Ok(())
    }

    fn backquoted(&mut self, in_quotes: bool) -> Result<(), Unreadable> {
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

    fn dollar(&mut self, word: &mut Word, splits: bool) -> Result<(), Unreadable> {
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
            Some('}') => {}
            Some('=' | '@') => self.unclear("`${…}` does more than to read a variable"),
            Some(':') => match self.cursor.peek_at(1) {
                Some('-' | '+' | '?') => self.cursor.skip(2),
                Some(c) if c.is_ascii_digit() => {}
                _ => self.unclear("`${…}` does more than to read a variable"),
            },
            Some('-' | '+' | '?' | '#' | '%' | '/' | '^' | ',') => {}
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
