//! The module `github` against a server that answers in the shapes of GitHub's API, wrong answers
//! included, and a repository whose `origin` is there.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that need other parts of it")]
mod home;
#[path = "support/repo.rs"]
#[expect(dead_code, reason = "shared with tests that need other parts of it")]
mod repo;

#[path = "github/faults.rs"]
mod faults;
#[path = "github/origin.rs"]
mod origin;
#[path = "github/patch.rs"]
mod patch;
#[path = "github/read.rs"]
mod read;
#[path = "github/review_prs.rs"]
mod review_prs;
#[path = "github/revision.rs"]
mod revision;
#[path = "github/server.rs"]
mod server;
#[path = "github/shapes.rs"]
mod shapes;
#[path = "github/stage.rs"]
mod stage;
#[path = "github/write.rs"]
mod write;
