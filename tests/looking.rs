//! Looking at agents from outside: another process lists them, reads what they say while they say it,
//! and lands what they did.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/home.rs"]
mod home;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use home::{Home, Ran};
use serde_json::Value;

/// How long a loaded machine may take for what takes a moment.
const PATIENCE: Duration = Duration::from_mins(1);

/// A model that reads and writes, then waits for the file `go`, and is done.
const WORKER: &str = r#"
local worker = agent.model {
  name = "worker",
  reply = function(request)
    if request.turn == 1 then
      return { text = "I look\27[2J first.\n\nThen I write.", tools = {
        { name = "Read", input = { file_path = "numbers" } },
        { name = "Bash", input = { command = "echo one; echo two; exit 3" } },
      } }
    elseif request.turn == 2 then
      return {
        tools = { { name = "Write", input = { file_path = "new.txt", content = "new\n" } } },
        usage = { input_tokens = 12345, output_tokens = 67 },
      }
    end
    while not fs.exists("go") do agent.sleep(0.02) end
    return "It is done."
  end,
}
"#;

/// Two agents, the first of which has its place first.
const TWO: &str = r#"
local one = agent.spawn {
  prompt = "Change this.\nKeep that.", label = "first", branch = "first", model = worker,
}
while one:status() == "queued" do agent.sleep(0.01) end
local two = agent.spawn {
  prompt = "Change more.", label = "second", branch = "second", model = other or worker,
}
one:try_await()
two:try_await()
"#;

fn repository() -> Home {
    let home = Home::new();
    let numbers: Vec<String> = (1..=9).map(|number| number.to_string()).collect();
    home.write("numbers", &numbers.join("\n"));
    home.repository();
    home
}

