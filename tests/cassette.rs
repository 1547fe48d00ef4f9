//! Runs that are recorded and replayed, with the built binary: against the strict stand-in for models,
//! and with models written in Lua. Each replay has a home, a repository and an environment of its own,
//! without a key and without a server.

#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/home.rs"]
mod home;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/repo.rs"]
mod repo;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "http/stage.rs"]
mod stage;
mod standin;

#[path = "cassette/changed.rs"]
mod changed;
#[path = "cassette/file.rs"]
mod file;
#[path = "cassette/fleet.rs"]
mod fleet;
#[path = "cassette/kinds.rs"]
mod kinds;
#[path = "cassette/studio.rs"]
mod studio;
