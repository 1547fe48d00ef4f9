//! kill -9 at random moments: a run of thirty agents is killed, resumed, killed again, and resumed to its
//! end. What it returns and what is on its branches is what an uninterrupted run has, no agent that had
//! ended is asked again, and nothing of the user's has changed. The same with the script edited between.
//!
//! `AGENTLUA_SWEEP_KILLS` says how many kills there are in all, `AGENTLUA_SWEEP_SEED` which moments.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "crash/aftermath.rs"]
#[expect(dead_code, reason = "shared with the sweep over every step")]
mod aftermath;
#[path = "sweep/disk.rs"]
mod disk;
#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;
#[path = "support/repo.rs"]
#[expect(dead_code, reason = "shared with tests of the git layer")]
mod repo;
mod standin;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aftermath::Aftermath;
use clap::Parser;
use home::{Home, Ran};
use repo::Repo;
use serde_json::Value;
use standin::{Handle, Options};
use tokio::runtime::{self, Runtime};

const SCRIPT: &str = include_str!("sweep/main.lua");
/// Kills in `cargo test`; the whole sweep has more, see `benches/results.md`.
const KILLS: usize = 40;
/// Kills of one run, at most.
const EACH: usize = 5;
/// Agents at work at once.
const PLACES: usize = 8;
/// Milliseconds of the model.
const LATENCY: &str = "15";

/// A home with a repository, and a model that outlives every kill.
struct Stage {
    home: Home,
    repo: Repo,
    aftermath: Aftermath,
    server: Handle,
    /// After the server, which runs on it.
    _runtime: Runtime,
}

/// A request as the server saw it: of which agent, and how many replies it had had.
type Asked = (String, usize);

impl Stage {
    fn new() -> Self {
        Self::at(Home::new())
    }

    fn at(home: Home) -> Self {
        home.write("README.md", "# readme\n");
        home.repository();
        home.write(".git/info/exclude", "/filler\n");
        let aftermath = Aftermath::before(&home);
        let repo = Repo::at(home.path("").components().collect());
        std::fs::write(home.beside("main.lua"), SCRIPT).unwrap();
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let log = home.beside("requests").display().to_string();
        let options = Options::parse_from(["standin", "--log", &log, "--latency-ms", LATENCY]);
        let server = runtime.block_on(standin::serve(options)).unwrap();
        Self { home, repo, aftermath, server, _runtime: runtime }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command
            .env("ANTHROPIC_API_KEY", "sk-dummy")
            .env("ANTHROPIC_BASE_URL", &self.server.base_url)
            .env("AGENTLUA_MODEL", "anthropic/standin")
            .env("AGENTLUA_CONCURRENCY", PLACES.to_string())
            .env("AGENTLUA_OUTPUT_FORMAT", "json");
        command
    }

    fn start(&self) -> Command {
        self.command(&["run", "../main.lua"])
    }

    fn resume(&self) -> Command {
        self.command(&["resume"])
    }

    /// Runs to the end, and returns what the script returned.
    #[track_caller]
    fn result(ran: &Ran) -> Value {
        let last = ran.stdout.lines().last().unwrap_or_default();
        let last: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{ran:?}"));
        assert_eq!((ran.code, &last["status"]), (0, &"completed".into()), "{}", ran.stderr);
        assert_eq!(last["agents"].as_array().map(Vec::len), Some(30), "{}", ran.stderr);
        last["result"].clone()
    }

    /// Lists the requests so far, in their order.
    fn requests(&self) -> Vec<Asked> {
        let log = std::fs::read_to_string(self.home.beside("requests")).unwrap_or_default();
        let asked = |line: &str| {
            let note: Value = serde_json::from_str(line).ok()?;
            let messages = note["request"]["messages"].as_array()?.clone();
            let replies = messages.iter().filter(|message| message["role"] == "assistant").count();
            let text = messages[0].to_string();
            let (before, _) = text.split_once(": [[scenario")?;
            let name = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next()?;
            Some((name.to_owned(), replies))
        };
        log.lines().filter_map(asked).collect()
    }

