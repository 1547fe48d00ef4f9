//! Anything that agents, users and crashes may do to one repository, in any order: what was written is
//! never lost, and what is the user's is never touched.
//!
//! proptest makes the histories (`plan`), the real binary lives through them (`world`), and after
//! every step the invariants of the manual are checked (`invariants`). `PROPTEST_CASES=200 cargo test
//! --test property -- --nocapture` runs more of them and prints the numbers.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "support/repo.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod repo;

#[path = "property/invariants.rs"]
mod invariants;
#[path = "property/plan.rs"]
mod plan;
#[path = "property/world.rs"]
mod world;

use proptest::test_runner::Config;
use proptest_state_machine::prop_state_machine;

use world::World;

prop_state_machine! {
    #![proptest_config(Config {
        cases: std::env::var("PROPTEST_CASES").map_or(12, |cases| cases.parse().unwrap()),
        max_shrink_iters: 40,
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn nothing_is_lost_and_nothing_of_the_users_is_touched(sequential 3..10 => World);
}
