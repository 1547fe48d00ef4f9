//! A place in the text of a command. A backslash at the end of a line is not there, as for the shell;
//! only single quotes, comments and quoted here-documents see it, and they read the raw text.

use super::Unreadable;

/// Characters that end a word.
const METACHARACTERS: [char; 10] = [' ', '\t', '\n', ';', '&', '|', '<', '>', '(', ')'];

/// Reports whether a character ends a word.
pub(super) fn is_meta(character: char) -> bool {
    METACHARACTERS.contains(&character)
}

pub(super) struct Cursor {
    text: Vec<char>,
    at: usize,
}

impl Cursor {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.chars().collect(), at: 0 }
    }

    /// Returns the place of the character that is `ahead` from here.
    fn place(&self, ahead: usize) -> usize {
        let (mut at, mut ahead) = (self.at, ahead);
        loop {
            while self.text.get(at) == Some(&'\\') && self.text.get(at + 1) == Some(&'\n') {
                at += 2;
            }
            if ahead == 0 || at >= self.text.len() {
                return at;
            }
            at += 1;
            ahead -= 1;
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.text.get(self.place(ahead)).copied()
    }

    /// Goes past so many characters, and not past what joins lines behind the last of them: behind a
    /// quote it is text.
    pub(super) fn skip(&mut self, count: usize) {
        let at = if count == 0 { self.place(0) } else { self.place(count - 1) + 1 };
        self.at = at.min(self.text.len());
    }

    /// Returns the next character as it is written.
    pub(super) fn next_raw(&mut self) -> Option<char> {
        let found = self.text.get(self.at).copied();
        self.at = (self.at + 1).min(self.text.len());
        found
    }

    /// Returns where it is, for [`Cursor::since`].
    pub(super) fn mark(&self) -> usize {
        self.place(0)
    }

    /// Returns the text as it is written from a mark to here.
    pub(super) fn since(&self, mark: usize) -> String {
        self.text[mark..self.at.max(mark)].iter().collect()
    }

    /// Takes a text that stands here.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let here = text.chars().enumerate().all(|(ahead, c)| self.peek_at(ahead) == Some(c));
        if here {
            self.skip(text.chars().count());
        }
        here
    }

    /// Reports whether a word stands here, whole and unquoted.
    pub(super) fn is_word(&self, word: &str) -> bool {
        let length = word.chars().count();
        word.chars().enumerate().all(|(ahead, c)| self.peek_at(ahead) == Some(c))
            && self.peek_at(length).is_none_or(is_meta)
    }

    /// Takes a word that stands here, whole and unquoted.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let here = self.is_word(word);
        if here {
            self.skip(word.chars().count());
        }
        here
    }

    /// Skips blanks, and a comment after them.
    pub(super) fn blanks(&mut self) {
        while let Some(' ' | '\t') = self.peek() {
            self.skip(1);
        }
        if self.peek() == Some('#') {
            self.at = self.place(0);
            while self.text.get(self.at).is_some_and(|c| *c != '\n') {
                self.at += 1;
            }
        }
    }

    /// Returns the name that is assigned to here, and how much stands before the value.
    pub(super) fn assigned(&self) -> Option<(String, usize)> {
        let mut name = String::new();
        while let Some(c) =
            self.peek_at(name.len()).filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            name.push(c);
        }
        let mut length = name.len();
        if !super::is_name(&name) {
            return None;
        }
        if self.peek_at(length) == Some('[') {
            length += 1;
            while self.peek_at(length).is_some_and(|c| c.is_ascii_digit()) {
                length += 1;
            }
            if self.peek_at(length) != Some(']') {
                return None;
            }
            length += 1;
        }
        if self.peek_at(length) == Some('+') {
            length += 1;
        }
        (self.peek_at(length) == Some('=')).then_some((name, length + 1))
    }

    /// Returns the redirection that stands here, and its length with the number before it.
    pub(super) fn redirection(&self) -> Option<(&'static str, usize)> {
        // The longer ones first.
        const OPERATORS: [&str; 12] =
            ["<<<", "<<-", "&>>", "<<", ">>", "<&", ">&", "<>", ">|", "&>", "<", ">"];
        let mut start = 0;
        if self.peek() == Some('{') {
            start = 1;
            while self.peek_at(start).is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
                start += 1;
            }
            if self.peek_at(start) != Some('}') {
                return None;
            }
            start += 1;
        } else {
            while self.peek_at(start).is_some_and(|c| c.is_ascii_digit()) {
                start += 1;
            }
        }
        let found = OPERATORS.into_iter().find(|operator| {
            operator.chars().enumerate().all(|(ahead, c)| self.peek_at(start + ahead) == Some(c))
        })?;
        let substitution = matches!(found, "<" | ">") && self.peek_at(start + 1) == Some('(');
        if substitution || (start > 0 && found.starts_with('&')) {
            return None;
        }
        Some((found, start + found.len()))
    }

    /// Reads the word that ends a here-document; the flag says whether it is quoted.
    pub(super) fn delimiter(&mut self) -> Result<(String, bool), Unreadable> {
        let (mut word, mut quoted) = (String::new(), false);
        while let Some(c) = self.peek().filter(|c| !is_meta(*c)) {
            self.skip(1);
            match c {
                '\'' | '"' => {
                    quoted = true;
                    loop {
                        match self.next_raw() {
                            Some(end) if end == c => break,
                            Some('\\' | '$' | '`' | '\n') | None => {
                                return Err("the end of a here-document is no plain word");
                            }
                            Some(inner) => word.push(inner),
                        }
                    }
                }
                '\\' => {
                    quoted = true;
                    word.extend(self.next_raw());
                }
                '$' | '`' => return Err("the end of a here-document is no plain word"),
                _ => word.push(c),
            }
        }
        if word.is_empty() { Err("a here-document has no end") } else { Ok((word, quoted)) }
    }

    /// Reads the lines of a here-document.
    pub(super) fn document(
        &mut self,
        end: &str,
        strips_tabs: bool,
        expands: bool,
    ) -> Result<String, Unreadable> {
        let mut body = String::new();
        while self.at < self.text.len() {
            let mut line = String::new();
            while let Some(c) = self.text.get(self.at).copied() {
                self.at += 1;
                if c == '\n' {
                    break;
                }
                line.push(c);
            }
            let shown = if strips_tabs { line.trim_start_matches('\t') } else { &line };
            if shown == end {
                return Ok(body);
            }
            if expands && shown.ends_with('\\') {
                // The next line may then be no end.
                return Err("a here-document joins lines");
            }
            body.push_str(shown);
            body.push('\n');
        }
        // Bash takes the end of the text for its end, with a warning; that may be a slip of the model.
        Err("a here-document has no end")
    }
}
