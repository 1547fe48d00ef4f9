//! The built binary over HTTP: fleets of agents in real repositories, against the strict stand-in for
//! models on 127.0.0.1, in both wire formats. Each test has a home, a repository and a server of its own.

#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/home.rs"]
mod home;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/repo.rs"]
mod repo;
mod standin;

#[path = "http/acceptance.rs"]
mod acceptance;
#[path = "http/crates.rs"]
mod crates;
#[path = "http/faults.rs"]
mod faults;
#[path = "http/finish.rs"]
mod finish;
#[path = "http/governor.rs"]
mod governor;
#[path = "http/interrupted.rs"]
mod interrupted;
#[path = "http/limits.rs"]
mod limits;
#[path = "http/long.rs"]
mod long;
#[path = "http/refused.rs"]
mod refused;
#[path = "http/scripts.rs"]
mod scripts;
#[path = "http/stage.rs"]
mod stage;
#[path = "http/wire.rs"]
mod wire;
