//! `[[scenario NAME key=value key="v w"]]`: what a prompt asks the scripted model to do.
//!
//! Double quotes know `\"`, `\\`, `\n` and `\t`; single quotes know nothing, which suits JSON.

use std::collections::BTreeMap;
use std::str::Chars;

/// A parsed directive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directive {
    pub name: String,
    values: BTreeMap<String, String>,
}

impl Directive {
    /// Returns the first directive in `text`; `Err` is what is wrong with it.
    pub fn find(text: &str) -> Option<Result<Self, String>> {
        let (_, rest) = text.split_once("[[scenario ")?;
        Some(Self::parse(rest))
    }

    fn parse(rest: &str) -> Result<Self, String> {
        let mut chars = rest.chars();
        let mut directive = Self::default();
        loop {
            let left = chars.as_str().trim_start();
            if left.starts_with("]]") {
                break;
            }
            if left.is_empty() {
                return Err("the directive has no `]]`".into());
            }
            let end = left
                .find(|c: char| c == '=' || c.is_whitespace())
                .into_iter()
                .chain(left.find("]]"))
                .min()
                .unwrap_or(left.len());
            let (word, after) = left.split_at(end);
            if let Some(after) = after.strip_prefix('=') {
                chars = after.chars();
                let value = value(&mut chars)?;
                directive.values.insert(word.to_owned(), value);
            } else if directive.name.is_empty() {
                word.clone_into(&mut directive.name);
                chars = after.chars();
            } else {
                return Err(format!("`{word}` in the directive has no value"));
            }
        }
        if directive.name.is_empty() {
            Err("the directive has no name".into())
        } else {
            Ok(directive)
        }
    }

    /// Returns the value of `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// Returns the value of `key` as a number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.text(key)?.parse().ok()
    }

    /// Returns the values of `key`, `key1`, `key2`… in this order.
    pub fn list<'a>(&'a self, key: &str) -> Vec<&'a str> {
        let numbered = (1..).map_while(|index| self.text(&format!("{key}{index}")));
        self.text(key).into_iter().chain(numbered).collect()
    }
}

fn value(chars: &mut Chars<'_>) -> Result<String, String> {
    let text = chars.as_str();
    match text.chars().next() {
        Some('"') => {
            chars.next();
            let mut value = String::new();
            loop {
                match chars.next().ok_or("a quote in the directive is not closed")? {
                    '"' => return Ok(value),
                    '\\' => value.push(match chars.next() {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some(other) => other,
                        None => return Err("a quote in the directive is not closed".into()),
                    }),
                    other => value.push(other),
                }
            }
        }
        Some('\'') => {
            let (value, after) =
                text[1..].split_once('\'').ok_or("a quote in the directive is not closed")?;
            *chars = after.chars();
            Ok(value.to_owned())
        }
        _ => {
            let end = text
                .find(char::is_whitespace)
                .into_iter()
                .chain(text.find("]]"))
                .min()
                .unwrap_or(text.len());
            *chars = text[end..].chars();
            Ok(text[..end].to_owned())
        }
    }
}