    /// Returns the labels of the agents that have ended well.
    fn finished(&self) -> BTreeSet<String> {
        let mut command = self.command(&["agents", "--json", "--all"]);
        let ran = Ran::of(command.env_remove("AGENTLUA_OUTPUT_FORMAT"));
        let rows: Vec<Value> =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        let done = rows.iter().filter(|row| row["status"] == "completed");
        done.filter_map(|row| row["label"].as_str().map(str::to_owned)).collect()
    }

    /// Describes what is on the branches: trees, and how many commits each has.
    fn branches(&self) -> BTreeMap<String, (String, String)> {
        let names = self.repo.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads/"]);
        let about = |name: &str| {
            let tree = self.repo.git(&["rev-parse", &format!("{name}^{{tree}}")]);
            let count = self.repo.git(&["rev-list", "--count", name]);
            (name.to_owned(), (tree, count))
        };
        names.lines().map(about).collect()
    }
}

/// What an uninterrupted run comes to.
struct Whole {
    result: Value,
    branches: BTreeMap<String, (String, String)>,
    took: Duration,
}

impl Whole {
    fn measure() -> Self {
        let stage = Stage::new();
        let began = Instant::now();
        let ran = Ran::of(&mut stage.start());
        let took = began.elapsed();
        let result = Stage::result(&ran);
        let asked = stage.requests();
        let distinct: BTreeSet<_> = asked.iter().collect();
        assert_eq!(asked.len(), distinct.len(), "nothing is asked twice without a kill");
        assert_eq!(asked.len(), 23 * 4 + 21 + 6, "of those who write one a file and one more");
        Self { result, branches: stage.branches(), took }
    }
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    /// Returns a number from 0 to below 1.
    fn throw(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }
}

fn variable(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Starts a process, ends it by kill -9 after a while, and tells whether it was still there.
fn killed_after(command: &mut Command, pause: Duration) -> Result<(), Ran> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let since = Instant::now();
    while since.elapsed() < pause {
        if child.try_wait().unwrap().is_some() {
            return Err(child.wait_with_output().unwrap().into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = child.kill();
    let ran = Ran::from(child.wait_with_output().unwrap());
    if ran.code == 128 + 9 { Ok(()) } else { Err(ran) }
}

/// What happened in a sweep.
#[derive(Default)]
struct Numbers {
    kills: usize,
    runs: usize,
    requests: usize,
    repeated: usize,
    finished_before: usize,
}

/// Kills and resumes one run until its end.
fn one(whole: &Whole, dice: &mut Dice, left: &AtomicUsize, numbers: &Mutex<Numbers>) {
    let stage = Stage::new();
    let (mut kills, mut finished, mut before) = (0, BTreeSet::<String>::new(), 0);
    let ran = loop {
        // The first lives are likely to be long, the last one is not killed.
        let mut command =
            if finished.is_empty() && before == 0 { stage.start() } else { stage.resume() };
        let more = kills < EACH
            && left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok();
        if !more {
            break Ran::of(&mut command);
        }
        let share = if kills == 0 { 1.0 } else { 0.7 };
        let pause = whole.took.mul_f64(share * dice.throw());
        match killed_after(&mut command, pause) {
            Ok(()) => kills += 1,
            Err(ran) => break ran,
        }
        let asked = stage.requests();
        let again: Vec<_> =
            asked[before..].iter().filter(|(name, _)| finished.contains(name)).collect();
        assert!(again.is_empty(), "asked again although it had ended: {again:?}");
        (before, finished) = (asked.len(), stage.finished());
    };
    let asked = stage.requests();
    let again: Vec<_> =
        asked[before..].iter().filter(|(name, _)| finished.contains(name)).collect();
    assert!(again.is_empty(), "asked again although it had ended: {again:?}\n{}", ran.stderr);
    assert_eq!(Stage::result(&ran), whole.result, "{}", ran.stderr);
    assert_eq!(stage.branches(), whole.branches, "{}", ran.stderr);
    // Nobody begins again who had come further, and only what was under way is asked twice.
    let mut reached: BTreeMap<&str, usize> = BTreeMap::new();
    let mut repeated = 0;
    for (name, replies) in &asked {
        let last = reached.entry(name).or_default();
        assert!(replies >= last, "{name} went back from {last} to {replies} replies: {asked:?}");
        repeated += usize::from(replies == last && *last > 0);
        *last = *replies;
    }
    let distinct: BTreeSet<_> = asked.iter().collect();
    let repeated = repeated.max(asked.len() - distinct.len());
    assert!(repeated <= kills * PLACES, "{repeated} requests repeated after {kills} kills");
    stage.aftermath.check(&stage.home, "at the end");
    let mut numbers = numbers.lock().unwrap_or_else(PoisonError::into_inner);
    numbers.kills += kills;
    numbers.runs += 1;
    numbers.requests += asked.len();
    numbers.repeated += repeated;
    numbers.finished_before += finished.len();
}

#[test]
fn a_run_that_is_killed_at_any_moment_and_resumed_comes_to_the_same() {
    let whole = Whole::measure();
    let left = AtomicUsize::new(variable("AGENTLUA_SWEEP_KILLS", KILLS));
    let seed = variable("AGENTLUA_SWEEP_SEED", 7) as u64;
    let numbers = Mutex::new(Numbers::default());
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (whole, left, numbers) = (&whole, &left, &numbers);
            scope.spawn(move || {
                let mut dice = Dice(seed.wrapping_add(thread).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                while left.load(Ordering::SeqCst) > 0 {
                    one(whole, &mut dice, left, numbers);
                }
            });
        }
    });
    let numbers = numbers.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "{} kills in {} runs of 30 agents: {} requests, {} of them repeated because they were under way; \
         {} agents had ended before the last life and were not asked again",
        numbers.kills, numbers.runs, numbers.requests, numbers.repeated, numbers.finished_before
    );
    assert!(numbers.finished_before > 0 && numbers.kills > 0, "it hardly killed anything");
}

