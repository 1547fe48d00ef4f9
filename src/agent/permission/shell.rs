//! Takes a Bash command apart into the simple commands that it runs, so that rules can be held
//! against each: what stands in pipelines, lists, loops, functions, subshells and substitutions.
//!
//! It is no shell: nothing is expanded. A word that only the shell can know has an open piece, and a
//! construct that is not known here is an error, never a guess: whoever asks refuses what cannot be
//! taken apart. Depth and length are bounded, because a model writes the input.
//!
//! (Parsers of crates.io were looked at: brush-parser 0.4 brings 33 crates, and 200 nested `$(` end
//! the process by a stack overflow. This one is held against bash itself by `tests/shell.rs`.)

mod compound;
mod cursor;
mod expansion;
mod word;

use cursor::Cursor;
pub use word::{Piece, Word};

/// Longer commands are not taken apart.
pub const MAX_LENGTH: usize = 10_000;
/// How much of a command is shown to whoever is refused.
const SHOWN_CHARS: usize = 60;
/// The deepest nesting that is followed.
const MAX_DEPTH: usize = 30;

/// Words that begin or end something where a command could begin.
const RESERVED: [&str; 19] = [
    "if", "then", "elif", "else", "fi", "for", "select", "while", "until", "do", "done", "case",
    "esac", "{", "}", "[[", "function", "coproc", "in",
];

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The assignments before it, by name; alone they set variables of the shell.
    pub assignments: Vec<String>,
    /// The program and its arguments.
    pub words: Vec<Word>,
    /// What it reads from and writes to.
    pub redirects: Vec<Redirect>,
}

impl Part {
    /// Returns the program and its arguments as they were written, a long line cut.
    pub fn shown(&self) -> String {
        let words: Vec<_> = self.words.iter().map(Word::raw).collect();
        let line = words.join(" ");
        match line.char_indices().nth(SHOWN_CHARS) {
            Some((cut, _)) => format!("{}…", &line[..cut]),
            None => line,
        }
    }
}

/// A file that a command is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The file.
    pub target: Word,
    /// Whether it is written.
    pub writes: bool,
}

/// What a command runs, in the order in which it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Every simple command in it.
    pub parts: Vec<Part>,
    /// Why the values of variables may run something more, if they may.
    pub unclear: Option<&'static str>,
}

/// Why a command cannot be taken apart.
pub type Unreadable = &'static str;

/// Takes a command apart.
///
/// # Errors
/// What cannot be followed in it.
pub fn parse(text: &str) -> Result<Script, Unreadable> {
    let mut script = Script::default();
    parse_nested(text, 0, &mut script)?;
    Ok(script)
}

fn parse_nested(text: &str, depth: usize, script: &mut Script) -> Result<(), Unreadable> {
    if text.chars().count() > MAX_LENGTH {
        return Err("it is too long");
    }
    let mut parser = Parser { cursor: Cursor::new(text), depth, script, heredocs: Vec::new() };
    parser.list(&[])?;
    match parser.cursor.peek() {
        None if parser.heredocs.is_empty() => Ok(()),
        None => Err("a here-document has no end"),
        Some(_) => Err("there is something too much"),
    }
}

/// A here-document whose lines are still to come.
struct Heredoc {
    end: String,
    strips_tabs: bool,
    expands: bool,
}

/// What stands next where a command could begin.
enum Opening {
    Reserved(&'static str),
    Other,
}

struct Parser<'a> {
    cursor: Cursor,
    depth: usize,
    script: &'a mut Script,
    heredocs: Vec<Heredoc>,
}

