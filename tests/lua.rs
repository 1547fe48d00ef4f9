//! The Lua side, case by case: every `tests/lua/<module>/<case>.lua` is run with the built binary in a
//! folder of its own. A case is asserts, each with a sentence; it passes when it exits 0 and prints no
//! error. Its first lines may say more:
//!
//! ```lua
//! -- flags: --concurrency 1    flags of `agentlua run`
//! -- repo                      it runs in a git repository with one commit
//! -- exit: 1                   how it ends, when that is not 0
//! ```
//!
//! `LUA_CASES=cancel cargo test --test lua` runs those whose path has `cancel` in it.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use home::{Home, Ran};

struct Case {
    path: PathBuf,
    name: String,
}

impl Case {
    /// Runs it and returns what is wrong, if anything.
    fn complaint(&self) -> Option<String> {
        let source = std::fs::read_to_string(&self.path).expect("the case");
        let says = |key: &str| {
            let mut head = source.lines().map_while(|line| line.strip_prefix("-- "));
            head.find_map(|line| line.strip_prefix(key)).map(str::to_owned)
        };
        let home = Home::new();
        home.write("main.lua", &source);
        if says("repo").is_some() {
            home.repository();
        }
        let mut command = home.command(&["run"]);
        command.args(says("flags: ").unwrap_or_default().split_whitespace()).arg("main.lua");
        let ran = Ran::of(&mut command);
        let expected = says("exit: ").map_or(0, |code| code.parse().expect("an exit code"));
        let complains = ran.stderr.lines().any(|line| line.starts_with("error"));
        (ran.code != expected || (expected == 0 && complains))
            .then(|| format!("{}: exit {}\n{}{}\n", self.name, ran.code, ran.stdout, ran.stderr))
    }
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_case_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lua");
    let only = std::env::var("LUA_CASES").unwrap_or_default();
    let mut cases = Vec::new();
    for folder in folders(&root) {
        let module = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let files = folders(&folder);
        assert!(!files.is_empty(), "there are no cases in tests/lua/{module}");
        for path in files {
            assert!(path.extension().is_some_and(|end| end == "lua"), "{}", path.display());
            let stem = path.file_stem().expect("a stem").to_string_lossy().into_owned();
            cases.push(Case { path, name: format!("{module}/{stem}") });
        }
    }
    cases.retain(|case| case.name.contains(&only));
    assert!(!cases.is_empty(), "no case is named `{only}`");
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).min(8) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(complaint) = case.complaint() {
                        wrong.lock().expect("no panic").push(complaint);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
