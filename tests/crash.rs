//! kill -9 at every step: a run is ended at its first point, its second, and so on, until one passes
//! untouched. After each the next run recovers by itself, and what must hold is looked at: nothing of
//! the user's changed, nothing that an agent wrote lost, nothing left that blocks, and recovering once
//! more changes nothing.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "crash/aftermath.rs"]
mod aftermath;
#[path = "crash/between.rs"]
mod between;
#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;
#[path = "support/repo.rs"]
#[expect(dead_code, reason = "shared with tests of the git layer")]
mod repo;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use aftermath::Aftermath;
use home::{Home, Ran};

/// Everything that changes a repository, over refs that are not the user's.
const SCRIPT: &str = include_str!("crash/main.lua");

/// A run that has to recover before its own agent starts, and leaves nothing itself.
const NEXT: &str = r#"
local idle = agent.model { reply = function() return "nothing to do" end }
agent.query { prompt = "look", model = idle, worktree = true }
"#;

/// No sweep is longer; a point in a loop would make it endless.
const MOST: usize = 400;

/// How many points of a recovery are crashed at, in turn.
const DEEP: usize = 16;

/// What happened in a sweep.
#[derive(Default)]
struct Numbers {
    /// Crashes by the name of their point.
    crashes: BTreeMap<String, u32>,
    /// Crashes of the run that recovers.
    again: BTreeMap<String, u32>,
    /// Things that were said to be recovered.
    recovered: usize,
}

#[test]
fn a_run_that_is_killed_at_any_step_is_recovered_from_by_the_next() {
    let (next, end) = (AtomicUsize::new(1), AtomicUsize::new(MOST));
    let numbers = Mutex::new(Numbers::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).min(4) {
            scope.spawn(|| {
                loop {
                    let point = next.fetch_add(1, Ordering::SeqCst);
                    if point > end.load(Ordering::SeqCst) {
                        break;
                    }
                    if !crash_at(point, &numbers) {
                        end.fetch_min(point, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let end = end.into_inner();
    let numbers = numbers.into_inner().unwrap_or_else(PoisonError::into_inner);
    let crashes: u32 = numbers.crashes.values().sum();
    let again: u32 = numbers.again.values().sum();
    println!(
        "{} points passed by a whole run, {crashes} crashes at {} of them by name, {again} crashes of \
         the recovery at {} points by name, {} things recovered",
        end - 1,
        numbers.crashes.len(),
        numbers.again.len(),
        numbers.recovered
    );
    println!("{:?}\n{:?}", numbers.crashes, numbers.again);
    assert!(end < MOST, "no run came to its end");
    assert!(crashes >= 30 && again >= 10 && numbers.recovered >= 10, "it hardly crashed");
}

/// Crashes at one point, recovers and looks; `false` when the run came to its end.
fn crash_at(point: usize, numbers: &Mutex<Numbers>) -> bool {
    let home = Home::new();
    for (name, text) in [("main.lua", SCRIPT), ("next.lua", NEXT), (".gitignore", "*.log\n")] {
        home.write(name, text);
    }
    home.repository();
    let aftermath = Aftermath::before(&home);
    let ran = run(&home, "main.lua", Some(point), "first");
    let crashed = ran.code != 0;
    if crashed {
        assert_eq!(ran.code, 128 + 9, "at {point}: {}", ran.stderr);
    }
    // The recovery itself is cut off as well, where it comes that far.
    let cut = run(&home, "next.lua", Some(1 + point % DEEP), "second");
    assert!(cut.code == 0 || cut.code == 137, "at {point}: {}", cut.stderr);
    let next = run(&home, "next.lua", None, "third");
    let place = format!("point {point} ({})", last_point(&home, "first"));
    assert_eq!(next.code, 0, "{place}: {}", next.stderr);
    aftermath.check(&home, &place);
    let settled = aftermath.state(&home);
    let once_more = run(&home, "next.lua", None, "fourth");
    assert_eq!(once_more.code, 0, "{place}: {}", once_more.stderr);
    assert!(!once_more.stderr.contains("cut off"), "{place}: {}", once_more.stderr);
    assert_eq!(aftermath.state(&home), settled, "{place}: a second recovery changed something");
    let gc = home.run(&["gc"]);
    assert_eq!(gc.code, 0, "{place}: {}", gc.stderr);
    aftermath.check(&home, &format!("{place}, after gc:\n{}", gc.stdout));
    aftermath.nothing_left(&home, &format!("{place}, after gc:\n{}", gc.stdout));
    aftermath.use_git(&home);

    let mut numbers = numbers.lock().unwrap_or_else(PoisonError::into_inner);
    if crashed {
        *numbers.crashes.entry(last_point(&home, "first")).or_default() += 1;
    }
    if cut.code != 0 {
        *numbers.again.entry(last_point(&home, "second")).or_default() += 1;
    }
    numbers.recovered += [&cut.stderr, &next.stderr]
        .iter()
        .flat_map(|said| said.lines())
        .filter(|line| line.contains("cut off"))
        .count();
    crashed
}

fn run(home: &Home, script: &str, point: Option<usize>, name: &str) -> Ran {
    let mut command = home.command(&["run", script]);
    command.env("AGENTLUA_CRASH_LOG", home.beside(name)).env("NOTES", home.beside("notes"));
    if let Some(point) = point {
        command.env("AGENTLUA_CRASH_AT", point.to_string());
    }
    Ran::of(&mut command)
}

/// Returns the last point that a run came to.
fn last_point(home: &Home, name: &str) -> String {
    let log = std::fs::read_to_string(home.beside(name)).unwrap_or_default();
    log.lines().last().unwrap_or("none").to_owned()
}
