//! What a script changes at GitHub, as a value: it is described, done, and looked for by somebody who does
//! not know whether it was done.

use reqwest::Method;
use serde_json::{Value, json};

use super::answer::Fields;
use super::client::{Github, Question};
use super::list::Pages;
use super::pull::{Pull, PullQuery};
use super::review::Review;
use super::slug::Slug;
use crate::error::{Error, Result};

/// A pull request to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPull {
    /// The branch, as it is called there.
    pub head: String,
    /// Who has the branch.
    pub owner: String,
    /// The branch that is to get it.
    pub base: String,
    /// Its title.
    pub title: String,
    /// What it says.
    pub body: String,
    /// Whether it is not ready yet.
    pub draft: bool,
}

/// Something to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Says something beneath an issue or a pull request.
    Comment {
        /// Where.
        repo: Slug,
        /// Its number.
        number: u64,
        /// What.
        body: String,
    },
    /// Reviews a pull request.
    Review {
        /// Where.
        repo: Slug,
        /// Its number.
        number: u64,
        /// How.
        review: Review,
    },
    /// Opens a pull request.
    Pull {
        /// Where.
        repo: Slug,
        /// Which.
        pull: NewPull,
    },
    /// Whatever the API has.
    Api {
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// The body.
        body: Option<Value>,
    },
}

/// The fields of a comment that scripts see.
pub const COMMENT: [&str; 5] = ["id", "url", "body", "author", "created_at"];
/// The fields of a review that scripts see.
pub const REVIEW: [&str; 5] = ["id", "url", "body", "author", "state"];

impl Write {
    /// Returns it as a clause that begins with a verb.
    pub fn describe(&self) -> String {
        match self {
            Self::Comment { repo, number, .. } => format!("comment on `{repo}#{number}`"),
            Self::Review { repo, number, review } => {
                let (event, count) = (review.verdict.as_str(), review.comments.len());
                format!("review `{repo}#{number}`: {event}, with {count} comments")
            }
            Self::Pull { repo, pull } => {
                let NewPull { head, base, title, .. } = pull;
                format!("open a pull request of `{head}` into `{base}` of `{repo}`: {title}")
            }
            Self::Api { method, path, .. } => format!("ask GitHub to {method} `{path}`"),
        }
    }

    /// Returns what tells it from another.
    pub fn question(&self) -> Value {
        let (what, at, body) = match self {
            Self::Comment { repo, number, body } => {
                ("comment", format!("{repo}#{number}"), json!(body))
            }
            Self::Review { repo, number, review } => {
                ("review", format!("{repo}#{number}"), review.to_json())
            }
            Self::Pull { repo, pull } => ("pull", repo.to_string(), body_of(repo, pull)),
            Self::Api { method, path, body } => ("api", format!("{method} {path}"), json!(body)),
        };
        json!([what, at, body])
    }

    /// Returns what it comes to where it is not done: in a dry run.
    pub fn planned(&self) -> Value {
        match self {
            Self::Comment { body, .. } => {
                json!({ "id": 0, "url": "(planned)", "body": body, "author": "" })
            }
            Self::Review { review, .. } => json!({
                "id": 0, "url": "(planned)", "body": review.body, "author": "",
                "state": review.verdict.state(),
            }),
            Self::Pull { repo, pull } => {
                Pull::planned(repo, &pull.title, &pull.body, &pull.head, &pull.base, &pull.head)
                    .to_json()
            }
            Self::Api { .. } => json!({}),
        }
    }
}

fn body_of(repo: &Slug, pull: &NewPull) -> Value {
    let NewPull { head, owner, base, title, body, draft } = pull;
    let is_own = owner.eq_ignore_ascii_case(repo.owner());
    let head = if is_own { head.clone() } else { format!("{owner}:{head}") };
    json!({ "title": title, "head": head, "base": base, "body": body, "draft": draft })
}

fn comment_of(object: &Value) -> Result<Value> {
    let of = Fields { object, what: "a comment" };
    Ok(json!({
        "id": of.require_number("/id")?,
        "url": of.require_text("/html_url")?,
        "body": of.text("/body").unwrap_or_default(),
        "author": of.text("/user/login").unwrap_or_else(|| "ghost".to_owned()),
        "created_at": of.text("/created_at"),
    }))
}

fn review_of(object: &Value) -> Result<Value> {
    let of = Fields { object, what: "a review" };
    Ok(json!({
        "id": of.require_number("/id")?,
        "url": of.require_text("/html_url")?,
        "body": of.text("/body").unwrap_or_default(),
        "author": of.text("/user/login").unwrap_or_else(|| "ghost".to_owned()),
        "state": of.require_text("/state")?,
    }))
}

