//! kill -9 in the middle of an agent, and going on: what comes of it is what an uninterrupted run comes
//! to. No reply that was kept is asked for again, no call runs again, and the branch ends with one commit
//! of agentlua's.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "again/ends.rs"]
mod ends;
#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;
#[path = "again/places.rs"]
mod places;
#[path = "again/stage.rs"]
mod stage;

use serde_json::json;
use stage::{Stage, assert_asked_once, assert_same, uninterrupted, with_turns_more};

/// One agent with all that can be cut off.
const SCRIPT: &str = include_str!("again/main.lua");

#[test]
fn an_agent_that_is_killed_at_any_step_goes_on_as_if_it_had_not_been() {
    let whole = uninterrupted(&Stage::new(SCRIPT));
    assert_eq!(whole["num_turns"], 5);
    assert_eq!(whole["commits"], json!(["work/one", "own"]));
    for point in [
        "create.registered",
        "create.opened",
        "enter.swapped",
        "reply.kept#1",
        "tool.ran#1",
        "answer.kept#1",
        "turn.staged",
        "turn.kept",
        "reply.kept#2",
        "tool.ran#2",
        "answer.kept#2",
        "reply.kept#3",
        "tool.ran#3",
        "answer.kept#3",
        "tool.ran#4",
        "answer.kept#4",
        "final.kept",
        "agent.conversed",
        "finish.committed",
        "finish.moved",
        "leave.begun",
        "leave.done",
        "release.unlocked",
        "release.kept",
        "agent.harvested",
    ] {
        let stage = Stage::new(SCRIPT);
        stage.crash(point);
        let ran = stage.resume(None);
        assert_eq!(ran.code, 0, "{point}: {}", ran.stderr);
        let asked = stage.asked();
        let repeated = asked.iter().filter(|asked| asked.ends_with("interrupted")).count();
        let cut = point.starts_with("reply.kept") || point.starts_with("tool.ran");
        // Snapshots are taken while the model is asked, and while calls begin to run.
        let beside = point.starts_with("turn.");
        assert!(beside || repeated == usize::from(cut), "{point}: {asked:?}");
        assert!(beside || asked.len() == 5 + repeated, "{point}: {asked:?}");
        assert_same(stage.came_to(&ran), with_turns_more(&whole, repeated), point);
        assert_asked_once(&stage, point);
        assert_eq!(stage.agents().len(), 1, "{point}");
        stage.check(point);
    }
}

#[test]
fn a_run_that_is_killed_in_each_of_its_lives_comes_to_the_same() {
    let whole = uninterrupted(&Stage::new(SCRIPT));
    let stage = Stage::new(SCRIPT);
    stage.crash("tool.ran#2");
    for point in [
        "again.noted",
        "again.kept",
        "again.folded",
        "again.shown",
        "enter.swapped",
        "answer.kept#1",
        "recover.finished",
        "reopen.intended",
        "reopen.locked",
        "enter.recorded",
        "tool.ran#1",
        "finish.committed",
        "agent.harvested",
    ] {
        let ran = stage.resume(Some(point));
        assert_eq!(ran.code, 137, "{point}: it was not killed: {}", ran.stderr);
    }
    let ran = stage.resume(None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let asked = stage.asked();
    let repeated = asked.iter().filter(|asked| asked.ends_with("interrupted")).count();
    assert_eq!((asked.len(), repeated), (7, 2), "{asked:?}");
    assert_same(stage.came_to(&ran), with_turns_more(&whole, repeated), "in the end");
    stage.check("in the end");
}

#[test]
fn snapshots_of_turns_go_on_in_one_chain() {
    let stage = Stage::new(SCRIPT);
    stage.crash("tool.ran#3");
    let ran = stage.resume(None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let name = stage.git(&["for-each-ref", "--format=%(refname)", "refs/agentlua/**/turns"]);
    assert_eq!(name.lines().count(), 1, "{name}");
    let format = "--format=%(trailers:key=Agentlua-Turn,valueonly,separator=)";
    let turns = stage.git(&["log", format, &name, "^main"]);
    assert_eq!(turns.lines().collect::<Vec<_>>(), ["5", "3", "2", "1"]);
    let tree = stage.git(&["rev-parse", &format!("{name}^{{tree}}")]);
    assert_eq!(tree, stage.git(&["rev-parse", "work/one^{tree}"]));
}
