//! An answer, and how values are read out of it.

use reqwest::Url;
use serde_json::Value;

use super::fault::Asked;
use crate::error::{Error, Kind, Result};

/// What GitHub answered with success.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body.
    pub body: Vec<u8>,
    /// Where the next page is.
    pub next: Option<Url>,
    pub(super) asked: Asked,
}

impl Answer {
    /// Returns the body as JSON; null where there is none.
    ///
    /// # Errors
    /// [`Kind::Io`], when it is something else.
    pub fn json(&self) -> Result<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|_| {
            let is_page = self.body.trim_ascii_start().starts_with(b"<");
            let what = if is_page { "a web page" } else { "something that is no JSON" };
            self.asked.unusable(what)
        })
    }

    /// Returns the body as a list.
    ///
    /// # Errors
    /// [`Kind::Io`], when it is something else.
    pub fn list(&self) -> Result<Vec<Value>> {
        match self.json()? {
            Value::Array(items) => Ok(items),
            _ => Err(self.asked.unusable("something that is no list")),
        }
    }
}

/// Reads the link to the next page: `<https://…?page=2>; rel="next", …`.
pub(super) fn next_of(link: &str, base: &Url) -> Option<Url> {
    let next = link.split(',').find(|part| {
        part.split(';').skip(1).any(|param| matches!(param.trim(), "rel=\"next\"" | "rel=next"))
    })?;
    let address = next.split(';').next()?.trim().strip_prefix('<')?.strip_suffix('>')?;
    base.join(address).ok()
}

/// The fields of an object that GitHub calls `what`.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub object: &'a Value,
    pub what: &'static str,
}

impl<'a> Fields<'a> {
    /// Returns a member, by a path such as `/user/login`; nothing for null.
    pub fn maybe(&self, path: &str) -> Option<&'a Value> {
        self.object.pointer(path).filter(|value| !value.is_null())
    }

    /// Returns a text; nothing for null.
    pub fn text(&self, path: &str) -> Option<String> {
        self.maybe(path)?.as_str().map(str::to_owned)
    }

    /// Returns a text that has to be there.
    pub fn require_text(&self, path: &str) -> Result<String> {
        self.text(path).ok_or_else(|| self.lacks(path, "a text"))
    }

    /// Returns a number that has to be there.
    pub fn require_number(&self, path: &str) -> Result<u64> {
        self.maybe(path).and_then(Value::as_u64).ok_or_else(|| self.lacks(path, "a number"))
    }

    /// Returns the names of the labels; old ones are texts.
    pub fn labels(&self) -> Vec<String> {
        let labels = self.maybe("/labels").and_then(Value::as_array);
        let name = |label: &Value| label.get("name").unwrap_or(label).as_str().map(str::to_owned);
        labels.into_iter().flatten().filter_map(name).collect()
    }

    fn lacks(&self, path: &str, kind: &str) -> Error {
        let (what, field) = (self.what, path.trim_start_matches('/').replace('/', "."));
        let why = format!("GitHub sent {what} whose `{field}` is not {kind}");
        Error::new(Kind::Io, why).hint("is GITHUB_API_URL the address of a GitHub API?")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let base = Url::parse("https://api.github.com/repositories/1300192/issues").unwrap();
        let link = "<https://api.github.com/repositories/1300192/issues?page=2>; rel=\"prev\", \
                    <https://api.github.com/repositories/1300192/issues?page=4>; rel=\"next\", \
                    <https://api.github.com/repositories/1300192/issues?page=515>; rel=\"last\"";
        let next = next_of(link, &base).unwrap();
        assert_eq!(next.query(), Some("page=4"));
        assert_eq!(next_of("<https://x.example/?page=1>; rel=\"first\"", &base), None);
        assert_eq!(next_of("nonsense", &base), None);
    }
}
