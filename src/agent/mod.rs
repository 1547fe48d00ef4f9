//! Agents: a model and tools in a loop, on ground of their own, until there is an answer or a limit.
//!
//! A [`Query`] says what is asked; a [`Fleet`] gives it an id, a place and its ground (a worktree, or
//! a plain directory); a [`Session`](session::Session) runs the loop; the [`Outcome`] tells how it
//! ended and which branch holds the work. Nothing here knows Lua or prints.

mod asking;
mod audience;
mod baseline;
pub mod budget;
mod checkpoint;
mod chronicle;
mod command;
mod compaction;
mod conclude;
mod consent;
mod conversation;
mod discard;
pub mod env;
pub mod fleet;
pub mod function;
mod going_on;
pub mod governor;
pub mod ground;
pub mod history;
pub mod hook;
mod hook_output;
pub mod id;
pub mod inbox;
mod instructions;
pub mod kept;
pub mod key;
mod lifetime;
pub mod live;
pub mod order;
pub mod outcome;
pub mod past;
pub mod permission;
pub mod place;
pub mod prompt;
pub mod query;
pub mod recalled;
mod reckoning;
mod record;
pub mod roll;
mod said;
pub mod session;
pub mod setup;
pub mod spoken;
mod standing;
mod steps;
pub mod structured;
mod subagent;
pub mod tally;
mod tidings;
pub(crate) mod transcript;
pub mod turn;
pub mod verify;

pub use fleet::Fleet;
pub use function::Function;
pub use outcome::{Outcome, Subtype};
pub use query::Query;
