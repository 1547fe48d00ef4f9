//! Every options table that there is, for who looks at scripts without running them.

use std::collections::BTreeMap;

use super::{
    agent, arguments, fs, git, github, integrate, json, model, query, settings, sh, site, test,
    tool, worktree,
};
use crate::vm::Shape;

pub use super::arguments::TYPES;
pub use super::site::OF_WORKTREES;
pub use super::team::refusal as team_refusal;

/// All shapes.
const ALL: [&Shape; 43] = [
    &agent::LIST,
    &agent::REMOVE,
    &arguments::ARGUMENT,
    &arguments::DECLARATION,
    &fs::REMOVE,
    &git::BRANCHES,
    &git::HEAD,
    &git::WORKTREES,
    &git::diff::DIFF,
    &git::merge::CONFLICTS,
    &git::merge::MERGE,
    &git::remote::FETCH,
    &git::remote::PUSH,
    &git::show::LOG,
    &git::show::SHOW,
    &git::status::COMMIT,
    &git::status::ROOT,
    &git::status::STATUS,
    &github::COMMENT,
    &github::DIFF,
    &github::ISSUES,
    &github::PULL,
    &github::PULLS,
    &github::create::CREATE,
    &github::review::COMMENT,
    &github::review::REVIEW,
    &integrate::SHAPE,
    &json::ENCODE,
    &model::SHAPE,
    &query::SHAPE,
    &query::hooks::MATCHER,
    &query::hooks::SHAPE,
    &query::servers::HOST,
    &query::servers::PROGRAM,
    &settings::SHAPE,
    &sh::PROGRAM,
    &sh::SHELL,
    &site::DEFAULTS,
    &site::TABLE,
    &test::RUN,
    &test::SHELL,
    &tool::SHAPE,
    &worktree::SHAPE,
];

/// The shapes of a table that is a program or a host, which share a name.
pub const SERVERS: [&Shape; 2] = [&query::servers::PROGRAM, &query::servers::HOST];

/// Returns the shapes by the functions, or options, that messages name: `agent.query`,
/// `agent.query: worktree`. Of servers there are two, see [`SERVERS`].
pub fn all() -> BTreeMap<&'static str, &'static Shape> {
    ALL.iter().map(|shape| (shape.function, *shape)).collect()
}