/// Starts a command beside the test.
fn start(home: &Home, args: &[&str]) -> Child {
    let mut command = home.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Ran {
    child.wait_with_output().unwrap().into()
}

/// Waits until `found` finds something.
fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ok(home: &Home, args: &[&str]) -> String {
    let ran = home.run(args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    ran.stdout
}

fn json(home: &Home, args: &[&str]) -> Value {
    serde_json::from_str(&ok(home, args)).unwrap()
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Returns the id of the agent with this label, once it has this status.
fn agent(home: &Home, label: &str, status: &str) -> String {
    wait_for(label, || {
        let rows = json(home, &["agents", "--all", "--json"]);
        let mut rows = rows.as_array().unwrap().iter();
        let row = rows.find(|row| row["label"] == label && row["status"] == status)?;
        Some(row["id"].as_str().unwrap().to_owned())
    })
}

/// Replaces what differs from run to run: ids and times.
fn plain(text: &str, ids: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (id, name) in ids {
        text = text.replace(id, name);
    }
    let words: Vec<&str> = text.split(' ').collect();
    let is_time = |at: usize| {
        let unit = words.get(at + 1).map(|unit| unit.trim_end().trim_end_matches(','));
        let unit = unit.map(|unit| unit.split('\n').next().unwrap_or_default());
        matches!(unit, Some("ms" | "s")) && words[at].trim_start().parse::<f64>().is_ok()
    };
    let shown = (0..words.len()).map(|at| if is_time(at) { "N" } else { words[at] });
    shown.collect::<Vec<_>>().join(" ").replace("N ms", "N s")
}

#[test]
fn an_agent_is_seen_from_another_process_while_it_works() {
    let home = repository();
    home.write("main.lua", &format!("{WORKER}{TWO}"));
    let running = start(&home, &["run", "--concurrency", "1", "main.lua"]);
    let first = agent(&home, "first", "running");
    let second = agent(&home, "second", "queued");
    let following = start(&home, &["logs", "-f", &second]);
    wait_for("the file that it writes", || {
        ok(&home, &["logs", &first]).contains("created `new.txt`").then_some(())
    });

    let diff = ok(&home, &["diff", &first]);
    assert!(diff.contains("+++ b/new.txt") && diff.contains("\n+new\n"), "{diff}");
    let stat = ok(&home, &["diff", &first["agent-".len()..], "--stat"]);
    assert_eq!(stat, "new.txt | +1 -0\n1 file changed, +1 -0\n");
    assert_eq!(json(&home, &["diff", &first, "--json"])["files"][0]["status"], "added");
    let early = home.run(&["diff", &second]);
    assert_eq!(early.code, 1, "{}", early.stdout);
    assert!(early.stderr.contains("has no worktree yet"), "{}", early.stderr);
    let early = home.run(&["merge", &first]);
    assert_eq!(early.code, 1);
    assert!(early.stderr.contains("still works: it is running"), "{}", early.stderr);
    let runs = json(&home, &["runs", "--json"]);
    assert_eq!((&runs[0]["status"], &runs[0]["agents"]["queued"]), (&"running".into(), &1.into()));
    let run = runs[0]["id"].as_str().unwrap().to_owned();

    home.write("go", "");
    let ran = end(running);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let followed = end(following);
    assert_eq!(followed.code, 0, "{}", followed.stderr);
    assert!(followed.stderr.contains("is queued: it waits for a place"), "{}", followed.stderr);
    assert!(followed.stdout.contains("It is done."), "{}", followed.stdout);
    assert!(followed.stdout.lines().last().unwrap().starts_with("done, 1 file changed, 3 turns"));

    let ids = [(&*first, "agent-1"), (&*second, "agent-2"), (&*run, "run-1")];
    let base = Ran::of(home.command_of("git".as_ref()).args(["rev-parse", "--short=10", "main"]));
    let here = home.path("").display().to_string();
    let place = [(base.stdout.trim(), "BASE"), (here.trim_end_matches('/'), "HOME")];
    let ids = [&ids[..], &place].concat();
    insta::assert_snapshot!(plain(&ok(&home, &["logs", &first]), &ids), @r"
    agent-1 first
    of run-1, on first, from BASE

    asked
      Change this.
      Keep that.

    turn 1  N s
      I look [2J first.

      Then I write.
      * Read numbers
      * Bash echo one; echo two; exit 3
        Read:
          1    1
          2    2
          3    3
          4    4
          5    5
          … 4 more lines
        Bash failed:
          exit code 3
          one
          two

    turn 2  12.3k tokens in, 67 out, N s
      * Write new.txt
        Write: created `new.txt` (4 bytes)

    turn 3  N s
      It is done.

    done, 1 file changed, 3 turns, 12.3k tokens in, 67 out, N s
    ");
    insta::assert_snapshot!(plain(&ok(&home, &["logs", &run]), &ids), @r"
    run-1: main.lua
    agent-1 first: started on first
    agent-1 turn 1 Read numbers, Bash echo one; echo two; exit 3
    agent-1 turn 2 Write new.txt
    agent-1 done, 1 file changed, 3 turns, 12.3k tokens in, 67 out, N s
    agent-2 second: started on second
    agent-2 turn 1 Read numbers, Bash echo one; echo two; exit 3
    agent-2 turn 2 Write new.txt
    agent-2 done, 1 file changed, 3 turns, 12.3k tokens in, 67 out, N s
    ");
    insta::assert_snapshot!(shape(&ok(&home, &["logs", "--turns", &second])), @r"
    TURN  TOKENS        COST      TOOLS
    1     0/0           -         Read numbers, Bash echo one; echo tw…
    2     12.3k/67      -         Write new.txt
    3     0/0           -         -
    ");

    let merged = json(&home, &["merge", &first, "--json"]);
    assert_eq!(merged["status"], "fast_forward");
    assert_eq!(std::fs::read_to_string(home.path("new.txt")).unwrap(), "new\n");
    assert_ne!(json(&home, &["runs", "--json"])[0]["status"], "running");
}

/// Returns a table without the times in it.
fn shape(table: &str) -> String {
    let row = |line: &str| {
        let (before, after) = line.split_at(30);
        format!("{before}{}\n", &after[after.len().min(13)..])
    };
    table.lines().map(row).collect()
}

#[test]
fn no_event_is_dropped_and_none_is_written_twice() {
    let home = repository();
    home.write(
        "main.lua",
        r#"
        local model = agent.model { reply = function(request)
          if request.turn < 4 then
            return { tools = { { name = "Glob", input = { pattern = "*" } }, { name = "Nothing" } } }
          end
          return "done"
        end }
        log.info("before the first agent")
        local jobs = {}
        for number = 1, 30 do
          jobs[number] = { prompt = "p" .. number, model = model, worktree = number % 10 == 0 }
        end
        for key in agent.iter(jobs) do log.info("ended", key) end
        "#,
    );
    let ran =
        home.run(&["run", "--output-format", "stream-json", "--concurrency", "8", "main.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told = objects(&ran.stdout);
    let run = told.last().unwrap()["run"].as_str().unwrap().to_owned();
    let kept = objects(&ok(&home, &["logs", "--json", &run]));
    let is_message =
        |object: &&Value| ["assistant", "user"].contains(&object["type"].as_str().unwrap());
    let events = |all: &[Value]| -> Vec<String> {
        let events = all.iter().filter(|object| !is_message(object) && object["type"] != "run");
        events.map(|object| object["uuid"].as_str().unwrap().to_owned()).collect()
    };
    let (told_events, kept_events) = (events(&told), events(&kept));
    assert_eq!(kept_events.len(), 2 + 30 * 3 + 30 + 3, "{kept_events:?}");
    let sets = (BTreeSet::from_iter(&told_events), BTreeSet::from_iter(&kept_events));
    assert_eq!(sets.0, sets.1);
    assert_eq!(sets.1.len(), kept_events.len(), "none is there twice");
    // What was said, too; the tasks come on top, which a stream does not repeat.
    let said = |all: &[Value]| all.iter().filter(is_message).count();
    assert_eq!(said(&kept), said(&told) + 30);
    // Of each agent it is in order.
    let one = kept.iter().find(|object| object["type"] == "result").unwrap();
    let one = one["agent_id"].as_str().unwrap();
    let order = |all: &[Value]| -> Vec<String> {
        let own = all.iter().filter(|object| object["agent_id"] == *one);
        let own = own.filter(|object| object["subtype"] != "worktree_removed");
        own.map(|object| {
            let word = object["subtype"].as_str().or(object["type"].as_str());
            word.unwrap().to_owned() + &object["message"]["content"][0]["type"].to_string()
        })
        .filter(|word| *word != "user\"text\"")
        .collect()
    };
    assert_eq!(order(&kept), order(&told));
    assert_eq!(order(&objects(&ok(&home, &["logs", "--json", one]))), order(&told));
}

#[test]
fn a_script_that_asks_nobody_leaves_nothing() {
    let home = repository();
    let ran = home.script("log.info('hello') log.warn('there')");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!home.path(".git/agentlua/journal.db").exists());
    assert_eq!(ok(&home, &["runs"]), "");
    assert_eq!(json(&home, &["runs", "--json"]), Value::Array(Vec::new()));
}

#[test]
fn ids_may_be_short_and_candidates_are_named() {
    let home = repository();
    home.write("go", "");
    home.write("main.lua", &format!("{WORKER}{TWO}"));
    let _ = ok(&home, &["run", "main.lua"]);
    let (first, second) = (agent(&home, "first", "completed"), agent(&home, "second", "completed"));
    for verb in ["logs", "diff", "merge"] {
        let ran = home.run(&[verb, "agent-"]);
        assert_eq!(ran.code, 2, "{}", ran.stdout);
        let named = ran.stderr.contains(&first) && ran.stderr.contains(&second);
        assert!(named && ran.stderr.contains("`agent-` may be "), "{}", ran.stderr);
        let ran = home.run(&[verb, "zzz"]);
        assert_eq!(ran.code, 2, "{}", ran.stdout);
        assert!(ran.stderr.contains("has the id `zzz`"), "{}", ran.stderr);
    }
}

#[test]
fn a_merge_that_cannot_be_moves_nothing_and_names_the_paths() {
    let home = repository();
    home.write("go", "");
    let other = WORKER.replace("new\\n", "other\\n").replace("local worker", "local other");
    home.write("main.lua", &format!("{WORKER}{other}{TWO}"));
    let _ = ok(&home, &["run", "main.lua"]);
    let (first, second) = (agent(&home, "first", "completed"), agent(&home, "second", "completed"));
    let head = || Ran::of(home.command_of("git".as_ref()).args(["rev-parse", "main"])).stdout;
    let before = head();
    let ran = home.run(&["merge", &first, "--verify", "test -e never", "--message", "land"]);
    assert_eq!((ran.code, head()), (1, before), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`test -e never` ended with exit code 1")
            || ran.stderr.contains("test -e never"),
        "{}",
        ran.stderr
    );
    let squash = &[
        "merge",
        &first,
        "--strategy",
        "squash",
        "--message",
        "land it",
        "--verify",
        "cat new.txt",
    ];
    let _ = ok(&home, squash);
    let message =
        Ran::of(home.command_of("git".as_ref()).args(["log", "-1", "--format=%s", "main"]));
    assert_eq!(message.stdout, "land it\n");
    let before = head();
    let ran = home.run(&["merge", &second, "--json"]);
    assert_eq!((ran.code, head()), (1, before), "{}", ran.stderr);
    assert!(ran.stderr.contains("new.txt"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: `git merge second` leaves the conflicts"), "{}", ran.stderr);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&told["status"], &told["paths"][0]), (&"conflicted".into(), &"new.txt".into()));
    let ran = home.run(&["merge", &second, "--into", "elsewhere"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
}

#[test]
fn a_journal_of_the_version_before_is_read() {
    let home = repository();
    home.write("go", "");
    home.write("main.lua", &format!("{WORKER}{TWO}"));
    let _ = ok(&home, &["run", "main.lua"]);
    let first = agent(&home, "first", "completed");
    let file = home.path(".git/agentlua/journal.db");
    let older = "DROP TABLE step; DROP TABLE request; DROP INDEX event_of_agent;
        DROP INDEX event_of_run; DROP TABLE event; DROP INDEX agent_by_place;
        ALTER TABLE transcript DROP COLUMN at;
        ALTER TABLE run DROP COLUMN command; ALTER TABLE run DROP COLUMN status;
        ALTER TABLE run DROP COLUMN exit_code; ALTER TABLE run DROP COLUMN ended_at;
        ALTER TABLE run DROP COLUMN lives;
        ALTER TABLE agent DROP COLUMN key; ALTER TABLE agent DROP COLUMN inputs;
        ALTER TABLE agent DROP COLUMN base_tree; ALTER TABLE agent DROP COLUMN outcome;
        ALTER TABLE agent DROP COLUMN place; ALTER TABLE agent DROP COLUMN superseded;
        ALTER TABLE agent DROP COLUMN lives; PRAGMA user_version = 3;";
    rusqlite::Connection::open(&file).unwrap().execute_batch(older).unwrap();
    let runs = ok(&home, &["runs"]);
    assert!(runs.lines().nth(1).unwrap().contains("  -       main.lua  2 "), "{runs}");
    let page = ok(&home, &["logs", "-f", &first]);
    assert!(page.contains("  * Write new.txt\n"), "{page}");
    assert!(page.ends_with("\ncompleted, 3 turns, 12.3k tokens in, 67 out\n"), "{page}");
    assert_eq!(objects(&ok(&home, &["logs", "--json", &first])).len(), 6);
    assert!(ok(&home, &["logs", "--turns", &first]).contains("\n3     0/0           -"));
    let version = |file: &std::path::Path| -> u32 {
        let file = rusqlite::Connection::open(file).unwrap();
        file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    };
    assert_eq!(version(&file), 3, "looking changes nothing");
}

#[test]
fn a_watch_shows_each_change_and_ends_with_an_interrupt() {
    let home = repository();
    home.write("go", "");
    let mut watching = start(&home, &["agents", "--watch", "--json"]);
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut line = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(line(), Value::Array(Vec::new()));
    home.write("main.lua", &format!("{WORKER}{TWO}"));
    let _ = ok(&home, &["run", "main.lua"]);
    let mut last = line();
    while last.as_array().unwrap().iter().filter(|row| row["status"] == "completed").count() < 2 {
        last = line();
    }
    let id = watching.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    assert_eq!(watching.wait().unwrap().code(), Some(130));
    let mut stderr = String::new();
    watching.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr, "");
}

#[test]
fn what_was_removed_is_neither_offered_nor_landed() {
    let home = repository();
    let script = r#"
      local writer = agent.model {
        reply = function(request)
          local input = { file_path = request.prompt, content = "x" }
          return request.turn > 1 and "done" or { tools = { { name = "Write", input = input } } }
        end,
      }
      local made = {}
      for i, name in ipairs { "loser", "winner" } do
        made[i] = agent.query { prompt = name, label = name, branch = name, model = writer }
        print(made[i].id)
      end
      agent.remove(made[1], { force = true })
    "#;
    let ran = home.script(script);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ids: Vec<&str> = ran.stdout.lines().collect();
    let next = format!("land: agentlua merge {}\n", ids[1]);
    assert!(ran.stderr.ends_with(&next), "{}", ran.stderr);
    assert!(!ran.stderr.contains(&format!("diff {}", ids[0])), "{}", ran.stderr);
    let kept = format!("refs/agentlua/removed/{}/branch", ids[0]);
    let ran = home.run(&["merge", ids[0]]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let why = format!("`{}` was removed; its work is kept under `{kept}`", ids[0]);
    assert!(ran.stderr.contains(&why), "{}", ran.stderr);
    assert!(!home.path("loser").exists());
    // And as the hint says it lands all the same.
    assert!(ran.stderr.contains(&format!("git merge {kept}")), "{}", ran.stderr);
    let ran = Ran::of(home.command_of("git".as_ref()).args(["merge", "--quiet", &kept]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(home.path("loser").exists());
}

#[test]
fn a_run_that_never_got_to_work_is_not_to_be_gone_on_with() {
    let home = repository();
    let ran = home.script(
        r#"agent.query { prompt = "x", branch = "main", model = agent.model { reply = print } }"#,
    );
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("1 agent: 0 done, 1 failed"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("go on:"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("the branch `main` already exists").count(), 2, "{}", ran.stderr);
}