impl Parser<'_> {
    fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        if self.depth >= MAX_DEPTH {
            return Err("it is nested too deeply");
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// Reads commands until the end, a `)`, a `;;`, or one of these reserved words.
    fn list(&mut self, ends: &[&str]) -> Result<usize, Unreadable> {
        let mut count = 0;
        loop {
            self.lines()?;
            if self.at_list_end(ends) {
                return Ok(count);
            }
            self.and_or()?;
            count += 1;
            self.cursor.blanks();
            match self.cursor.peek() {
                Some(';')
                    if self.cursor.peek_at(1) == Some(';')
                        || self.cursor.peek_at(1) == Some('&') =>
                {
                    return Ok(count);
                }
                Some(';' | '&') => self.cursor.skip(1),
                Some('\n') | None => {}
                _ => return Ok(count),
            }
        }
    }

    fn at_list_end(&mut self, ends: &[&str]) -> bool {
        match self.cursor.peek() {
            None | Some(')') => true,
            Some(';') => self.cursor.peek_at(1) == Some(';') || self.cursor.peek_at(1) == Some('&'),
            _ => matches!(self.opening(), Opening::Reserved(word) if ends.contains(&word)),
        }
    }

    fn and_or(&mut self) -> Result<(), Unreadable> {
        loop {
            self.pipeline()?;
            self.cursor.blanks();
            if !(self.cursor.take("&&") || self.cursor.take("||")) {
                return Ok(());
            }
            self.lines()?;
        }
    }

    fn pipeline(&mut self) -> Result<(), Unreadable> {
        // After a `|` these two are programs.
        self.cursor.blanks();
        while self.cursor.take_word("!") || self.cursor.take_word("time") {
            self.cursor.blanks();
            while self.cursor.take_word("-p") || self.cursor.take_word("--") {
                self.cursor.blanks();
            }
        }
        loop {
            self.cursor.blanks();
            self.deeper(Self::command)?;
            self.cursor.blanks();
            if self.cursor.peek() == Some('|') && self.cursor.peek_at(1) != Some('|') {
                self.cursor.skip(1);
                self.cursor.take("&");
                self.lines()?;
            } else {
                return Ok(());
            }
        }
    }

    fn command(&mut self) -> Result<(), Unreadable> {
        if self.cursor.peek() == Some('(') {
            if self.cursor.peek_at(1) == Some('(') {
                self.cursor.skip(2);
                self.arithmetic()?;
            } else {
                self.cursor.skip(1);
                self.list(&[])?;
                self.require(")")?;
            }
            return self.redirects_after();
        }
        let Opening::Reserved(word) = self.opening() else { return self.simple() };
        self.cursor.skip(word.chars().count());
        match word {
            "{" => self.body("}")?,
            "if" => self.branches()?,
            "while" | "until" => {
                self.filled_list(&["do"])?;
                self.require_word("do")?;
                self.body("done")?;
            }
            "for" | "select" => self.for_loop()?,
            "case" => self.case()?,
            "[[" => self.conditional()?,
            "function" => return self.function(),
            _ => return Err("a word of the shell stands in the wrong place"),
        }
        self.redirects_after()
    }

    fn filled_list(&mut self, ends: &[&str]) -> Result<(), Unreadable> {
        if self.list(ends)? == 0 { Err("a list of commands is empty") } else { Ok(()) }
    }

    fn body(&mut self, end: &'static str) -> Result<(), Unreadable> {
        self.filled_list(&[end])?;
        self.require_word(end)
    }

    fn simple(&mut self) -> Result<(), Unreadable> {
        let mut part = Part::default();
        let first = self.script.parts.len();
        self.script.parts.push(Part::default());
        loop {
            self.cursor.blanks();
            if self.redirect(&mut part.redirects)? {
                continue;
            }
            match self.cursor.peek() {
                None | Some('\n' | ';' | '&' | '|' | ')') => break,
                Some('(') => {
                    let [word] = part.words.as_slice() else {
                        return Err("a `(` stands in the wrong place");
                    };
                    let (Some(name), true) =
                        (word.value(), part.assignments.is_empty() && !word.is_quoted())
                    else {
                        return Err("a `(` stands in the wrong place");
                    };
                    if !part.redirects.is_empty() {
                        return Err("a `(` stands in the wrong place");
                    }
                    self.cursor.skip(1);
                    self.cursor.blanks();
                    self.require(")")?;
                    // No command after all: what it runs is in its body.
                    self.script.parts.remove(first);
                    return self.function_body(&name);
                }
                _ => {}
            }
            if part.words.is_empty()
                && let Some(name) = self.assignment()?
            {
                part.assignments.push(name);
                continue;
            }
            let word = self.word()?;
            part.words.push(word);
        }
        if part == Part::default() {
            return Err("a command is missing");
        }
        self.script.parts[first] = part;
        Ok(())
    }

    /// Reads `name=value`, `name+=value`, `name[1]=value` or `name=(…)` if one stands here.
    fn assignment(&mut self) -> Result<Option<String>, Unreadable> {
        let Some((name, length)) = self.cursor.assigned() else { return Ok(None) };
        self.cursor.skip(length);
        if self.cursor.peek() == Some('(') {
            self.cursor.skip(1);
            loop {
                self.lines()?;
                if self.cursor.take(")") {
                    return Ok(Some(name));
                }
                self.word()?;
            }
        }
        if !matches!(
            self.cursor.peek(),
            None | Some(' ' | '\t' | '\n' | ';' | '&' | '|' | ')' | '<' | '>')
        ) {
            self.word()?;
        }
        Ok(Some(name))
    }

    fn redirects_after(&mut self) -> Result<(), Unreadable> {
        let mut redirects = Vec::new();
        loop {
            self.cursor.blanks();
            if !self.redirect(&mut redirects)? {
                break;
            }
        }
        if !redirects.is_empty() {
            self.script.parts.push(Part { redirects, ..Part::default() });
        }
        Ok(())
    }

    /// Reads a redirection if one stands here.
    fn redirect(&mut self, redirects: &mut Vec<Redirect>) -> Result<bool, Unreadable> {
        let Some((operator, length)) = self.cursor.redirection() else { return Ok(false) };
        self.cursor.skip(length);
        self.cursor.blanks();
        if let "<<" | "<<-" = operator {
            let word = self.cursor.delimiter()?;
            self.heredocs.push(Heredoc {
                strips_tabs: operator == "<<-",
                expands: !word.1,
                end: word.0,
            });
            return Ok(true);
        }
        if matches!(self.cursor.peek(), None | Some('\n' | ';' | '&' | '|' | ')' | '(')) {
            return Err("a redirection has no target");
        }
        let target = self.word()?;
        let reads_text = operator == "<<<";
        let duplicates = operator.ends_with('&')
            && target.value().is_some_and(|to| {
                let to = to.strip_suffix('-').unwrap_or(&to);
                to.bytes().all(|byte| byte.is_ascii_digit())
            });
        if reads_text || duplicates {
            return Ok(true);
        }
        let (reads, writes) = match operator {
            "<>" => (true, true),
            "<" | "<&" => (true, false),
            _ => (false, true),
        };
        if reads {
            redirects.push(Redirect { target: target.clone(), writes: false });
        }
        if writes {
            redirects.push(Redirect { target, writes: true });
        }
        Ok(true)
    }

    /// Skips blanks, comments and ends of lines, and the here-documents that follow those.
    fn lines(&mut self) -> Result<(), Unreadable> {
        loop {
            self.cursor.blanks();
            if self.cursor.peek() != Some('\n') {
                return Ok(());
            }
            self.cursor.skip(1);
            for heredoc in std::mem::take(&mut self.heredocs) {
                let body =
                    self.cursor.document(&heredoc.end, heredoc.strips_tabs, heredoc.expands)?;
                if heredoc.expands {
                    self.document(&body)?;
                }
            }
        }
    }

    fn require(&mut self, text: &'static str) -> Result<(), Unreadable> {
        if self.cursor.take(text) { Ok(()) } else { Err("a parenthesis has no end") }
    }

    fn require_word(&mut self, word: &'static str) -> Result<(), Unreadable> {
        if self.cursor.take_word(word) { Ok(()) } else { Err("a compound command has no end") }
    }

    fn plain_word(&mut self) -> Result<String, Unreadable> {
        let word = self.word()?;
        match word.value() {
            Some(value) if !word.is_quoted() => Ok(value),
            _ => Err("a name is no plain word"),
        }
    }

    fn opening(&mut self) -> Opening {
        let found = RESERVED.into_iter().find(|word| self.cursor.is_word(word));
        found.map_or(Opening::Other, Opening::Reserved)
    }

    fn unclear(&mut self, why: &'static str) {
        self.script.unclear.get_or_insert(why);
    }
}

/// Reports whether a text is the name of a variable.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Reports whether setting a variable of the shell changes nothing but that variable: what programs
/// and the shell itself listen to is written in capitals, but for the proxies.
pub fn is_tame(name: &str) -> bool {
    let own = name.len() == 1 || name.bytes().any(|byte| byte.is_ascii_lowercase());
    own && !name.ends_with("_proxy")
}
