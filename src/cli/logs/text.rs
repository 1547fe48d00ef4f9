//! Text of agents, models and tools as lines for people: nothing in it steers the terminal.

use std::sync::LazyLock;

use serde_json::Value;

use crate::cli::terminal::{printable, size};
use crate::model::ToolCall;
use crate::tool::registry::Registry;

/// How wide a line may be that is cut, where there is no terminal to ask.
const USUAL_WIDTH: usize = 80;
/// The narrowest that text is wrapped to.
const NARROWEST: usize = 20;

static BUILTIN: LazyLock<Registry> = LazyLock::new(Registry::builtin);

/// How wide lines may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Width {
    /// Where text is wrapped; nowhere without a terminal.
    wrap: Option<usize>,
    /// Where a line that stands for more is cut.
    cut: usize,
}

impl Width {
    /// Returns that of standard output.
    pub fn of_stdout() -> Self {
        let columns = size().map(|(columns, _)| columns);
        Self { wrap: columns, cut: columns.unwrap_or(USUAL_WIDTH) }
    }

    /// Returns one of so many columns.
    #[cfg(test)]
    pub fn of(columns: usize) -> Self {
        Self { wrap: Some(columns), cut: columns }
    }

    /// Appends a text, each of its lines behind `indent` spaces, and wrapped.
    pub fn paragraph(self, page: &mut String, indent: usize, text: &str) {
        for line in text.trim_end().lines() {
            let line = plain(line);
            match self.wrap {
                Some(columns) => wrap(page, indent, columns.max(indent + NARROWEST), &line),
                None => push(page, indent, &line),
            }
        }
    }

    /// Cuts a line that begins behind `indent` columns.
    pub fn line(self, indent: usize, text: &str) -> String {
        cut(text, self.cut.saturating_sub(indent).max(NARROWEST))
    }
}

/// Returns a line of text that is safe to show, with its indentation.
pub(super) fn plain(line: &str) -> String {
    printable(&line.trim_end().replace('\t', "    "))
}

/// Returns a call as a line: the tool, and the argument that tells most.
pub(super) fn call(call: &ToolCall) -> String {
    let argument = match &call.input {
        Ok(input) => match BUILTIN.tool(&call.name) {
            Some(tool) => tool.summary(input),
            None => known(input).unwrap_or_else(|| input.to_string()),
        },
        Err(broken) => broken.clone(),
    };
    let mut lines = argument.trim().lines();
    let first = lines.next().unwrap_or_default();
    let more = if lines.next().is_some() { " …" } else { "" };
    let empty = ["", "{}", "null"].contains(&first);
    let first = if empty { String::new() } else { format!(" {}{more}", plain(first)) };
    format!("{}{first}", printable(&call.name))
}

/// Returns the argument that tells most by its name, for tools that are not built in.
fn known(input: &Value) -> Option<String> {
    ["description", "url", "query", "path", "command"]
        .into_iter()
        .find_map(|name| input.get(name)?.as_str().map(str::to_owned))
}

/// Cuts a line to so many letters.
pub(super) fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

fn push(page: &mut String, indent: usize, line: &str) {
    let line = format!("{:indent$}{line}", "");
    page.push_str(line.trim_end());
    page.push('\n');
}

/// Breaks a line between words; what follows is indented as the line is. A word that is too long stays.
fn wrap(page: &mut String, indent: usize, columns: usize, line: &str) {
    let own = line.len() - line.trim_start().len();
    let indent = (indent + own).min(columns - NARROWEST);
    let mut current = String::new();
    for word in line.split_whitespace() {
        let width = current.chars().count() + 1 + word.chars().count();
        if !current.is_empty() && indent + width > columns {
            push(page, indent, &current);
            current.clear();
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    push(page, indent, &current);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_wrapped_between_words_and_cannot_steer_the_terminal() {
        let mut page = String::new();
        let text = "a word and another\x1b[2J\n\n    code that is as far in\u{202e}\n";
        Width::of(24).paragraph(&mut page, 2, text);
        insta::assert_snapshot!(page, @r"
          a word and another [2J

            code that is as far
            in
        ");
    }

    #[test]
    fn a_call_is_one_line() {
        let made = |name: &str, input| {
            let (id, name) = (String::new(), name.to_owned());
            call(&ToolCall { id, name, input })
        };
        assert_eq!(made("Bash", Ok(json!({ "command": "make\ntest" }))), "Bash make …");
        assert_eq!(made("mcp__x__y", Ok(json!({ "a": "\x1b" }))), "mcp__x__y {\"a\":\"\\u001b\"}");
        assert_eq!(made("look", Ok(json!({}))), "look");
        assert_eq!(made("Read", Err("{\"file".to_owned())), "Read {\"file");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
