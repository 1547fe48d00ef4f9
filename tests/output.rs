//! `--output-format`: what programs read on standard output, and its last line, which comes however a
//! run ends.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use home::{Home, Ran};
use serde_json::{Value, json};

/// A model that calls a tool and is done.
const MODEL: &str = r#"
local model = agent.model {
  reply = function(request)
    return request.turn == 1 and { tools = { { name = "Glob", input = { pattern = "*" } } } } or "done"
  end,
}
local failing = agent.model { reply = function() error("no") end }
"#;

fn run(home: &Home, flags: &[&str], source: &str) -> Ran {
    home.write("main.lua", source);
    home.run(&[&["run"], flags, &["main.lua"]].concat())
}

fn json(home: &Home, source: &str) -> (Ran, Value) {
    let ran = run(home, &["--output-format", "json", "--quiet"], source);
    let last = only(&ran);
    (ran, last)
}

/// Returns the one line there is.
fn only(ran: &Ran) -> Value {
    let lines = lines(&ran.stdout);
    assert!(!ran.stdout.contains("-0.0"), "{}", ran.stdout);
    assert_eq!(lines.len(), 1, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(lines[0]["type"], "run");
    assert_eq!(lines[0]["exit_code"], ran.code);
    lines[0].clone()
}

/// Returns the lines, each of which is an object with a type.
fn lines(stdout: &str) -> Vec<Value> {
    assert!(stdout.ends_with('\n') && !stdout.contains('\x1b'), "{stdout:?}");
    let lines: Vec<Value> =
        stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().all(|line| line["type"].is_string()), "{stdout}");
    lines
}