impl Github {
    /// Does it, and returns what it came to.
    ///
    /// # Errors
    /// As [`Github::ask`]; io, with the details `url` and `number`, for a pull request that is there
    /// already.
    pub async fn write(&self, write: &Write) -> Result<Value> {
        match write {
            Write::Comment { repo, number, body } => {
                let path = repo.path(&format!("issues/{number}/comments"));
                let answer = self.ask(&Question::post(path, json!({ "body": body }))).await?;
                comment_of(&answer.json()?)
            }
            Write::Review { repo, number, review } => {
                let path = repo.path(&format!("pulls/{number}/reviews"));
                let asked = self.ask(&Question::post(path, review.to_json())).await;
                review_of(&asked.map_err(|error| astray(error, review))?.json()?)
            }
            Write::Pull { repo, pull } => {
                let question = Question::post(repo.path("pulls"), body_of(repo, pull));
                match self.ask(&question).await {
                    Ok(answer) => Ok(Pull::read(repo, &answer.json()?)?.to_json()),
                    Err(error) if is_status(&error, 422) => match self.pull_of(repo, pull).await {
                        Ok(Some(there)) => Err(Self::taken(&there)),
                        _ => Err(error),
                    },
                    Err(error) => Err(error),
                }
            }
            Write::Api { method, path, body } => {
                let question =
                    Question { body: body.clone(), ..Question::at(method.clone(), path) };
                self.ask(&question).await?.json()
            }
        }
    }

    /// Looks whether it was done at or after a time by whoever has the token, and returns what it came to.
    /// It is none of what is `taken`, which other writes came to. Of what cannot be looked for nobody knows.
    ///
    /// # Errors
    /// As [`Github::ask`].
    pub async fn written(
        &self,
        write: &Write,
        since: &str,
        taken: &[Value],
    ) -> Result<Option<Value>> {
        let me = match write {
            Write::Comment { .. } | Write::Review { .. } => self.login().await?,
            Write::Pull { .. } | Write::Api { .. } => None,
        };
        let may_be_it = |object: &Value, time: &str, text: &str| {
            let author = object["user"]["login"].as_str().unwrap_or_default();
            let is_taken = |it: &Value| it["id"] == object["id"] && it["url"] == object["html_url"];
            object[time].as_str().is_some_and(|at| at >= since)
                && me.as_ref().is_none_or(|me| author.eq_ignore_ascii_case(me))
                && same(&object["body"], text)
                && !taken.iter().any(is_taken)
        };
        match write {
            Write::Comment { repo, number, body } => {
                let path = repo.path(&format!("issues/{number}/comments"));
                let question = Question::get(path).with("since", Some(since));
                let is_it = |object: &Value| {
                    let is_it = may_be_it(object, "created_at", body);
                    is_it.then(|| comment_of(object)).transpose()
                };
                Ok(self.list(question, Pages::All, is_it).await?.pop())
            }
            Write::Review { repo, number, review } => {
                let question = Question::get(repo.path(&format!("pulls/{number}/reviews")));
                let state = review.verdict.state();
                let is_it = |object: &Value| {
                    let is_it =
                        object["state"] == state && may_be_it(object, "submitted_at", &review.body);
                    is_it.then(|| review_of(object)).transpose()
                };
                Ok(self.list(question, Pages::All, is_it).await?.pop())
            }
            Write::Pull { repo, pull } => {
                Ok(self.pull_of(repo, pull).await?.map(|pull| pull.to_json()))
            }
            Write::Api { .. } => Ok(None),
        }
    }

    /// Returns whose the token is; nothing for one that is no person's, such as an app's.
    async fn login(&self) -> Result<Option<String>> {
        match self.ask(&Question::get("/user")).await {
            Ok(answer) => Ok(answer.json()?["login"].as_str().map(str::to_owned)),
            Err(error) if [401, 403, 404].iter().any(|status| is_status(&error, *status)) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the open pull request of a branch.
    async fn pull_of(&self, repo: &Slug, pull: &NewPull) -> Result<Option<Pull>> {
        let query = PullQuery {
            state: Some("open".to_owned()),
            base: Some(pull.base.clone()),
            head: Some(format!("{}:{}", pull.owner, pull.head)),
            pages: Pages::First(1),
        };
        Ok(self.pulls(repo, query).await?.pop())
    }
}

/// Tells whether GitHub has kept a text: line ends may be others by then.
fn same(there: &Value, text: &str) -> bool {
    let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    plain(there.as_str().unwrap_or_default()) == plain(text)
}

fn is_status(error: &Error, status: u16) -> bool {
    error.detail("status").and_then(Value::as_u64) == Some(u64::from(status))
}

/// Says of a review whose comments GitHub does not take what they must be.
fn astray(error: Error, review: &Review) -> Error {
    if is_status(&error, 422) && !review.comments.is_empty() {
        return error.hint(
            "comments go on lines that the pull request's diff shows; put others into `body`",
        );
    }
    error
}