/// Kills a run when all of its pipeline has ended and nothing is merged; nothing if it came too far.
fn killed_before_the_merges() -> Option<Stage> {
    let stage = Stage::new();
    let mut child = stage.start().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let since = Instant::now();
    loop {
        let finished = stage.finished();
        if ["p1b", "p2b", "p3b", "p4b", "p5b"].iter().all(|name| finished.contains(*name)) {
            break;
        }
        assert!(since.elapsed() < Duration::from_mins(2) && child.try_wait().unwrap().is_none());
    }
    let _ = child.kill();
    let _ = child.wait();
    (!stage.finished().contains("g1n1")).then_some(stage)
}

#[test]
fn an_edit_between_asks_again_what_changed_and_what_depends_on_it() {
    let whole = Whole::measure();
    let stage = (0..9).find_map(|_| killed_before_the_merges()).expect("it always came too far");
    let (before, finished) = (stage.requests().len(), stage.finished());
    let edited = SCRIPT.replace("p2a = \"written\"", "p2a = \"changed\"");
    assert_ne!(edited, SCRIPT);
    std::fs::write(stage.home.beside("main.lua"), format!("-- edited\n{edited}")).unwrap();
    let ran = Ran::of(&mut stage.resume());
    let result = Stage::result(&ran);
    let asked: BTreeSet<String> =
        stage.requests().into_iter().skip(before).map(|(name, _)| name).collect();
    let again: BTreeSet<&str> = asked.intersection(&finished).map(String::as_str).collect();
    assert_eq!(again, ["p2a", "p2b"].into(), "{}", ran.stderr);
    // It is named before it is asked.
    let named = ran.stderr.find("p2a").unwrap_or_else(|| panic!("{}", ran.stderr));
    assert!(ran.stderr[named..].lines().next().unwrap().contains("prompt"), "{}", ran.stderr);
    // As if it had been run like this from the start.
    let fresh = Stage::new();
    std::fs::write(fresh.home.beside("main.lua"), edited).unwrap();
    let anew = Stage::result(&Ran::of(&mut fresh.start()));
    assert_eq!(result, anew);
    assert_eq!(stage.branches(), fresh.branches());
    assert_ne!(result["p2a"], whole.result["p2a"]);
    stage.aftermath.check(&stage.home, "after an edit");
}