#[test]
fn the_object_tells_of_the_run_and_its_agents() {
    let home = Home::new();
    home.repository();
    let (ran, last) = json(
        &home,
        &format!(
            "{MODEL} print('printed') io.write('written\\n') os.execute('echo by a child')
             local one = agent.query {{ prompt = 'x', label = 'one', branch = 'b', model = model }}
             return {{ label = one.label, list = {{ 1, 2 }} }}"
        ),
    );
    assert_eq!((ran.code, last["status"].as_str().unwrap()), (0, "completed"), "{}", ran.stderr);
    assert_eq!(ran.stderr, "printed\nwritten\nby a child\n");
    assert_eq!(last["result"], json!({ "label": "one", "list": [1, 2] }));
    assert!(last["run"].as_str().unwrap().starts_with("run-"), "{last}");
    assert_eq!(last["error"], Value::Null);
    let agents = last["agents"].as_array().unwrap();
    assert_eq!(agents.len(), 1);
    let agent = &agents[0];
    assert_eq!(
        (&agent["ok"], &agent["label"], &agent["branch"]),
        (&json!(true), &json!("one"), &json!("b"))
    );
    assert_eq!((&agent["result"], &agent["num_turns"]), (&json!("done"), &json!(2)));
    assert!(last["usage"]["input_tokens"].is_u64() && last["duration_ms"].is_u64(), "{last}");

    // Nothing was asked, so nothing was paid.
    let (ran, last) = json(&home, "return 1, 'two'");
    assert!(ran.stdout.contains(r#""total_cost_usd":0.0,"#), "{}", ran.stdout);
    assert_eq!((&last["result"], &last["total_cost_usd"]), (&json!([1, "two"]), &json!(0.0)));
}

#[test]
fn every_ordinary_end_has_its_status() {
    let home = Home::new();
    for (source, code, status, error) in [
        ("", 0, "completed", Value::Null),
        (
            "error('oops')",
            1,
            "failed",
            json!({ "kind": null, "message": "oops", "hint": null, "at": "main.lua:1" }),
        ),
        (
            "error { code = 5 }",
            1,
            "failed",
            json!({ "kind": null, "hint": null, "at": "main.lua:1" }),
        ),
        ("x = = 1", 2, "failed", json!({ "kind": "usage", "at": "main.lua:1" })),
        (
            "agent.query { promt = 'x' }",
            2,
            "failed",
            json!({ "kind": "usage", "hint": "did you mean `prompt`?", "at": "main.lua:1" }),
        ),
        ("os.exit(0)", 0, "completed", Value::Null),
        ("os.exit(7)", 7, "failed", Value::Null),
        ("FAIL os.exit(0)", 0, "degraded", Value::Null),
        ("FAIL return 1", 1, "degraded", Value::Null),
        (
            "agent.query { prompt = 'x', model = failing }",
            1,
            "failed",
            json!({ "kind": "model", "message": "model `lua`: no" }),
        ),
        ("agent.spawn(function() error('lost') end)", 1, "failed", json!({ "message": "lost" })),
    ] {
        let failing = "agent.try_query { prompt = 'x', model = failing }";
        let source = source.replace("FAIL", failing);
        let source = if source.contains("failing") {
            format!("{}{source}", MODEL.replace('\n', " "))
        } else {
            source
        };
        let (ran, last) = json(&home, &source);
        assert_eq!(
            (ran.code, last["status"].as_str().unwrap()),
            (code, status),
            "{source}: {last}"
        );
        for (name, value) in error.as_object().into_iter().flatten() {
            assert_eq!(last["error"][name], *value, "{source}: {last}");
        }
        assert_eq!(error.is_null(), last["error"].is_null(), "{source}: {last}");
        assert_eq!(
            ran.stderr.contains("error: "),
            !error.is_null(),
            "people are told: {}",
            ran.stderr
        );
        if source.contains("failing") {
            assert_eq!(last["agents"][0]["error"], "model `lua`: no", "{last}");
        }
    }
}

#[test]
fn what_json_cannot_hold_is_null_with_a_word() {
    let home = Home::new();
    for source in ["return print", "return { a = { 1, x = 2 } }", "return 0/0", "return '\\xff'"] {
        let (ran, last) = json(&home, source);
        assert_eq!((ran.code, &last["result"]), (0, &Value::Null), "{source}");
        assert!(ran.stderr.starts_with("warning: what the script returned"), "{}", ran.stderr);
    }
}

#[test]
fn a_run_that_does_not_begin_says_so_too() {
    let home = Home::new();
    home.write("main.lua", "");
    for (args, message) in [
        (
            &["--output-format", "json", "--bogus", "main.lua"][..],
            "`agentlua run` has no option `--bogus`",
        ),
        (
            &["--concurrency", "x", "--output-format=stream-json", "main.lua"],
            "`--concurrency` cannot be `x`: it is a number",
        ),
        (&["--output-format", "json"], "`agentlua run` needs `SCRIPT`"),
        (&["--output-format", "json", "missing.lua"], "cannot read the script `missing.lua`"),
        (&["--output-format", "json", "--concurrency", "0", "main.lua"], "`concurrency` must be"),
        (&["--output-format", "json", "--resume=run-1", "main.lua"], "no run here has the id"),
    ] {
        let ran = home.run(&[&["run"], args].concat());
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        let last = only(&ran);
        assert!(last["error"]["message"].as_str().unwrap().contains(message), "{args:?}: {last}");
        assert_eq!((&last["status"], &last["agents"]), (&json!("failed"), &json!([])), "{args:?}");
        assert!(ran.stderr.contains("error: "), "{}", ran.stderr);
    }
    // By a variable; and a file that cannot be understood.
    for args in [&["run", "--bogus", "main.lua"][..], &["run", "main.lua"]] {
        home.repository();
        home.write("agentlua.toml", "= broken");
        let mut command = home.command(args);
        let ran = Ran::of(command.env("AGENTLUA_OUTPUT_FORMAT", "json"));
        assert_eq!((ran.code, &only(&ran)["error"]["kind"]), (2, &json!("usage")), "{args:?}");
    }
    // Help was asked for, and is no failure; a format that there is not is text.
    assert!(
        home.run(&["run", "--output-format", "json", "--help"]).stdout.starts_with("Run a script")
    );
    let ran = home.run(&["run", "--output-format", "jsn", "main.lua"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    let ran = home.run(&["repl", "--output-format", "json"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
}

#[test]
fn a_stream_has_every_event_and_ends_with_the_object() {
    let home = Home::new();
    home.repository();
    let ran = run(
        &home,
        &["--output-format", "stream-json"],
        &format!(
            "{MODEL} print('printed') log.info('noted')
             local uuids = json.array {{}}
             local query = {{ prompt = 'x', branch = 'b', model = model, label = 'heard' }}
             query.on_event = function(event) uuids[#uuids + 1] = event.uuid end
             agent.all {{ query, {{ prompt = 'y', model = failing, label = 'other' }} }}
             return uuids"
        )
        .replace("agent.all", "agent.all_settled"),
    );
    let lines = lines(&ran.stdout);
    assert_eq!(lines[0]["subtype"], "run_started");
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["status"]), (&json!("run"), &json!("degraded")));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let name =
        |line: &Value| line["subtype"].as_str().or(line["type"].as_str()).unwrap().to_owned();
    let of = |agent: usize| -> Vec<&Value> {
        let id = &last["agents"]
            .as_array()
            .unwrap()
            .iter()
            .find(|a| a["ok"] == (agent == 0))
            .unwrap()["id"];
        lines
            .iter()
            .filter(|line| line["agent_id"] == *id && line["subtype"] != "worktree_removed")
            .collect()
    };
    let names = |agent| of(agent).into_iter().map(name).collect::<Vec<_>>().join(" ");
    assert_eq!(names(0), "agent_queued init assistant user assistant success");
    assert_eq!(names(1), "agent_queued init error_during_execution");
    let uuids: Vec<Value> = of(0).iter().map(|line| line["uuid"].clone()).collect();
    assert_eq!(last["result"], Value::Array(uuids), "`on_event` hears the same objects");
    assert_eq!(lines.iter().filter(|line| name(line) == "worktree_removed").count(), 1);
    assert!(lines.iter().any(|line| line["text"] == "noted"), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("printed\nnoted\n"), "{}", ran.stderr);
}

#[test]
fn a_script_may_choose_and_a_flag_wins() {
    let home = Home::new();
    let source =
        "print('before') agent.config { output_format = 'FORMAT' } print('after') return 5";
    let ran = run(&home, &["--quiet"], &source.replace("FORMAT", "stream-json"));
    assert!(
        ran.stdout.starts_with("before\n{\"type\":\"system\",\"subtype\":\"run_started\""),
        "{}",
        ran.stdout
    );
    let lines = lines(ran.stdout.strip_prefix("before\n").unwrap());
    assert_eq!((lines.len(), &lines[1]["result"]), (2, &json!(5)));
    assert_eq!(ran.stderr, "after\n");
    let ran = run(&home, &["--output-format", "json"], &source.replace("FORMAT", "text"));
    assert_eq!(only(&ran)["result"], 5);
    assert_eq!(ran.stderr, "before\nafter\n");
    let mut command = home.command(&["run", "main.lua"]);
    let ran = Ran::of(command.env("AGENTLUA_OUTPUT_FORMAT", "json"));
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("after\n", "before\n"));
    let ran = run(&home, &[], "agent.config { output_format = 'jsn' }");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

/// A run that goes on beside the test.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(home: &Home, format: &str, source: &str) -> Self {
        home.write("main.lua", source);
        Self::of(&mut home.command(&["run", "--output-format", format, "main.lua"]))
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// Waits for a line of standard error.
    fn told(&mut self, text: &str) {
        let stderr = self.child.stderr.as_mut().unwrap();
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while !seen.ends_with(text.as_bytes()) {
            assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
            seen.push(byte[0]);
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    fn end(mut self) -> Ran {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Ran { code, stdout, stderr }
    }
}

#[test]
fn a_signal_is_an_end_like_any_other() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        for format in ["json", "stream-json"] {
            let home = Home::new();
            let working = "agent.query { prompt = 'x', model = agent.model { reply = function()
                 print('asked') agent.sleep(1000) end } }";
            let mut running = Running::start(&home, format, working);
            running.told("asked\n");
            running.signal(signal);
            let ran = running.end();
            let lines = lines(&ran.stdout);
            let last = lines.last().unwrap();
            assert_eq!((ran.code, &last["exit_code"]), (code, &json!(code)), "{}", ran.stderr);
            assert_eq!((&last["type"], &last["status"]), (&json!("run"), &json!("interrupted")));
            assert_eq!(last["agents"][0]["subtype"], "error_cancelled");
            if format == "stream-json" {
                let result = lines.iter().find(|line| line["type"] == "result").unwrap();
                assert_eq!(result["subtype"], "error_cancelled", "{result}");
            }
        }
    }
}

#[test]
fn a_second_interrupt_leaves_time_for_the_last_line() {
    let home = Home::new();
    let mut running = Running::start(
        &home,
        "stream-json",
        "local guard <close> = setmetatable({}, { __close = function()
           print('closing') while true do end end })
         print('begun') while true do end",
    );
    running.told("begun\n");
    running.signal("INT");
    running.told("closing\n");
    running.signal("INT");
    let ran = running.end();
    let lines = lines(&ran.stdout);
    assert_eq!((ran.code, &lines.last().unwrap()["status"]), (130, &json!("interrupted")));
    assert_eq!(lines.iter().filter(|line| line["type"] == "run").count(), 1);
}

