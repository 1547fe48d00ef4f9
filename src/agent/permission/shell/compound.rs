//! Compound commands: branches, loops, cases, tests and functions. Each is what is in it.

use super::{Opening, Parser, Part, Unreadable, is_name};

/// What `[[` computes with.
const COUNTING: [&str; 8] = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R"];

impl Parser<'_> {
    pub(super) fn branches(&mut self) -> Result<(), Unreadable> {
        loop {
            self.filled_list(&["then"])?;
            self.require_word("then")?;
            self.filled_list(&["elif", "else", "fi"])?;
            if self.cursor.take_word("elif") {
                continue;
            }
            if self.cursor.take_word("else") {
                self.filled_list(&["fi"])?;
            }
            return self.require_word("fi");
        }
    }

    pub(super) fn for_loop(&mut self) -> Result<(), Unreadable> {
        self.cursor.blanks();
        if self.cursor.take("((") {
            self.arithmetic()?;
        } else {
            let name = self.plain_word()?;
            if !is_name(&name) {
                return Err("a loop has no variable");
            }
            self.script.parts.push(Part { assignments: vec![name], ..Part::default() });
            self.lines()?;
            if self.cursor.take_word("in") {
                loop {
                    self.cursor.blanks();
                    if matches!(self.cursor.peek(), None | Some(';' | '\n')) {
                        break;
                    }
                    self.word()?;
                }
            }
        }
        self.cursor.blanks();
        if self.cursor.peek() == Some(';') {
            self.cursor.skip(1);
        }
        self.lines()?;
        self.require_word("do")?;
        self.body("done")
    }

    pub(super) fn case(&mut self) -> Result<(), Unreadable> {
        self.cursor.blanks();
        self.word()?;
        self.lines()?;
        self.require_word("in")?;
        loop {
            self.lines()?;
            if self.cursor.take_word("esac") {
                return Ok(());
            }
            self.cursor.take("(");
            loop {
                self.cursor.blanks();
                self.word()?;
                self.cursor.blanks();
                if !self.cursor.take("|") {
                    break;
                }
            }
            self.require(")")?;
            self.list(&["esac"])?;
            if ![";;&", ";;", ";&"].iter().any(|end| self.cursor.take(end)) {
                self.lines()?;
                return self.require_word("esac");
            }
        }
    }

    /// Follows `[[ … ]]`: no command in itself, but words in it are expanded.
    pub(super) fn conditional(&mut self) -> Result<(), Unreadable> {
        loop {
            self.lines()?;
            if self.cursor.take_word("]]") {
                return Ok(());
            }
            let joint =
                ["&&", "||", "(", ")", "<", ">"].iter().any(|joint| self.cursor.take(joint));
            if joint {
                // `<(` would be a substitution in a place where it cannot be.
                continue;
            }
            let word = self.word()?;
            if word.value().is_some_and(|word| COUNTING.contains(&&*word)) {
                self.unclear("`[[` computes with variables");
            }
        }
    }

    pub(super) fn function(&mut self) -> Result<(), Unreadable> {
        self.cursor.blanks();
        let name = self.plain_word()?;
        self.cursor.blanks();
        if self.cursor.take("(") {
            self.cursor.blanks();
            self.require(")")?;
        }
        self.function_body(&name)
    }

    pub(super) fn function_body(&mut self, name: &str) -> Result<(), Unreadable> {
        if name.is_empty() || name.contains(['$', '`', '/', '=']) {
            return Err("a function has no plain name");
        }
        self.lines()?;
        // Only what shows where it ends: a function is then what is in it.
        if self.cursor.peek() == Some('(') || matches!(self.opening(), Opening::Reserved("{")) {
            return self.deeper(Self::command);
        }
        Err("the body of a function is no group")
    }
}
