//! Every options table that there is, for who looks at scripts without running them.

use std::collections::BTreeMap;

use super::{
    agent, fs, git, github, integrate, json, model, query, settings, sh, site, test, tool, worktree,
};
use crate::vm::Shape;

pub use super::team::refusal as team_refusal;

/// All shapes.
const ALL: [&Shape; 33] = [
    &agent::LIST,
    &agent::REMOVE,
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

/// Returns the functions that the manual names and this version lacks.
pub fn later() -> Vec<String> {
    let of = |module: &str, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("{module}.{name}")).collect()
    };
    [of("agent", &agent::LATER), of("github", &github::LATER)].concat()
}
