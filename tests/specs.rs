//! Specs: whole runs of the binary. Each folder in `tests/specs` is one: `main.lua` runs, and what
//! comes out is `expected.out`. The first lines of `main.lua` may say more:
//!
//! ```lua
//! -- args: a b            arguments of the script
//! -- flags: --quiet       flags of `agentlua run`
//! -- env: KEY=value       variables, one a line
//! -- repo                 it runs in a git repository with one commit
//! ```
//!
//! `UPDATE_SPECS=1 cargo test --test specs` writes what comes out, to be read before it is committed.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use home::{Home, Ran};

struct Spec {
    folder: PathBuf,
    args: Vec<String>,
    flags: Vec<String>,
    env: Vec<(String, String)>,
    repo: bool,
}

impl Spec {
    fn load(folder: &Path) -> Self {
        let source = std::fs::read_to_string(folder.join("main.lua")).expect("main.lua");
        let mut spec = Self {
            folder: folder.to_owned(),
            args: Vec::new(),
            flags: Vec::new(),
            env: Vec::new(),
            repo: false,
        };
        for line in source.lines().map_while(|line| line.strip_prefix("-- ")) {
            let words = |rest: &str| rest.split_whitespace().map(str::to_owned).collect();
            if let Some(rest) = line.strip_prefix("args: ") {
                spec.args = words(rest);
            } else if let Some(rest) = line.strip_prefix("flags: ") {
                spec.flags = words(rest);
            } else if let Some((name, value)) =
                line.strip_prefix("env: ").and_then(|rest| rest.split_once('='))
            {
                spec.env.push((name.to_owned(), value.to_owned()));
            } else if line == "repo" {
                spec.repo = true;
            }
        }
        spec
    }

    fn run(&self) -> String {
        let home = Home::new();
        for entry in std::fs::read_dir(&self.folder).expect("the spec's folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name != "expected.out" {
                std::fs::copy(&path, home.path(&name)).expect("a copy");
            }
        }
        if self.repo {
            home.repository();
        }
        let mut command = home.command(&["run"]);
        command.args(&self.flags).arg("main.lua").args(&self.args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let ran = Ran::of(&mut command);
        let mut text = String::new();
        let _ = writeln!(text, "exit {}", ran.code);
        for (name, stream) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            if !stream.is_empty() {
                let _ = write!(text, "--- {name}\n{}", normalised(stream, &home));
                if !text.ends_with('\n') {
                    text.push_str("\\ no newline\n");
                }
            }
        }
        text
    }
}

/// Replaces what differs from run to run: folders, ids, times.
fn normalised(text: &str, home: &Home) -> String {
    let root = home.beside("");
    let text = text.replace(root.display().to_string().trim_end_matches('/'), "$ROOT");
    let mut patterns = Vec::new();
    for (pattern, replacement) in [
        (r"agent-[0-9a-f]{4,32}", "agent-ID"),
        (r"run-[0-9a-f]{8}", "run-ID"),
        (r"script-[0-9a-f]{8}", "script-ID"),
        (r"work-[0-9a-f]{10}\b", "work-HASH"),
        (r"\b[0-9a-f]{40}\b", "COMMIT"),
        (r"\([0-9a-f]{10}\)", "(COMMIT)"),
        (r"\b[0-9.]+ (ms|s)\b", "TIME"),
        (r"0x[0-9a-f]+", "0xADDRESS"),
    ] {
        patterns.push((regex::Regex::new(pattern).expect("a pattern"), replacement));
    }
    patterns.iter().fold(text, |text, (pattern, replacement)| {
        pattern.replace_all(&text, *replacement).into_owned()
    })
}

#[test]
fn every_spec_comes_out_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/specs");
    let mut folders: Vec<_> = std::fs::read_dir(root)
        .expect("specs")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    let update = std::env::var_os("UPDATE_SPECS").is_some();
    let mut wrong = String::new();
    for folder in &folders {
        let actual = Spec::load(folder).run();
        let path = folder.join("expected.out");
        if update {
            std::fs::write(&path, &actual).expect("expected.out");
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if actual != expected {
            let _ =
                writeln!(wrong, "{}\nexpected:\n{expected}\nactual:\n{actual}", folder.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(folders.len() > 5, "the specs are gone");
}
