//! `agentlua doctor`: what it says of a machine and a repository, and that it changes neither.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use home::{Home, Ran};
use serde_json::Value;

const KEY: &str = "sk-ant-very-secret-0123456789";

fn doctor(home: &Home, variables: &[(&str, &str)]) -> (i32, Value) {
    let mut command = home.command(&["doctor", "--json"]);
    let ran = Ran::of(command.envs(variables.iter().copied()));
    assert!(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY), "a key is shown");
    assert_eq!(ran.stderr, "");
    let report: Value = serde_json::from_str(&ran.stdout).expect(&ran.stdout);
    assert_eq!(report["ok"], ran.code == 0);
    (ran.code, report)
}

/// Returns `status: text | hint` of a finding.
fn said(report: &Value, name: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["name"] == name);
    let Some(found) = found else { return String::new() };
    let hint = found["hint"].as_str().map(|hint| format!(" | {hint}")).unwrap_or_default();
    format!("{}: {}{hint}", found["status"].as_str().unwrap(), found["text"].as_str().unwrap())
}

fn git(home: &Home, args: &[&str]) {
    let ran = Ran::of(home.command_of(Path::new("git")).args(args));
    assert_eq!(ran.code, 0, "git {args:?}: {}", ran.stderr);
}

#[test]
fn a_repository_with_a_key_is_well_and_untouched() {
    let home = Home::new();
    home.write("README.md", "# Shop\n");
    home.repository();
    let (code, report) = doctor(&home, &[("ANTHROPIC_API_KEY", KEY)]);
    assert_eq!(code, 0, "{report:#}");
    for (name, words) in [
        ("git", "ok: 2."),
        ("repository", "ok: "),
        ("head", "ok: main at "),
        ("checkout", "ok: clean"),
        ("author", "ok: Ada <ada@example.com>"),
        ("journal", "ok: none yet, in "),
        ("model", "ok: anthropic/"),
        ("ANTHROPIC_API_KEY", "ok: set"),
        ("OPENAI_API_KEY", "note: not set"),
        ("sandbox", "note: none"),
        ("types", "note: none: editors do not know agentlua here | agentlua init"),
    ] {
        assert!(said(&report, name).starts_with(words), "{name}: {}", said(&report, name));
    }
    let root = home.beside("worktrees").display().to_string();
    assert!(said(&report, "worktree_root").contains(&root), "{report:#}");
    assert!(!home.path(".git/agentlua").exists(), "it only looks");
    assert!(
        !home.beside("worktrees").exists()
            && fs::read_dir(home.beside("home")).unwrap().count() == 0
    );
}

