//! One word of a command: its text as far as it is known, with open pieces for what only the shell
//! can know.

use super::cursor::is_meta;
use super::{Parser, Unreadable};

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

    pub(super) fn push(&mut self, c: char) {
        if let Some(Piece::Text(text)) = self.pieces.last_mut() {
            text.push(c);
        } else {
            self.pieces.push(Piece::Text(c.into()));
        }
    }

    pub(super) fn open(&mut self, splits: bool) {
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

    pub(super) fn single_quoted(&mut self, word: &mut Word) -> Result<(), Unreadable> {
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

    pub(super) fn double_quoted(&mut self, word: &mut Word) -> Result<(), Unreadable> {
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

    pub(super) fn escaped_in_quotes(
        &mut self,
        word: &mut Word,
        quote_too: bool,
    ) -> Result<(), Unreadable> {
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
}
