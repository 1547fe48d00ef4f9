//! A repository, the runs in it that are killed and gone on with, and what came of them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::home::{Home, Ran};

/// A run that has to recover before its own agent starts, and leaves nothing itself.
const NEXT: &str = r#"
local idle = agent.model { reply = function() return "nothing to do" end }
agent.query { prompt = "look", model = idle, worktree = true }
"#;

/// A repository, and how the script is run in it.
pub struct Stage {
    pub home: Home,
    variables: Vec<(&'static str, String)>,
}

impl Stage {
    pub fn new(script: &str) -> Self {
        let home = Home::new();
        for (name, text) in [
            ("main.lua", script),
            ("next.lua", NEXT),
            ("README.md", "read\n"),
            (".gitignore", "*.log\n"),
        ] {
            home.write(name, text);
        }
        home.repository();
        let notes = home.beside("notes").display().to_string();
        Self { home, variables: vec![("NOTES", notes)] }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    pub fn run(&self, args: &[&str], crash_at: Option<&str>) -> Ran {
        let mut command = self.home.command(args);
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        if let Some(point) = crash_at {
            command.env("AGENTLUA_CRASH_AT", point);
        }
        Ran::of(&mut command)
    }

    /// Runs the script until it is killed at a point.
    pub fn crash(&self, point: &str) {
        let ran = self.run(&["run", "main.lua"], Some(point));
        assert_eq!(ran.code, 137, "{point}: it was not killed: {}", ran.stderr);
    }

    pub fn agents(&self) -> Vec<Value> {
        let ran = self.home.run(&["agents", "--all", "--json"]);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Goes on with the run of the first agent.
    pub fn resume(&self, crash_at: Option<&str>) -> Ran {
        let run = self.agents()[0]["run"].as_str().unwrap().to_owned();
        self.resume_run(&run, crash_at)
    }

    pub fn resume_run(&self, run: &str, crash_at: Option<&str>) -> Ran {
        let flag = format!("--resume={run}");
        self.run(&["run", &flag, "--output-format", "json", "main.lua"], crash_at)
    }

    pub fn git(&self, args: &[&str]) -> String {
        let ran = Ran::of(self.home.command_of(Path::new("git")).args(args));
        assert_eq!(ran.code, 0, "git {args:?}: {}", ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    /// Returns what the model was asked: turns, with a word where it saw that it was interrupted.
    pub fn asked(&self) -> Vec<String> {
        let notes = std::fs::read_to_string(self.home.beside("notes")).unwrap_or_default();
        notes.lines().filter_map(|line| line.strip_prefix("asked ")).map(str::to_owned).collect()
    }

    /// Tells whether the model was told something with these words.
    pub fn heard(&self, words: &str) -> bool {
        let notes = std::fs::read_to_string(self.home.beside("notes")).unwrap_or_default();
        notes.lines().any(|line| line.starts_with("heard ") && line.contains(words))
    }

    /// Returns the agent's worktree.
    pub fn worktree(&self) -> PathBuf {
        let listed = self.git(&["worktree", "list", "--porcelain"]);
        let path = listed.lines().filter_map(|line| line.strip_prefix("worktree ")).nth(1);
        path.unwrap().into()
    }

    /// Returns what counts of a run: the outcome without times and ids, and the branch.
    pub fn came_to(&self, ran: &Ran) -> Value {
        let result: Value = serde_json::from_str(&ran.stdout).unwrap();
        let outcome = &result["result"];
        assert_eq!(outcome["base_commit"], self.git(&["rev-parse", "main"]), "{outcome:#}");
        let tip = self.git(&["rev-parse", "work/one"]);
        assert_eq!(outcome["head_commit"], tip, "{outcome:#}");
        let subjects = self.git(&["log", "--format=%s", "main..work/one"]);
        json!({
            "subtype": outcome["subtype"],
            "result": outcome["result"],
            "num_turns": outcome["num_turns"],
            "usage": outcome["usage"],
            "cost": outcome["total_cost_usd"],
            "files": outcome["files_changed"],
            "branch": outcome["branch"],
            "verify": outcome["verify"],
            "stop_reason": outcome["stop_reason"],
            "tree": self.git(&["rev-parse", "work/one^{tree}"]),
            "commits": subjects.lines().collect::<Vec<_>>(),
        })
    }

    /// Fails, naming `place`, unless everything is as a run leaves it that was never cut off.
    pub fn check(&self, place: &str) {
        self.git(&["fsck", "--connectivity-only", "--no-dangling"]);
        assert_eq!(self.git(&["status", "--porcelain"]), "", "{place}");
        assert_eq!(self.git(&["symbolic-ref", "HEAD"]), "refs/heads/main", "{place}");
        let listed = self.git(&["worktree", "list", "--porcelain"]);
        assert!(
            !listed.contains("\nlocked") && !listed.contains("\nprunable"),
            "{place}: {listed}"
        );
        let worktree = self.worktree();
        let status = ["-C", worktree.to_str().unwrap(), "status", "--porcelain"];
        assert_eq!(self.git(&status), "", "{place}: the agent's worktree");
        let refs = self.git(&["for-each-ref"]);
        let next = self.home.run(&["run", "next.lua"]);
        assert_eq!(next.code, 0, "{place}: {}", next.stderr);
        assert!(!next.stderr.contains("cut off"), "{place}: {}", next.stderr);
        assert_eq!(self.git(&["for-each-ref"]), refs, "{place}: a recovery has changed something");
    }
}

/// Runs the script without a crash.
pub fn uninterrupted(stage: &Stage) -> Value {
    let ran = stage.run(&["run", "--output-format", "json", "main.lua"], None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    stage.check("uninterrupted");
    stage.came_to(&ran)
}

/// Adds to what an uninterrupted run came to the turns in which calls were made again.
pub fn with_turns_more(whole: &Value, more: usize) -> Value {
    let mut whole = whole.clone();
    let turns = whole["num_turns"].as_u64().unwrap() + more as u64;
    whole["num_turns"] = json!(turns);
    whole["usage"]["input_tokens"] = json!(10 * turns);
    whole["usage"]["output_tokens"] = json!(turns);
    whole["cost"] = json!(turns as f64 * 11.0 / 1e6);
    whole
}

/// Compares, with money to the millionth of a cent.
pub fn assert_same(mut found: Value, mut expected: Value, place: &str) {
    let cost = |value: &mut Value| value["cost"].take().as_f64().map(|usd| (usd * 1e8).round());
    assert_eq!(cost(&mut found), cost(&mut expected), "{place}: what it cost");
    assert_eq!(found, expected, "{place}");
}

/// Fails unless each turn was asked for once, but for one that was under way.
pub fn assert_asked_once(stage: &Stage, place: &str) {
    let mut turns: Vec<String> = stage.asked();
    let all = turns.len();
    turns.dedup();
    assert!(all - turns.len() <= 1, "{place}: {:?}", stage.asked());
}
