//! Pull requests.

use serde_json::{Value, json};

use super::answer::Fields;
use super::client::{Github, Question};
use super::list::Pages;
use super::slug::Slug;
use crate::error::{Error, Result};

/// A pull request, as far as scripts see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// The repository that it is for.
    pub repo: Slug,
    /// Its number there.
    pub number: u64,
    fields: Value,
}

impl Pull {
    /// The fields that scripts see.
    pub const FIELDS: [&'static str; 18] = [
        "number",
        "title",
        "body",
        "author",
        "url",
        "state",
        "draft",
        "labels",
        "head_ref",
        "head_sha",
        "head_repo",
        "base_ref",
        "base_sha",
        "repo",
        "fork",
        "merged",
        "created_at",
        "updated_at",
    ];

    /// Reads it as the API gives it.
    ///
    /// # Errors
    /// Io, naming what is missing.
    pub fn read(repo: &Slug, object: &Value) -> Result<Self> {
        let of = Fields { object, what: "a pull request" };
        let number = of.require_number("/number")?;
        // The fork of somebody who has left is null.
        let head_repo = of.text("/head/repo/full_name");
        let is_own =
            head_repo.as_ref().is_some_and(|head| head.eq_ignore_ascii_case(&repo.to_string()));
        let fields = json!({
            "number": number,
            "title": of.require_text("/title")?,
            "body": of.text("/body").unwrap_or_default(),
            "author": of.text("/user/login").unwrap_or_else(|| "ghost".to_owned()),
            "url": of.require_text("/html_url")?,
            "state": of.require_text("/state")?,
            "draft": of.maybe("/draft").and_then(Value::as_bool).unwrap_or(false),
            "labels": of.labels(),
            "head_ref": of.require_text("/head/ref")?,
            "head_sha": of.require_text("/head/sha")?,
            "head_repo": head_repo,
            "base_ref": of.require_text("/base/ref")?,
            "base_sha": of.require_text("/base/sha")?,
            "repo": repo.to_string(),
            "fork": !is_own,
            "merged": of.maybe("/merged_at").is_some(),
            "created_at": of.text("/created_at"),
            "updated_at": of.text("/updated_at"),
        });
        Ok(Self { repo: repo.clone(), number, fields })
    }

    /// Makes the one that a dry run has in the place of one that is not made.
    pub fn planned(
        repo: &Slug,
        title: &str,
        body: &str,
        head: &str,
        base: &str,
        commit: &str,
    ) -> Self {
        let fields = json!({
            "number": 0, "title": title, "body": body, "author": "", "url": "(planned)",
            "state": "open", "draft": false, "labels": [], "head_ref": head, "head_sha": commit,
            "head_repo": repo.to_string(), "base_ref": base, "base_sha": commit,
            "repo": repo.to_string(), "fork": false, "merged": false,
        });
        Self { repo: repo.clone(), number: 0, fields }
    }

    /// Returns it as scripts see it.
    pub fn to_json(&self) -> Value {
        self.fields.clone()
    }
}

/// Which pull requests to list.
#[derive(Clone, Debug)]
pub struct PullQuery {
    /// `open`, `closed` or `all`.
    pub state: Option<String>,
    /// Only those into this branch.
    pub base: Option<String>,
    /// Only those from this branch: `owner:branch`.
    pub head: Option<String>,
    /// How many.
    pub pages: Pages,
}

impl Github {
    /// Lists pull requests, newest first.
    ///
    /// # Errors
    /// As [`Github::ask`].
    pub async fn pulls(&self, repo: &Slug, query: PullQuery) -> Result<Vec<Pull>> {
        let question = Question::get(repo.path("pulls"))
            .with("state", query.state)
            .with("base", query.base)
            .with("head", query.head);
        self.list(question, query.pages, |object| Pull::read(repo, object).map(Some)).await
    }

    /// Returns a pull request.
    ///
    /// # Errors
    /// As [`Github::ask`].
    pub async fn pull(&self, repo: &Slug, number: u64) -> Result<Pull> {
        let answer = self.ask(&Question::get(repo.path(&format!("pulls/{number}")))).await?;
        Pull::read(repo, &answer.json()?)
    }

    /// Returns the patch of a pull request, as git writes it.
    ///
    /// # Errors
    /// As [`Github::ask`]; GitHub does not show large ones.
    pub async fn patch(&self, repo: &Slug, number: u64) -> Result<Vec<u8>> {
        let question = Question {
            accept: "application/vnd.github.diff",
            ..Question::get(repo.path(&format!("pulls/{number}")))
        };
        let answer = self.ask(&question).await.map_err(|error| {
            let is_large = error.detail("status").and_then(Value::as_u64) == Some(406);
            let hint = format!("git.diff(github.pull({number})) fetches it, and has no such limit");
            if is_large { error.hint(hint) } else { error }
        })?;
        if answer.body.first().is_some_and(|first| *first != b'd') {
            return Err(answer.asked.unusable("something that is no patch"));
        }
        Ok(answer.body)
    }

    /// Returns the branch that pull requests go into when nothing else is said.
    ///
    /// # Errors
    /// As [`Github::ask`].
    pub async fn default_branch(&self, repo: &Slug) -> Result<String> {
        let object = self.ask(&Question::get(format!("/repos/{repo}"))).await?.json()?;
        Fields { object: &object, what: "a repository" }.require_text("/default_branch")
    }

    /// Returns the error of a pull request that is there already.
    pub(super) fn taken(pull: &Pull) -> Error {
        let (url, number) = (pull.fields["url"].as_str().unwrap_or_default(), pull.number);
        let head = pull.fields["head_ref"].as_str().unwrap_or_default();
        Error::new(
            crate::error::Kind::Io,
            format!("there is a pull request of `{head}` already: {url}"),
        )
        .hint(format!("its new commits are in it: github.pull({number})"))
        .with("url", json!(url))
        .with("number", json!(number))
    }
}
