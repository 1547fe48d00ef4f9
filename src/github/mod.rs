//! GitHub's REST API: asking, pages, limits; pull requests, issues and reviews as values.
//!
//! The token goes to the API's own host and nowhere else: redirects are followed only within it, and no
//! message has it. Requests of a run share one [`Github`]; where GitHub says to wait, all of them wait.
//! Only what changes nothing is asked again after a broken answer. Shapes and limits are those of
//! <https://docs.github.com/en/rest>, API version 2022-11-28. It knows nothing of git or Lua.

mod answer;
mod client;
mod fault;
mod issue;
mod limit;
mod list;
mod pull;
mod review;
mod slug;
mod stamp;
mod write;

pub use answer::Answer;
pub use client::{Github, Question};
pub use issue::{Issue, IssueQuery};
pub use list::Pages;
pub use pull::{Pull, PullQuery};
pub use reqwest::Method;
pub use review::{Comment, Review, Verdict};
pub use slug::Slug;
pub use stamp::stamp;
pub use write::{COMMENT, NewPull, REVIEW, Write};
