//! The product contract, name by name: each name in it works, or is a usage error that says that it
//! is not built yet. None is unknown, and none is taken in silence. The tables here and in
//! `tests/contract/api.lua` are copied from the contract.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that need a repository")]
mod home;

use std::collections::BTreeMap;
use std::path::Path;

use agentlua::agent::outcome::{FIELDS, Subtype};
use agentlua::error::Kind;
use home::{Home, Ran};

/// Commands, with what may follow them.
const COMMANDS: [&str; 27] = [
    "run main.lua",
    "run main.lua one two",
    "repl",
    "agents",
    "agents --json",
    "agents --all",
    "agents --wide",
    "agents --watch",
    "logs agent-1",
    "logs agent-1 -f",
    "logs agent-1 --json --turns",
    "diff agent-1",
    "merge agent-1",
    "merge agent-1 --into main",
    "send agent-1 text",
    "stop agent-1",
    "rm agent-1",
    "runs --json",
    "resume",
    "resume run-1",
    "gc --dry-run",
    "check main.lua other.lua",
    "test",
    "test a_test.lua",
    "doctor",
    "init",
    "completions bash",
];

/// A setting: its name, what is typed after its flag, and its value in TOML, Lua and JSON.
struct Setting {
    name: &'static str,
    typed: &'static str,
    value: &'static str,
    /// Whether a repository's file may have it: none may redirect the work.
    in_repository: bool,
}

const fn setting(name: &'static str, typed: &'static str, value: &'static str) -> Setting {
    Setting { name, typed, value, in_repository: true }
}

/// Flags of `run`, each with a variable, a key and an option of `agent.config`; those that are for who
/// types them are in `tests/dry_run.rs` and `tests/steering.rs`.
const SETTINGS: [Setting; 12] = [
    setting("model", "openai/gpt-x", "\"openai/gpt-x\""),
    setting("concurrency", "7", "7"),
    setting("max_budget_usd", "1.5", "1.5"),
    setting("max_turns", "9", "9"),
    setting("timeout", "60.5", "60.5"),
    Setting { in_repository: false, ..setting("record", "y.jsonl", "\"y.jsonl\"") },
    Setting { in_repository: false, ..setting("replay", "x.jsonl", "\"x.jsonl\"") },
    setting("output_format", "json", "\"json\""),
    setting("output_format", "stream-json", "\"stream-json\""),
    setting("strict", "", "true"),
    setting("quiet", "", "true"),
    Setting { name: "repo", typed: ".", value: "\".\"", in_repository: false },
];

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Works,
    Later,
}

/// Judges a command by how it ended.
fn verdict(what: &str, ran: &Ran) -> Verdict {
    match ran.code {
        0 => Verdict::Works,
        2 if ran.stderr.contains("not built yet") => Verdict::Later,
        code => panic!("{what}: exit {code}: {}{}", ran.stdout, ran.stderr),
    }
}

fn repository() -> Home {
    let home = Home::new();
    home.write("main.lua", "print 'ran'");
    home.write("other.lua", "");
    home.write("a_test.lua", "assert(require 'agentlua.test')");
    let header = r#"{"agentlua_cassette":1,"created":"2026-11-22","script":"main.lua"}"#;
    home.write("x.jsonl", &format!("{header}\n"));
    for args in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["config", "user.name", "Ada"],
        &["config", "user.email", "ada@example.com"],
        &["add", "--all"],
        &["commit", "--quiet", "--message=start"],
    ] {
        let ran = Ran::of(home.command_of(Path::new("git")).args(args));
        assert_eq!(ran.code, 0, "git {args:?}: {}", ran.stderr);
    }
    home
}

