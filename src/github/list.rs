//! Lists that come in pages.

use serde_json::Value;

use super::answer::Answer;
use super::client::{Github, Question};
use crate::error::{Error, Kind, Result};

/// Items of a page: the most that GitHub gives.
const A_PAGE: usize = 100;

/// More pages than these are a mistake, or a server that goes in circles.
const MOST: usize = 300;

/// How much of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// All of it.
    All,
    /// So many items.
    First(usize),
}

impl Github {
    /// Asks for whatever the API has: of a list all pages, unless `page` is said.
    ///
    /// # Errors
    /// As [`Github::ask`]; io, for more pages than anybody means.
    pub async fn look(&self, question: Question) -> Result<Value> {
        let has = |name: &str| question.query.iter().any(|(key, _)| key == name);
        if has("page") {
            return self.ask(&question).await?.json();
        }
        let size = A_PAGE.to_string();
        let question =
            if has("per_page") { question } else { question.with("per_page", Some(size)) };
        let mut answer = self.ask(&question).await?;
        let mut items = match answer.json()? {
            Value::Array(items) => items,
            other => return Ok(other),
        };
        for _ in 0..MOST {
            let Some(next) = answer.next.clone() else { return Ok(Value::Array(items)) };
            answer = self.ask_at(&question, next).await?;
            items.extend(answer.list()?);
        }
        Err(endless(&question))
    }

    /// Asks for a list, page after page, and returns the items that `keep` makes something of.
    ///
    /// # Errors
    /// As [`Github::ask`]; io, for more pages than anybody means.
    pub async fn list<T>(
        &self,
        question: Question,
        pages: Pages,
        keep: impl Fn(&Value) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        let most = match pages {
            Pages::All => usize::MAX,
            Pages::First(most) => most,
        };
        let question = question.with("per_page", Some(most.clamp(1, A_PAGE).to_string()));
        let mut answer: Answer = self.ask(&question).await?;
        let mut found = Vec::new();
        for _ in 0..MOST {
            for item in answer.list()? {
                if found.len() < most {
                    found.extend(keep(&item)?);
                }
            }
            match answer.next.clone().filter(|_| found.len() < most) {
                Some(next) => answer = self.ask_at(&question, next).await?,
                None => return Ok(found),
            }
        }
        Err(endless(&question))
    }
}

fn endless(question: &Question) -> Error {
    let why = format!("`{}` has more than {MOST} pages", question.path);
    Error::new(Kind::Io, why).hint("ask for fewer: by `limit` or `page`, or a narrower question")
}
