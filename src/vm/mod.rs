//! Lua: one state, on one thread, with tasks that wait for each other and for the outside.
//!
//! This layer knows how Rust functions look in Lua ([`bridge`]), how options are read strictly
//! ([`options`]), how values cross ([`value`]), how tasks form a tree that is cancelled from above
//! and waited for from below ([`task`], [`group`]), and how agent threads call back ([`callback`]).
//! It does not know a single function of the manual: those are in `api/`.
//!
//! The facts about Lua and mlua that shaped it are measured ones:
//!
//! * Errors cross as values, never as `mlua::Error`: a table raised by a script must come out of
//!   `pcall`, `await` and `agent.all` as the same table. So primitives return `(true, …)` or
//!   `(false, error)` and a Lua shim raises.
//! * A cancelled task is told by an error at its waiting point, so that `<close>` handlers run and
//!   may wait; its future is dropped only when it has not unwound after a grace.
//! * Only the global count hook reaches the script's own coroutines; it raises on cancellation and
//!   yields when a time slice is used up.

pub mod args;
pub mod bridge;
pub mod callback;
pub mod chunk;
pub mod clearer;
pub mod error;
mod fingerprint;
pub mod group;
pub mod options;
pub mod runtime;
pub mod session;
pub mod slice;
pub mod stopper;
pub mod task;
pub mod traceback;
pub mod trail;
pub mod value;

pub use args::Args;
pub use bridge::{Module, Raised};
pub use callback::Callback;
pub use error::Uncaught;
/// What a function returns, for layers that know no mlua.
pub use mlua::MultiValue as Values;
pub use options::{Options, Shape};
pub use runtime::{Runtime, Setup};
pub use session::Session;
pub use stopper::Stopper;
pub use task::Task;
