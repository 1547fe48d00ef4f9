//! The product contract, name by name: each name in it works; none is unknown, and none is taken in silence.
//! The tables here and in `tests/contract/api.lua` are copied from the contract.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that need a repository")]
mod home;

use std::io::{Read, Write};
use std::net::TcpListener;
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

/// Fails unless a command went well.
fn assert_works(what: &str, ran: &Ran) {
    assert_eq!(ran.code, 0, "{what}: {}{}", ran.stdout, ran.stderr);
}

/// Serves an API at which there is nothing, and returns its address.
fn nobody_there() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let asked = stream.read(&mut [0; 4096]);
            let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = asked.and_then(|_| stream.write_all(answer.as_bytes()));
        }
    });
    format!("http://{address}")
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
fn every_command_runs() {
    let home = repository();
    for line in COMMANDS {
        let words: Vec<&str> = line.split(' ').collect();
        assert_works(line, &home.run(&[words[0], "--help"]));
        // It goes on until somebody ends it (`tests/looking.rs`).
        if line == "agents --watch" {
            continue;
        }
        // Without a key `doctor` finds a problem.
        let ran = Ran::of(home.command(&words).env("OPENAI_API_KEY", "none"));
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
            assert_works(line, &ran);
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

/// Fails unless a setting that was given in some way is in force.
fn assert_in_force(way: &str, setting: &Setting, ran: &Ran) {
    let what = format!("{way} of {} = {}", setting.name, setting.value);
    assert_works(&what, ran);
    // With JSON on standard output, what a script prints is on the other.
    let aside = setting.name == "output_format";
    let printed = if aside { &ran.stderr } else { &ran.stdout };
    assert_eq!(*printed, format!("=[{}]\n", setting.value), "{what} is not in force");
    assert_eq!(ran.stdout.starts_with(r#"{"type":""#), aside, "{what}: {}", ran.stdout);
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
        assert_in_force("the flag", setting, &home.run(&args));

        let mut command = home.command(&["run", "main.lua"]);
        let variable = format!("AGENTLUA_{}", name.to_uppercase());
        let ran = Ran::of(command.env(variable, if typed.is_empty() { "1" } else { typed }));
        assert_in_force("the variable", setting, &ran);

        home.write("agentlua.toml", &format!("{name} = {value}\n"));
        let ran = home.run(&["run", "main.lua"]);
        if *in_repository {
            assert_in_force("the key", setting, &ran);
        } else {
            assert_eq!(ran.code, 2, "{name}");
            assert!(ran.stderr.contains("may not set"), "{}", ran.stderr);
        }
        std::fs::remove_file(home.path("agentlua.toml")).expect("the file");

        let user = home.beside("home/.config/agentlua");
        std::fs::create_dir_all(&user).expect("a folder");
        std::fs::write(user.join("config.toml"), format!("{name} = {value}\n")).expect("a file");
        let ran = home.run(&["run", "main.lua"]);
        assert_in_force("the user's key", setting, &ran);
        std::fs::remove_file(user.join("config.toml")).expect("the file");

        home.write("main.lua", &printing(name, &format!("agent.config {{ {name} = {value} }}")));
        let mut command = home.command(&["run", "main.lua"]);
        let ran = Ran::of(command.env("OPENAI_API_KEY", "none"));
        assert_in_force("the option", setting, &ran);
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
    for (name, value) in [
        ("worktree", "{ setup = \"true\", include = true }"),
        ("prices", "{}"),
        ("worktree_root", "\"trees\""),
        ("idle_timeout", "5"),
        ("max_output_tokens", "5"),
    ] {
        home.write("main.lua", &format!("agent.config {{ {name} = {value} }}"));
        assert_works(name, &home.run(&["run", "main.lua"]));
        home.write("main.lua", "");
        let user = home.beside("home/.config/agentlua");
        std::fs::create_dir_all(&user).expect("a folder");
        std::fs::write(user.join("config.toml"), format!("{name} = {value}\n")).expect("a file");
        assert_works(name, &home.run(&["run", "main.lua"]));
        std::fs::remove_file(user.join("config.toml")).expect("the file");
    }
}

#[test]
fn every_name_in_lua_works() {
    let home = repository();
    home.write("main.lua", include_str!("contract/api.lua"));
    let mut command = home.command(&["run", "main.lua"]);
    let ran = Ran::of(command.env("GITHUB_API_URL", nobody_there()));
    let (works, wrong): (Vec<&str>, Vec<&str>) =
        ran.stdout.lines().partition(|line| line.ends_with("\tworks"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(works.len() > 200, "{}", ran.stdout);
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