#[test]
fn people_get_lines() {
    let home = Home::new();
    home.repository();
    let mut command = home.command(&["doctor"]);
    let ran = Ran::of(command.env("OPENAI_API_KEY", " \n"));
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let lines = "\nmodels\n  \
        problem  model              no model is named and no key is set\n                              \
        hint: set ANTHROPIC_API_KEY or OPENAI_API_KEY";
    assert!(ran.stdout.contains(lines), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("  warning  OPENAI_API_KEY     set, and empty\n"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.ends_with("\nagents cannot work here: 1 problem, 2 warnings\n"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains('\x1b'), "{}", ran.stdout);
}

#[test]
fn what_keeps_agents_from_working_is_a_problem() {
    let home = Home::new();
    let key = [("OPENAI_API_KEY", KEY)];
    let (code, report) = doctor(&home, &key);
    assert_eq!(code, 0, "who only looks needs no repository");
    assert!(said(&report, "repository").starts_with("warning: none around "), "{report:#}");

    git(&home, &["init", "--quiet", "--initial-branch=main"]);
    let (code, report) = doctor(&home, &key);
    assert_eq!(code, 1);
    assert!(said(&report, "head").starts_with("problem: no commit yet"), "{report:#}");

    home.repository();
    home.write("agentlua.toml", "worktree_root = '/x'\n");
    let (code, report) = doctor(&home, &key);
    assert_eq!(code, 1);
    let words = said(&report, "settings");
    assert!(words.contains("agentlua.toml` may not set `worktree_root`"), "{words}");
    assert!(said(&report, "head").starts_with("ok: main"), "the rest is looked at all the same");

    home.write("agentlua.toml", "");
    let (code, report) = doctor(&home, &[("AGENTLUA_WORKTREE_ROOT", "/etc/passwd/x"), key[0]]);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(doctor(&home, &[("AGENTLUA_MODEL", "nobody/x"), key[0]]).0, 1);
    assert_eq!(doctor(&home, &[("AGENTLUA_MODEL", "gone.lua"), key[0]]).0, 1);
    assert_eq!(doctor(&home, &[("PATH", "/nowhere"), key[0]]).0, 1);

    fs::create_dir_all(home.path(".git/agentlua")).unwrap();
    let journal = home.path(".git/agentlua/journal.db");
    fs::write(&journal, "this is no journal, and longer than the head of one is".repeat(20))
        .unwrap();
    let (code, report) = doctor(&home, &key);
    assert_eq!(code, 1, "{report:#}");
    assert!(said(&report, "journal").contains("is damaged | mv "), "{}", said(&report, "journal"));
}

#[test]
fn what_is_peculiar_is_said() {
    let home = Home::new();
    home.write("a", "one\n");
    home.repository();
    let key = ("OPENAI_API_KEY", KEY);
    git(&home, &["sparse-checkout", "set", "--cone", "src"]);
    git(&home, &["switch", "--quiet", "-c", "other"]);
    home.write("a", "two\n");
    git(&home, &["commit", "--quiet", "-am", "two"]);
    git(&home, &["switch", "--quiet", "main"]);
    home.write("a", "three\n");
    git(&home, &["commit", "--quiet", "-am", "three"]);
    let merge = Ran::of(home.command_of(Path::new("git")).args(["merge", "--quiet", "other"]));
    assert_eq!(merge.code, 1, "{merge:?}");
    home.write(".agentlua/types/agent.lua", "---@meta agentlua.agent\n");
    fs::create_dir(home.beside("worktrees")).unwrap();
    let config = home.beside("home/.config/agentlua");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "max_turns = 7\nmax_budget_usd = 1.5\n").unwrap();
    home.write("agentlua.toml", "max_turns = 5\nmax_budget_usd = 3\n");
    let (code, report) = doctor(
        &home,
        &[
            key,
            ("AGENTLUA_MAX_TURNS", "3"),
            ("OPENAI_BASE_URL", "http://me:hunter2@127.0.0.1:1/v1"),
            ("ANTHROPIC_API_KEY", "two keys"),
        ],
    );
    assert_eq!(code, 0, "warnings keep nobody from working: {report:#}");
    assert!(!said(&report, "copies").is_empty(), "{report:#}");
    assert_eq!(
        fs::read_dir(home.beside("worktrees")).unwrap().count(),
        0,
        "what was tried is gone"
    );
    assert!(said(&report, "repository").ends_with("(sparse checkout)"), "{report:#}");
    let words = said(&report, "checkout");
    assert!(words.starts_with("warning: a merge waits for you"), "{words}");
    assert!(said(&report, "types").starts_with("warning: .agentlua/types is of another version"));
    assert_eq!(said(&report, "max_turns"), "ok: 3 (from AGENTLUA_MAX_TURNS)");
    let budget: Vec<&Value> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["name"] == "max_budget_usd")
        .collect();
    assert_eq!((&budget[0]["status"], &budget[1]["status"]), (&"note".into(), &"ok".into()));
    assert!(said(&report, "OPENAI_BASE_URL").starts_with("ok: http://127.0.0.1:1/v1 ("));
    assert!(said(&report, "ANTHROPIC_API_KEY").starts_with("warning: set, with space inside"));

    git(&home, &["merge", "--abort"]);
    git(&home, &["switch", "--quiet", "--detach"]);
    let (_, report) = doctor(&home, &[key]);
    assert!(said(&report, "head").starts_with("warning: detached at "), "{report:#}");
    let locked = home.beside("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    // Root writes everywhere.
    if fs::write(locked.join("x"), "").is_err() {
        let (code, _) = doctor(&home, &[key, ("AGENTLUA_WORKTREE_ROOT", locked.to_str().unwrap())]);
        assert_eq!(code, 1);
    }
}
