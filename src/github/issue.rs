//! Issues.

use serde_json::{Value, json};

use super::answer::Fields;
use super::client::{Github, Question};
use super::list::Pages;
use super::slug::Slug;
use crate::error::Result;

/// An issue, as far as scripts see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue(Value);

impl Issue {
    /// The fields that scripts see.
    pub const FIELDS: [&'static str; 11] = [
        "number",
        "title",
        "body",
        "author",
        "url",
        "state",
        "labels",
        "comments",
        "repo",
        "created_at",
        "updated_at",
    ];

    /// Reads it as the API gives it; nothing for a pull request, which the API lists among them.
    fn read(repo: &Slug, object: &Value) -> Result<Option<Self>> {
        let of = Fields { object, what: "an issue" };
        if of.maybe("/pull_request").is_some() {
            return Ok(None);
        }
        Ok(Some(Self(json!({
            "number": of.require_number("/number")?,
            "title": of.require_text("/title")?,
            "body": of.text("/body").unwrap_or_default(),
            "author": of.text("/user/login").unwrap_or_else(|| "ghost".to_owned()),
            "url": of.require_text("/html_url")?,
            "state": of.require_text("/state")?,
            "labels": of.labels(),
            "comments": of.maybe("/comments").and_then(Value::as_u64).unwrap_or(0),
            "repo": repo.to_string(),
            "created_at": of.text("/created_at"),
            "updated_at": of.text("/updated_at"),
        }))))
    }

    /// Returns it as scripts see it.
    pub fn to_json(&self) -> Value {
        self.0.clone()
    }
}

/// Which issues to list.
#[derive(Clone, Debug)]
pub struct IssueQuery {
    /// `open`, `closed` or `all`.
    pub state: Option<String>,
    /// Only those that have all of these labels.
    pub labels: Vec<String>,
    /// Only those of this person.
    pub assignee: Option<String>,
    /// How many.
    pub pages: Pages,
}

impl Github {
    /// Lists issues, newest first; pull requests are not among them.
    ///
    /// # Errors
    /// As [`Github::ask`].
    pub async fn issues(&self, repo: &Slug, query: IssueQuery) -> Result<Vec<Issue>> {
        let labels = Some(query.labels.join(",")).filter(|labels| !labels.is_empty());
        let question = Question::get(repo.path("issues"))
            .with("state", query.state)
            .with("labels", labels)
            .with("assignee", query.assignee);
        self.list(question, query.pages, |object| Issue::read(repo, object)).await
    }
}