#[test]
fn a_signal_before_the_script_is_there() {
    let home = Home::new();
    let mut command = home.command(&["run", "--output-format", "json", "-"]);
    let mut running = Running::of(command.stdin(Stdio::piped()));
    // Half a script: the rest would come, so it still reads.
    let stdin = running.child.stdin.as_mut().unwrap();
    stdin.write_all(b"print(").unwrap();
    let status = format!("/proc/{}/status", running.child.id());
    let caught = |mask: &str| u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << 14) != 0;
    while !std::fs::read_to_string(&status)
        .unwrap()
        .lines()
        .any(|line| line.strip_prefix("SigCgt:").is_some_and(caught))
    {
        std::thread::yield_now();
    }
    running.signal("TERM");
    let stdin = running.child.stdin.take();
    let ran = running.end();
    drop(stdin);
    assert_eq!((ran.code, &only(&ran)["status"]), (143, &json!("interrupted")), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_ends_the_run() {
    let home = Home::new();
    let source = "local guard <close> = setmetatable({}, { __close = function() fs.write('closed', '') end })
         while true do log.info(('x'):rep(1000)) agent.sleep(0) end";
    let mut running = Running::start(&home, "stream-json", source);
    let mut line = String::new();
    running.stdout.read_line(&mut line).unwrap();
    let Running { mut child, stdout } = running;
    drop(stdout);
    // Progress is on the other one, and has to be taken.
    let mut stderr = child.stderr.take().unwrap();
    std::io::copy(&mut stderr, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(141));
    assert!(home.path("closed").exists(), "handlers have run");
    // With one object at the end, it is noticed there.
    let Running { mut child, stdout } = Running::start(&home, "json", "agent.sleep(0.2)");
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn a_slow_reader_misses_nothing_and_holds_up_no_signal() {
    let home = Home::new();
    let chatter = "for i = 1, 300 do log.debug(i .. ('x'):rep(200000)) end print('said')";
    let mut running = Running::start(&home, "stream-json", chatter);
    // 60 MB are more than are kept: what cannot be kept waits.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut stdout = String::new();
    running.stdout.read_to_string(&mut stdout).unwrap();
    let lines = lines(&stdout);
    let said: Vec<&str> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(said.len(), 300);
    for (number, text) in (1..).zip(said) {
        assert_eq!(text.trim_end_matches('x'), number.to_string());
    }
    assert_eq!(running.child.wait().unwrap().code(), Some(0));

    let mut running =
        Running::start(&home, "stream-json", &format!("print('on') while true do {chatter} end"));
    running.told("on\n");
    running.signal("INT");
    // Nobody reads: it ends all the same.
    assert_eq!(running.child.wait().unwrap().code(), Some(130));
}
