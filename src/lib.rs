//! agentlua: fleets of coding agents, scripted in Lua, each in its own git worktree.
//!
//! The way of the data, from the command line to a branch:
//!
//! ```text
//! agentlua run review_prs.lua
//!   cli::run ─ Config → Host
//!     vm::Runtime ─ prelude, api::install; the chunk runs as the first task of a tree
//!       agent.query { … }                       Lua table
//!         → prelude: call site, `try_` twin
//!         → api::agent: Options → Query         the last place that sees Lua
//!         → agent::Session::run → Outcome       until final text, limit or error
//!             ├ model::Model::ask(Request) → Reply
//!             ├ tool::Registry::call(ToolCall) on a Workspace → text for the model
//!             └ git: a worktree before, a snapshot after
//!         ← Outcome → Lua table
//!   every step emits an Event → journal and terminal; the script's print owns stdout
//! ```
//!
//! Layers, each naming only what stands to its right (`tests/layers.rs`):
//! `cli → check → api → vm → host → github, agent → model, tool → workspace → git → journal → process →
//! config → event, error, media, schema`.

pub mod agent;
pub mod api;
pub mod check;
pub mod cli;
pub mod config;
pub mod crash;
pub mod digest;
pub mod error;
pub mod event;
pub mod files;
pub mod git;
pub mod github;
pub mod host;
pub mod http;
pub mod journal;
pub mod manual;
pub mod media;
pub mod model;
pub mod process;
pub mod schema;
pub mod suggest;
pub mod tool;
pub mod vm;
pub mod workspace;