#[test]
fn every_command_runs_or_says_that_it_is_not_built() {
    let home = repository();
    for line in COMMANDS {
        let words: Vec<&str> = line.split(' ').collect();
        let built = !["check", "doctor", "init", "completions"].contains(&words[0]);
        let expected = if built { Verdict::Works } else { Verdict::Later };
        let help = verdict(line, &home.run(&[words[0], "--help"]));
        assert_eq!(help, expected, "{line}");
        // It goes on until somebody ends it (`tests/looking.rs`).
        if line == "agents --watch" {
            continue;
        }
        let ran = home.run(&words);
        // There is nothing that they could do it to.
        let nothing = match (words[0], words.len()) {
            ("rm" | "logs" | "diff" | "merge" | "send" | "stop", _) => Some("has the id `agent-1`"),
            ("resume", 1) => Some("there is nothing to resume"),
            ("resume", _) => Some("no run here has the id `run-1`"),
            _ => None,
        };
        if let Some(nothing) = nothing {
            assert!(ran.stderr.contains(nothing), "{}", ran.stderr);
        } else {
            assert_eq!(verdict(line, &ran), expected, "{line}");
        }
    }
    let unknown = home.run(&["frobnicate"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(!unknown.stderr.contains("not built yet"), "{}", unknown.stderr);
}

/// Prints one setting as it is in force, to be compared with what was given.
fn printing(name: &str, configure: &str) -> String {
    format!("{configure} print('=' .. json.encode(json.array {{ agent.config()['{name}'] }}))")
}

/// Judges a way to give a setting; one that is accepted has to be in force.
fn setting_verdict(way: &str, setting: &Setting, ran: &Ran) -> Verdict {
    let what = format!("{way} of {} = {}", setting.name, setting.value);
    let verdict = verdict(&what, ran);
    if verdict == Verdict::Works {
        // With JSON on standard output, what a script prints is on the other.
        let aside = setting.name == "output_format";
        let printed = if aside { &ran.stderr } else { &ran.stdout };
        assert_eq!(*printed, format!("=[{}]\n", setting.value), "{what} is not in force");
        assert_eq!(ran.stdout.starts_with(r#"{"type":""#), aside, "{what}: {}", ran.stdout);
    }
    verdict
}

#[test]
fn every_setting_can_be_given_in_four_ways() {
    for setting in &SETTINGS {
        let home = repository();
        let Setting { name, typed, value, in_repository } = setting;
        home.write("main.lua", &printing(name, ""));
        let flag = format!("--{}", name.replace('_', "-"));
        let mut args = vec!["run", flag.as_str(), typed, "main.lua"];
        args.retain(|arg| !arg.is_empty());
        let by_flag = setting_verdict("the flag", setting, &home.run(&args));

        let mut command = home.command(&["run", "main.lua"]);
        let variable = format!("AGENTLUA_{}", name.to_uppercase());
        let ran = Ran::of(command.env(variable, if typed.is_empty() { "1" } else { typed }));
        assert_eq!(setting_verdict("the variable", setting, &ran), by_flag, "{name}");

        home.write("agentlua.toml", &format!("{name} = {value}\n"));
        let ran = home.run(&["run", "main.lua"]);
        if *in_repository {
            assert_eq!(setting_verdict("the key", setting, &ran), by_flag, "{name}");
        } else {
            assert_eq!(ran.code, 2, "{name}");
            assert!(ran.stderr.contains("may not set"), "{}", ran.stderr);
        }
        std::fs::remove_file(home.path("agentlua.toml")).expect("the file");

        let user = home.beside("home/.config/agentlua");
        std::fs::create_dir_all(&user).expect("a folder");
        std::fs::write(user.join("config.toml"), format!("{name} = {value}\n")).expect("a file");
        let ran = home.run(&["run", "main.lua"]);
        assert_eq!(setting_verdict("the user's key", setting, &ran), by_flag, "{name}");
        std::fs::remove_file(user.join("config.toml")).expect("the file");

        home.write("main.lua", &printing(name, &format!("agent.config {{ {name} = {value} }}")));
        let mut command = home.command(&["run", "main.lua"]);
        let ran = Ran::of(command.env("OPENAI_API_KEY", "none"));
        assert_eq!(setting_verdict("the option", setting, &ran), by_flag, "{name}");
    }
}

#[test]
fn how_a_run_starts_is_said_before_its_script_runs() {
    let starts = |ran: &Ran, name: &str| match name {
        "detach" => ran.code == 0 && ran.stdout.starts_with("run-"),
        _ => ran.code == 2 && ran.stderr.contains("no run here has the id `run-1`"),
    };
    for (name, flag, typed) in [("detach", "--detach", "1"), ("resume", "--resume=run-1", "run-1")]
    {
        let home = repository();
        let ran = home.run(&["run", flag, "main.lua"]);
        assert!(starts(&ran, name), "the flag {name}: {}{}", ran.stdout, ran.stderr);
        let mut command = home.command(&["run", "main.lua"]);
        let ran = Ran::of(command.env(format!("AGENTLUA_{}", name.to_uppercase()), typed));
        assert!(starts(&ran, name), "the variable {name}: {}{}", ran.stdout, ran.stderr);
        let value = if name == "detach" { "true" } else { "'run-1'" };
        home.write("agentlua.toml", &format!("{name} = {value}\n"));
        let ran = home.run(&["run", "main.lua"]);
        assert!(starts(&ran, name), "the key {name}: {}{}", ran.stdout, ran.stderr);
        home.write("agentlua.toml", &format!("{name} = false\n"));
        assert_eq!(home.run(&["run", "main.lua"]).stdout, "ran\n", "{name} = false");
        let ran = home.script(&format!("agent.config {{ {name} = {value} }}"));
        assert_eq!(ran.code, 2, "{name}");
        assert!(ran.stderr.contains("it belongs on the command line"), "{}", ran.stderr);
    }
}

#[test]
fn settings_without_a_flag_are_known() {
    let home = repository();
    for (name, value, built) in [
        ("worktree", "{ setup = \"true\", include = true }", true),
        ("prices", "{}", true),
        ("worktree_root", "\"trees\"", true),
        ("idle_timeout", "5", true),
        ("max_output_tokens", "5", true),
    ] {
        let expected = if built { Verdict::Works } else { Verdict::Later };
        home.write("main.lua", &format!("agent.config {{ {name} = {value} }}"));
        assert_eq!(verdict(name, &home.run(&["run", "main.lua"])), expected, "{name}");
        home.write("main.lua", "");
        let user = home.beside("home/.config/agentlua");
        std::fs::create_dir_all(&user).expect("a folder");
        std::fs::write(user.join("config.toml"), format!("{name} = {value}\n")).expect("a file");
        assert_eq!(verdict(name, &home.run(&["run", "main.lua"])), expected, "{name}");
        std::fs::remove_file(user.join("config.toml")).expect("the file");
    }
}

#[test]
fn every_name_in_lua_works_or_says_that_it_is_not_built() {
    let home = repository();
    let ran = home.script(include_str!("contract/api.lua"));
    let mut found = BTreeMap::from([("works", 0), ("later", 0)]);
    let mut wrong = Vec::new();
    for line in ran.stdout.lines() {
        let (_, verdict) = line.split_once('\t').unwrap_or((line, "no verdict"));
        match found.get_mut(verdict) {
            Some(count) => *count += 1,
            None => wrong.push(line),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(found["works"] > 200, "{found:?}");
}

#[test]
fn the_closed_sets_are_those_of_the_contract() {
    let kinds = "usage model budget tool git verify io timeout cancelled refused internal";
    assert_eq!(Kind::ALL.map(Kind::as_str).join(" "), kinds);
    let subtypes = [
        Subtype::Success,
        Subtype::ErrorMaxTurns,
        Subtype::ErrorMaxBudgetUsd,
        Subtype::ErrorTimeout,
        Subtype::ErrorCancelled,
        Subtype::ErrorRefusal,
        Subtype::ErrorDuringExecution,
        Subtype::ErrorStructuredOutput,
        Subtype::ErrorVerify,
        Subtype::ErrorWorktree,
        Subtype::ErrorScope,
    ];
    assert_eq!(
        subtypes.map(Subtype::as_str).join(" "),
        "success error_max_turns error_max_budget_usd error_timeout error_cancelled error_refusal \
         error_during_execution error_structured_output error_verify error_worktree error_scope"
    );
    assert_eq!(
        FIELDS.join(" "),
        "ok subtype result structured_output id session_id label branch worktree_path base_commit \
         head_commit files_changed num_turns duration_ms duration_api_ms usage total_cost_usd \
         stop_reason permission_denials verify"
    );
}
