//! The stand-in's own tests: `cargo test --test standin`.

#[path = "mod.rs"]
mod standin;

mod client;
mod faults_test;
mod responses_test;
mod scenario_test;
mod strictness_test;
