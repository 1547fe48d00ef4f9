//! `agent.get` on agents of other processes and of earlier runs; `tests/lua/get` has those of one run.

#[path = "support/home.rs"]
mod home;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use home::{Home, Ran};

/// How long a loaded machine may take for what takes a moment.
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts an agent that works until it is told to end, and writes down its id.
const WORKING: &str = r#"
local model = agent.model {
  name = "patient",
  reply = function(request)
    if request.turn == 1 then
      return { text = "looking", tools = { { name = "Glob", input = { pattern = "*" } } } }
    end
    fs.write("busy", agent.list()[1].id)
    while not fs.exists "go" do
      agent.sleep(0.01)
    end
    local last = json.encode(request.messages[#request.messages])
    return last:find("the magic word", 1, true) and "I was told" or "on my own"
  end,
}
local outcome, e = agent.try_query { prompt = "wait", branch = "topic", model = model }
print(outcome and outcome.result or e.kind)
"#;

/// Tells it something from the next turn on: it asks twice.
const TURNS: &str = r#"
local model = agent.model {
  name = "patient",
  reply = function(request)
    fs.write("busy", agent.list()[1].id)
    for _, message in ipairs(request.messages) do
      if json.encode(message):find("the magic word", 1, true) then
        return "I was told"
      end
    end
    agent.sleep(0.05)
    return { tools = { { name = "Glob", input = { pattern = "*" } } } }
  end,
}
print(agent.query({ prompt = "wait", max_turns = 1000, model = model }).result)
"#;

struct Running(Option<Child>);

impl Running {
    /// Starts a script, and waits until its agent works.
    fn start(home: &Home, source: &str) -> Self {
        home.write("working.lua", source);
        let mut command = home.command(&["run", "working.lua"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let running = Self(Some(command.spawn().expect("it starts")));
        let start = Instant::now();
        while !home.path("busy").exists() {
            assert!(start.elapsed() < PATIENCE, "waited for the agent");
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }

    fn end(mut self) -> Ran {
        let child = self.0.take().expect("it runs");
        child.wait_with_output().expect("its end").into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn repository() -> Home {
    let home = Home::new();
    home.repository();
    home
}

/// Runs a script that has the agent as `found`.
fn look(home: &Home, source: &str) -> Ran {
    let head = "local found = agent.get(fs.read 'busy')\n";
    home.script(&format!("{head}{source}"))
}

#[test]
fn an_agent_of_another_process_is_looked_at_and_waited_for() {
    let home = repository();
    let other = Running::start(&home, WORKING);
    let ran = look(
        &home,
        r#"
        assert(found:status() == "running" and found.branch == "topic", found:status())
        local done = agent.spawn(function()
          return found:await()
        end)
        local first
        for event in found:events() do
          first = first or event.subtype
          if event.type == "assistant" then
            fs.write("go", "")
          end
        end
        local outcome = done:await()
        print(first, outcome.id == found.id, outcome.result, found:status())
        "#,
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.stdout, "agent_queued\ttrue\ton my own\tcompleted\n");
    assert_eq!(other.end().stdout, "on my own\n");
    // And when that process is gone.
    let ran = look(&home, "print(found:await().result, found:send 'x')");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "on my own\tfalse\n"), "{}", ran.stderr);
}

#[test]
fn an_agent_of_another_process_is_told_something() {
    let home = repository();
    let other = Running::start(&home, TURNS);
    let ran = look(&home, "print(found:send 'the magic word', found:await().result)");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "true\tI was told\n"), "{}", ran.stderr);
    assert_eq!(other.end().stdout, "I was told\n");
}

#[test]
fn an_agent_of_another_process_is_stopped() {
    let home = repository();
    let other = Running::start(&home, WORKING);
    let ran = look(
        &home,
        "found:cancel() local _, e = found:try_await() print(e.kind, e.outcome.subtype)",
    );
    assert_eq!(ran.stdout, "cancelled\terror_cancelled\n", "{}", ran.stderr);
    assert_eq!(other.end().stdout, "cancelled\n");
}

#[test]
fn who_waits_for_an_agent_whose_process_is_gone_is_told_so() {
    let home = repository();
    let other = Running::start(&home, WORKING);
    let id = std::fs::read_to_string(home.path("busy")).expect("its id");
    drop(other);
    let ran = look(&home, "print(found:status(), found:send 'x') found:cancel() found:await()");
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "interrupted\tfalse\n"), "{}", ran.stderr);
    let said = format!("error: `{id}` was cut off with its run and has no outcome\n");
    assert!(ran.stderr.starts_with(&said), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: agentlua resume run-"), "{}", ran.stderr);
}

#[test]
fn an_outcome_that_is_no_longer_kept_is_said() {
    let home = repository();
    home.write("go", "");
    assert_eq!(Running::start(&home, WORKING).end().code, 0);
    let journal = home.path(".git/agentlua/journal.db");
    let connection = rusqlite::Connection::open(journal).expect("the journal");
    connection.execute("UPDATE agent SET outcome = NULL", []).expect("it is forgotten");
    let ran =
        look(&home, "local _, e = found:try_await() print(e.kind, e.message:match 'no longer')");
    assert_eq!(ran.stdout, "io\tno longer\n", "{}", ran.stderr);
}

#[test]
fn a_resumed_run_finds_only_what_it_has_come_to() {
    let home = repository();
    home.write(
        "main.lua",
        r#"
        local model = agent.model { name = "m", reply = function() return "done" end }
        local known = fs.exists "id" and fs.read "id" or "agent-00000000"
        print(pcall(agent.get, known))
        local outcome = agent.query { prompt = "x", model = model }
        print(agent.get(outcome.id):await().result)
        fs.write("id", outcome.id)
        if not fs.exists "again" then
          fs.write("again", "")
          error "once more"
        end
        "#,
    );
    assert_eq!(home.run(&["run", "main.lua"]).code, 1);
    let second = home.run(&["resume"]);
    assert_eq!(second.code, 0, "{}", second.stderr);
    let lines: Vec<&str> = second.stdout.lines().collect();
    assert!(lines[0].starts_with("false\t") && lines[0].contains("no agent"), "{lines:?}");
    assert_eq!(lines[1], "done");
}

#[test]
fn in_a_dry_run_planned_agents_are_found_and_others_are_left_alone() {
    let home = repository();
    let other = Running::start(&home, WORKING);
    home.write(
        "main.lua",
        r#"
        local planned = agent.query { prompt = "x", branch = "b" }
        assert(agent.get(planned.id):await().branch == "b")
        assert(agent.get(planned.id):status() == "completed")
        for _ in agent.get(planned.id):events() do
        end
        local found = agent.get(fs.read "busy")
        assert(found:send "the magic word" == true)
        found:cancel()
        "#,
    );
    let ran = home.run(&["run", "--dry-run", "main.lua"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let id = std::fs::read_to_string(home.path("busy")).expect("its id");
    for step in [format!("tell `{id}` something"), format!("stop `{id}`")] {
        assert!(ran.stdout.contains(&step), "{}", ran.stdout);
    }
    home.write("go", "");
    assert_eq!(other.end().stdout, "on my own\n", "nobody was told or stopped");
}

#[test]
fn phases_are_told_as_headings_and_as_objects() {
    let home = Home::new();
    home.write("main.lua", "agent.phase 'looking' print 'x' agent.phase 'landing'");
    let ran = home.run(&["run", "main.lua"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("x\n", "looking\nlanding\n"));
    let home = repository();
    home.write(
        "main.lua",
        "agent.phase 'looking' agent.query { prompt = 'x', model = agent.model { reply = function() \
         return 'y' end } } agent.phase 'landing'",
    );
    let ran = home.run(&["run", "--output-format", "stream-json", "main.lua"]);
    let objects: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let names: Vec<_> = objects
        .iter()
        .filter(|object| object["subtype"] == "phase")
        .map(|object| object["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["looking", "landing"]);
    let run = objects[0]["run"].as_str().expect("the run");
    let logs = home.run(&["logs", run]).stdout;
    let place = |line: &str| logs.lines().position(|each| each.trim() == line);
    assert!(place("looking") < place("landing") && place("looking").is_some(), "{logs}");
}
