//! Runs as other processes see and steer them: how each was started and ended is in the journal.

#[path = "support/home.rs"]
mod home;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use agentlua::journal::{AgentFilter, RunRow, Store};

use home::{Home, Ran};

/// How long a loaded machine may take for what takes a moment.
const PATIENCE: Duration = Duration::from_mins(1);

/// An agent with nothing to do.
const IDLE: &str = "local idle = agent.model { reply = function() return 'done' end }\n";

/// Returns the runs of the repository in the working directory.
fn runs(home: &Home) -> Vec<RunRow> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&home.path(".git/agentlua")).await.expect("the store");
        store.runs().await.expect("the runs")
    })
}

/// Returns the ids of the agents of the repository in the working directory that are at work.
fn working(home: &Home) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&home.path(".git/agentlua")).await.expect("the store");
        let rows = store.agents(AgentFilter::default()).await.expect("the agents");
        let at_work = rows.into_iter().filter(|row| row.status.as_str() == "running");
        at_work.map(|row| row.id).collect()
    })
}

/// Waits until `done` has something to return.
fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn exists(home: &Home, name: &str) -> Option<()> {
    home.path(name).exists().then_some(())
}

/// A run that goes on beside the test.
struct Running(Child);

impl Running {
    fn start(home: &Home, args: &[&str]) -> Self {
        let mut command = home.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("it starts"))
    }

    fn end(mut self) -> Ran {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.0.stdout.take().expect("it").read_to_string(&mut stdout).expect("its output");
        self.0.stderr.take().expect("it").read_to_string(&mut stderr).expect("its errors");
        let code = self.0.wait().expect("its end").code().unwrap_or(-1);
        Ran { code, stdout, stderr }
    }
}

fn repository() -> Home {
    let home = Home::new();
    home.repository();
    home
}

#[test]
fn how_a_run_was_started_and_ended_is_written_down() {
    let home = repository();
    for (text, code, status) in [
        ("agent.query { prompt = 'x', model = idle }", 0, "completed"),
        ("agent.query { prompt = 'x', model = idle } error('no')", 1, "failed"),
        ("agent.try_query { prompt = 'x', model = agent.model { reply = error } }", 1, "degraded"),
        ("agent.query { prompt = 'x', model = idle } os.exit(7)", 7, "failed"),
        ("agent.query { prompt = 'x', model = idle, max_turn = 1 }", 2, ""),
    ] {
        let source = format!("{IDLE}{text}");
        home.write("lib/main.lua", &source);
        let before = runs(&home).len();
        let ran = home.run(&["run", "--max-turns=5", "lib/main.lua", "ä", "--quiet"]);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        let runs = runs(&home);
        if status.is_empty() {
            assert_eq!(runs.len(), before, "a script that starts no agent leaves nothing");
            continue;
        }
        let run = runs.last().expect("a run");
        assert_eq!((run.status.as_deref(), run.exit_code), (Some(status), Some(code)));
        assert!(!run.alive && run.lives == 1 && run.ended_at >= Some(run.started_at));
        assert_eq!(run.script, "lib/main.lua");
        let command = run.command.as_ref().expect("its command");
        assert_eq!(command.script, Some(home.path("lib/main.lua").display().to_string()));
        assert_eq!(command.source, source);
        assert_eq!(command.args, ["ä", "--quiet"]);
        assert_eq!(format!("{}/", command.cwd), home.path("").display().to_string());
        assert_eq!(command.flags, serde_json::json!({ "max_turns": 5 }));
    }
}

/// An agent that works until the file `go` is there, and answers with what it was told last.
const PATIENT: &str = r#"
local patient = agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { tools = { { name = "Write", input = { file_path = "half.txt", content = "x" } } } }
    elseif request.turn == 2 then
      fs.write("working", "")
      while not fs.exists("go") do agent.sleep(0.01) end
      return { tools = { { name = "Read", input = { file_path = "half.txt" } } } }
    end
    return json.encode(request.messages)
  end,
}
"#;

#[test]
fn a_run_that_has_failed_is_gone_on_with_as_it_was_started() {
    let home = repository();
    let script = |text: &str| format!("{IDLE}agent.query {{ prompt = 'x', model = idle }}\n{text}");
    let shows = "print(arg[0], arg[1], arg[2], sh('pwd').stdout, agent.config().max_turns, \
                 agent.config().concurrency)\n";
    home.write("sub/main.lua", &script(&format!("{shows}error('not yet')")));
    let mut first = home.command(&["run", "--max-turns=7", "main.lua", "a b", "--c"]);
    let ran = Ran::of(first.current_dir(home.path("sub")));
    assert_eq!(ran.code, 1);
    let id = runs(&home)[0].id.clone();
    assert!(ran.stderr.contains(&format!("\ngo on: agentlua resume {id}\n")), "{}", ran.stderr);
    // Again, from another folder of the repository, with another flag, and with the script mended.
    home.write("sub/main.lua", &script(shows));
    let ran = home.run(&["resume", "--concurrency=9"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let sub = home.path("sub").display().to_string();
    assert_eq!(ran.stdout, format!("main.lua\ta b\t--c\t{sub}\n\t7\t9\n"));
    assert!(ran.stderr.starts_with(&format!("{id} is resumed: main.lua\n")), "{}", ran.stderr);
    assert!(!ran.stderr.contains("go on:"), "{}", ran.stderr);
    let rows = runs(&home);
    let row = &rows[0];
    assert_eq!((rows.len(), row.lives, row.status.as_deref()), (1, 2, Some("completed")));
    let flags = serde_json::json!({ "max_turns": 7, "concurrency": 9 });
    assert_eq!(row.command.as_ref().map(|command| &command.flags), Some(&flags));
    // What is finished is gone on with only by its name, of which the beginning is enough.
    let ran = home.run(&["resume"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("there is nothing to resume"), "{}", ran.stderr);
    let ran = home.run(&["resume", &id[..8], "--quiet"]);
    assert_eq!((ran.code, runs(&home)[0].lives), (0, 3), "{}", ran.stderr);
    // A script that is gone runs as it was.
    std::fs::remove_file(home.path("sub/main.lua")).expect("it goes");
    let ran = home.run(&["resume", &id]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("main.lua is gone: the text that it had is run"), "{}", ran.stderr);
    // One that there is not.
    let ran = home.run(&["resume", "run-zzz"]);
    assert_eq!(ran.code, 2);
    let hint = format!("the last here: {id} (main.lua, has completed)");
    assert!(ran.stderr.contains("no run here has the id `run-zzz`"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&hint), "{}", ran.stderr);
}

#[test]
fn a_script_from_standard_input_is_gone_on_with_and_a_session_is_not() {
    let home = repository();
    let fed = |args: &[&str], text: &str| {
        let mut child = home.command(args);
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(text.as_bytes()).expect("it is read");
        drop(stdin);
        Ran::from(child.wait_with_output().expect("its end"))
    };
    let text = format!(
        "{IDLE}agent.query {{ prompt = 'x', model = idle }} \
         if not fs.exists('go') then fs.write('go', '') error('no') end print('went')"
    );
    assert_eq!(fed(&["run", "-"], &text).code, 1);
    let ran = home.run(&["resume"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "went\n"), "{}", ran.stderr);
    let text =
        "agent.query { prompt = 'x', model = agent.model { reply = function() return 'x' end } }";
    assert_eq!(fed(&["repl"], text).code, 0);
    let rows = runs(&home);
    let row = rows.last().expect("a run");
    assert_eq!((row.script.as_str(), row.status.as_deref()), ("repl", Some("completed")));
    let ran = home.run(&["resume", &row.id]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("was a session"), "{}", ran.stderr);
}

#[test]
fn run_takes_up_the_last_run_of_its_script() {
    let home = repository();
    let text = "agent.query { prompt = 'x', model = idle } print(arg[1]) \
                if arg[1] ~= 'good' then error('no') end";
    home.write("main.lua", &format!("{IDLE}{text}"));
    home.write("other.lua", &format!("{IDLE}{text}"));
    let ran = home.run(&["run", "--resume", "main.lua", "bad"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("no run of main.lua is left to resume"), "{}", ran.stderr);
    assert_eq!(home.run(&["run", "other.lua"]).code, 1);
    let ran = home.run(&["run", "--resume", "main.lua"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "bad\n"));
    let said = "its arguments are those of then: bad";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let mut variable = home.command(&["run", "main.lua", "good"]);
    let ran = Ran::of(variable.env("AGENTLUA_RESUME", "1"));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "good\n"), "{}", ran.stderr);
    let rows = runs(&home);
    assert_eq!(rows.iter().map(|row| row.lives).collect::<Vec<_>>(), [3, 1]);
    let ran = home.run(&["run", &format!("--resume={}", rows[1].id), "other.lua", "good"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "good\n"), "{}", ran.stderr);
    for key in ["resume", "detach"] {
        let ran = home.script(&format!("agent.config {{ {key} = true }}"));
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains("it belongs on the command line"), "{}", ran.stderr);
    }
}

#[test]
fn a_run_is_gone_on_with_once_at_a_time() {
    let home = repository();
    let text = "local again = fs.exists('again') \
                while again and not fs.exists('go') do agent.sleep(0.01) end \
                agent.query { prompt = 'x', model = idle } if not again then error('no') end";
    home.write("main.lua", &format!("{IDLE}{text}"));
    assert_eq!(home.run(&["run", "main.lua"]).code, 1);
    home.write("again", "");
    let mut both = [Running::start(&home, &["resume"]), Running::start(&home, &["resume"])];
    let refused = wait_for("one of two to be refused", || {
        both.iter_mut().position(|run| run.0.try_wait().expect("its state").is_some())
    });
    // Nor is another begun beside it.
    let ran = home.run(&["run", "--resume", "main.lua"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("is going on in another process"), "{}", ran.stderr);
    home.write("go", "");
    for (index, run) in both.into_iter().enumerate() {
        let ran = run.end();
        assert_eq!(ran.code, if index == refused { 2 } else { 0 }, "{}", ran.stderr);
        // Whether it was found alive, or not yet.
        let texts = ["is going on in another process", "there is nothing to resume"];
        assert_eq!(texts.iter().any(|text| ran.stderr.contains(text)), index == refused);
    }
    let rows = runs(&home);
    assert_eq!((rows.len(), rows[0].lives), (1, 2));
}

#[test]
fn an_agent_hears_what_it_is_told_from_another_shell() {
    let home = repository();
    home.write(
        "main.lua",
        &format!(
            "{PATIENT}
print(agent.query {{ prompt = 'x', model = patient, branch = 'b' }}.result)"
        ),
    );
    let run = Running::start(&home, &["run", "main.lua"]);
    wait_for("the agent", || exists(&home, "working"));
    let id = working(&home).remove(0);
    for (text, code) in [("take care of ä", 0), (" ", 2)] {
        assert_eq!(home.run(&["send", &id[..9], text]).code, code);
    }
    let ran = home.run(&["send", "agent-zzzz", "x"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("no agent of this repository has the id"), "{}", ran.stderr);
    let mut piped = home.command(&["send", &id, "-"]);
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    piped.stdin.take().expect("it").write_all(b"and --this").expect("it is read");
    assert!(piped.wait().expect("its end").success());
    home.write("go", "");
    let ran = run.end();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (first, second) = (ran.stdout.find("take care of ä"), ran.stdout.find("and --this"));
    assert!(first.is_some() && first < second, "{}", ran.stdout);
    let ran = home.run(&["send", &id, "too late"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(&format!("`{id}` has ended: it is completed")), "{}", ran.stderr);
}

#[test]
fn what_was_sent_outlives_the_run_that_took_it() {
    let home = repository();
    home.write(
        "main.lua",
        &format!(
            "{PATIENT}
agent.config {{ concurrency = 1, model = patient }}
local one = agent.spawn {{ prompt = 'x', branch = 'b' }}
local two = agent.spawn {{ prompt = 'y', branch = 'c' }}
print(one:await().result)
print(two:await().result)"
        ),
    );
    let mut run = Running::start(&home, &["run", "main.lua"]);
    wait_for("the agent", || exists(&home, "working"));
    let id = working(&home).remove(0);
    let agents = home.run(&["agents", "--json"]).stdout;
    let agents: Vec<serde_json::Value> = serde_json::from_str(&agents).expect("it is JSON");
    let queued = agents.iter().find(|row| row["status"] == "queued").expect("it waits");
    // Either may have come first.
    let labels = if queued["label"] == "c" { ["b", "c"] } else { ["c", "b"] };
    let queued = queued["id"].as_str().expect("its id").to_owned();
    let bare = |id: &str| id.strip_prefix("agent-").expect("its digits").to_owned();
    let ran = home.run(&["send", &bare(&id), "take care of ä"]);
    let said = format!("{id} hears it after the turn that it is in\n");
    assert_eq!((ran.code, ran.stdout), (0, said), "{}", ran.stderr);
    let ran = home.run(&["send", &bare(&queued), "and --this"]);
    let said = format!("{queued} hears it when it starts\n");
    assert_eq!((ran.code, ran.stdout), (0, said), "{}", ran.stderr);
    let ran = home.run(&["rm", &id]);
    assert!(ran.stderr.contains(&format!("agentlua stop {id}")), "{}", ran.stderr);
    run.0.kill().expect("it is killed");
    run.0.wait().expect("its end");
    home.write("go", "");
    let ran = home.run(&["resume"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (b, c) = ran.stdout.split_once('\n').expect("two lines");
    let (one, two) = if labels == ["b", "c"] { (b, c) } else { (c, b) };
    for (said, text, other) in [(one, "take care of ä", "--this"), (two, "and --this", "take care")]
    {
        assert_eq!((said.matches(text).count(), said.matches(other).count()), (1, 0), "{said}");
    }
    assert!(
        ran.stderr.contains(&format!("{id} {}: goes on at turn 2\n", labels[0])),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains(&format!("{queued} {0}: started on {0}\n", labels[1])),
        "{}",
        ran.stderr
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&home.path(".git/agentlua")).await.expect("the store");
        for id in [&id, &queued] {
            assert!(store.unheard(id).await.expect("the journal").is_empty(), "it was heard");
        }
    });
}

#[test]
fn who_follows_a_run_learns_that_it_was_cut_off() {
    let home = repository();
    home.write("main.lua", BACKGROUND);
    let ran = home.run(&["run", "--detach", "main.lua", "arg"]);
    let id = ran.stdout.trim();
    let process = wait_for("the script", || {
        std::fs::read_to_string(home.path("working")).ok().filter(|process| !process.is_empty())
    });
    let following = Running::start(&home, &["logs", "-f", id]);
    assert!(Command::new("kill").args(["-9", &process]).status().expect("kill runs").success());
    let ran = following.end();
    let said = format!("{id} was cut off\nagentlua resume {id} goes on with it\n");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, &*said), "{}", ran.stdout);
}

#[test]
fn an_agent_is_stopped_and_its_run_goes_on() {
    let home = repository();
    home.write(
        "main.lua",
        &format!(
            "{PATIENT}
local task = agent.spawn {{ prompt = 'x', model = patient, branch = 'b' }}
local _, e = task:try_await()
print(e.kind, e.outcome.subtype, e.message, task:status(), git.show('b', 'half.txt'))
-- Nobody awaits this one.
fs.remove('working')
agent.spawn {{ prompt = 'y', model = patient, branch = 'c' }}"
        ),
    );
    let run = Running::start(&home, &["run", "main.lua"]);
    wait_for("the agent", || exists(&home, "working"));
    let first = working(&home).remove(0);
    let ran = home.run(&["stop", &first["agent-".len()..]]);
    assert_eq!((ran.code, ran.stdout), (0, format!("{first} is stopping; its work is kept\n")));
    let second = wait_for("the next agent", || {
        exists(&home, "working")?;
        working(&home).into_iter().find(|id| *id != first)
    });
    assert_eq!(home.run(&["stop", &second]).code, 0);
    let ran = run.end();
    assert_eq!(ran.code, 1, "nobody in the script has cancelled them: {}", ran.stderr);
    let said =
        "cancelled\terror_cancelled\tthe agent was stopped by `agentlua stop`\tcancelled\tx\n";
    assert_eq!(ran.stdout, said);
    assert_eq!(runs(&home)[0].status.as_deref(), Some("degraded"));
    let ran = home.run(&["stop", &second]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("has ended: it is cancelled"), "{}", ran.stderr);
}

#[test]
fn a_run_is_stopped_as_by_an_interrupt() {
    let home = repository();
    home.write(
        "main.lua",
        &format!(
            "{PATIENT}
agent.query {{ prompt = 'x', model = patient, branch = 'b' }}"
        ),
    );
    let run = Running::start(&home, &["run", "--output-format=json", "main.lua"]);
    wait_for("the agent", || exists(&home, "working"));
    let id = runs(&home)[0].id.clone();
    let ran = home.run(&["stop", &id]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains(&format!("agentlua resume {id} goes on with it")),
        "{}",
        ran.stdout
    );
    let ran = run.end();
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    let last: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&last["status"], &last["exit_code"]), (&"interrupted".into(), &130.into()));
    let row = &runs(&home)[0];
    assert_eq!((row.status.as_deref(), row.exit_code), (Some("interrupted"), Some(130)));
    let show = Ran::of(home.command_of("git".as_ref()).args(["show", "b:half.txt"]));
    assert_eq!(show.stdout, "x");
    let ran = home.run(&["stop", &id]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("is not going on: it was interrupted"), "{}", ran.stderr);
}

#[test]
fn nobody_waits_for_a_run_that_is_gone_and_its_next_life_hears_nothing_of_it() {
    let home = repository();
    home.write(
        "main.lua",
        &format!(
            "{PATIENT}
agent.query {{ prompt = 'x', model = patient, branch = 'b', if_exists = 'number' }}"
        ),
    );
    let mut run = Running::start(&home, &["run", "main.lua"]);
    wait_for("the agent", || exists(&home, "working"));
    let (run_id, id) = (runs(&home)[0].id.clone(), working(&home).remove(0));
    // It cannot answer any more, and somebody asks before it is known to be gone.
    run.0.kill().expect("it is killed");
    run.0.wait().expect("its end");
    for (args, text) in [
        (&["send", &id, "x"], format!("`{id}` has ended: it is interrupted")),
        (&["stop", &run_id, "--repo=."], format!("`{run_id}` is not going on: it was cut off")),
    ] {
        let ran = home.run(args);
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.contains(&text), "{}", ran.stderr);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let asked = runtime.block_on(async {
        let store = Store::open(&home.path(".git/agentlua")).await.expect("the store");
        store.request(&run_id, None, "stop", "").await.expect("it is asked")
    });
    std::fs::remove_file(home.path("working")).expect("it goes");
    let run = Running::start(&home, &["resume"]);
    wait_for("the agent", || exists(&home, "working"));
    let answer = wait_for("the answer", || {
        runtime.block_on(async {
            let store = Store::open(&home.path(".git/agentlua")).await.expect("the store");
            store.answered(asked).await.expect("the journal")
        })
    });
    assert_eq!(answer, "refused: it was asked before the run went on");
    home.write("go", "");
    let ran = run.end();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// Says of its process whether it leads a session of its own, then waits for the file `go`.
const BACKGROUND: &str = "
local stat = io.open('/proc/self/stat'):read('a')
local pid, session = stat:match('^(%d+) %b() %S %d+ %d+ (%d+)')
print(pid == session, arg[1], io.read('a') == '')
fs.write('working', pid)
while not fs.exists('go') do agent.sleep(0.01) end
";

#[test]
fn a_run_goes_on_in_the_background() {
    let home = repository();
    home.write("main.lua", BACKGROUND);
    let ran = home.run(&["run", "--detach", "main.lua", "arg"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows = runs(&home);
    let row = &rows[0];
    assert_eq!(ran.stdout, format!("{}\n", row.id));
    assert!(ran.stderr.contains(&format!("agentlua logs {} -f", row.id)), "{}", ran.stderr);
    assert!(row.alive && row.command.as_ref().is_some_and(|command| command.detached));
    wait_for("the script", || exists(&home, "working"));
    let log = home.path(&format!(".git/agentlua/output/{}.log", row.id));
    let written = std::fs::read_to_string(&log).expect("its output");
    assert!(written.starts_with("true\targ\ttrue\n"), "{written}");
    // A run without agents is stopped, too.
    assert_eq!(home.run(&["stop", &row.id]).code, 0);
    let ended =
        wait_for("its end", || runs(&home).remove(0).status.filter(|_| !runs(&home)[0].alive));
    assert_eq!(ended, "interrupted");
    // It is gone on with in the background, and ends.
    home.write("go", "");
    let ran = home.run(&["resume", "--detach", "--output-format=json", "--quiet"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.stdout, format!("{{\"run\":\"{}\"}}\n", row.id));
    wait_for("its end", || runs(&home).remove(0).status.filter(|status| status == "completed"));
    let written = std::fs::read_to_string(&log).expect("its output");
    assert!(written.contains("\"status\":\"completed\""), "{written}");
}

#[test]
fn what_hinders_a_run_in_the_background_is_said_at_once() {
    let home = repository();
    home.write("main.lua", "print(1)");
    home.write("wrong.lua", "x = = 1");
    home.write("model.lua", "error('no model')");
    for (args, code, text) in [
        (&["run", "--detach", "wrong.lua"][..], 2, "unexpected symbol near '='"),
        (&["run", "--detach", "none.lua"], 2, "cannot read the script `none.lua`"),
        (&["run", "--detach", "--concurrency=0", "main.lua"], 2, "must be from 1 to 10000"),
        (
            &["run", "--detach", "--model=model.lua", "main.lua"],
            2,
            "the model `model.lua`: no model",
        ),
        (&["run", "--detach", "--resume=run-zz", "main.lua"], 2, "no run here has the id"),
        (&["repl", "--detach"], 2, "`agentlua repl` has no option `--detach`"),
    ] {
        let ran = home.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
    }
    assert!(!home.path(".git/agentlua/output").exists(), "no output is left of them");
    // One that is over before anybody has looked has begun all the same; its script came through a pipe.
    let mut child = home.command(&["run", "-"]);
    child.env("AGENTLUA_DETACH", "1").stdin(Stdio::piped());
    child.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("it starts");
    child.stdin.take().expect("it").write_all(b"print('quick')").expect("it is read");
    let ran = Ran::from(child.wait_with_output().expect("its end"));
    assert_eq!(ran.code, 0);
    let log = home.path(&format!(".git/agentlua/output/{}.log", ran.stdout.trim()));
    wait_for("its output", || std::fs::read_to_string(&log).ok().filter(|text| text == "quick\n"));
}

#[test]
fn a_hangup_does_not_end_a_run_in_the_background() {
    let home = repository();
    home.write("main.lua", BACKGROUND);
    // The shell leads a session, as that of a terminal does, and all that is in it is hung up.
    let binary = env!("CARGO_BIN_EXE_agentlua");
    let script = format!("'{binary}' run --detach main.lua > id && kill -s HUP 0");
    let mut shell = home.command_of("setsid".as_ref());
    let ran = Ran::of(shell.args(["--wait", "sh", "-c", &script]));
    assert_ne!(ran.code, 0, "the shell itself was hung up");
    wait_for("the script", || exists(&home, "working"));
    assert!(runs(&home)[0].alive);
    home.write("go", "");
    wait_for("its end", || runs(&home).remove(0).status.filter(|status| status == "completed"));
}

#[test]
fn whoever_asks_learns_that_the_run_has_died_or_does_not_answer() {
    let home = repository();
    let text = "agent.query { prompt = 'x', model = patient, branch = arg[1] }";
    home.write("main.lua", &format!("{PATIENT}{text}"));
    // It is killed when it has done as asked, and before it could say so.
    let mut command = home.command(&["run", "main.lua", "a"]);
    let mut run = command.env("AGENTLUA_CRASH_AT", "request-done").spawn().expect("it starts");
    wait_for("the agent", || exists(&home, "working"));
    let id = working(&home).remove(0);
    let ran = home.run(&["send", &id, "x"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("has just ended"), "{}", ran.stderr);
    run.wait().expect("its end");
    // Its process is halted: what was asked is taken back, and not done when it goes on.
    std::fs::remove_file(home.path("working")).expect("it goes");
    let run = Running::start(&home, &["run", "main.lua", "b"]);
    wait_for("the agent", || exists(&home, "working"));
    let (id, process) = (working(&home).remove(0), run.0.id().to_string());
    let signal = |name: &str| {
        let sent = Command::new("kill").args(["-s", name, &process]).status().expect("kill runs");
        assert!(sent.success());
    };
    signal("STOP");
    let ran = home.run(&["stop", &id]);
    signal("CONT");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("did not answer in 10 seconds"), "{}", ran.stderr);
    home.write("go", "");
    let ran = run.end();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_run_that_was_killed_after_its_end_has_ended() {
    let home = repository();
    home.write("main.lua", &format!("{IDLE}agent.query {{ prompt = 'x', model = idle }}"));
    let mut command = home.command(&["run", "main.lua"]);
    let ran = Ran::of(command.env("AGENTLUA_CRASH_AT", "run-ended"));
    assert_eq!(ran.code, 137, "{}", ran.stderr);
    let row = runs(&home).remove(0);
    assert_eq!((row.status.as_deref(), row.alive), (Some("completed"), false));
}

#[test]
fn runs_outside_every_repository_are_gone_on_with_too() {
    let home = Home::new();
    let text = "agent.query { prompt = 'x', model = idle } \
                if not fs.exists('go') then fs.write('go', '') error('no') end print('went')";
    home.write("main.lua", &format!("{IDLE}{text}"));
    assert_eq!(home.run(&["run", "main.lua"]).code, 1);
    let mut elsewhere = home.command(&["resume"]);
    let ran = Ran::of(elsewhere.current_dir(home.beside("home")));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "went\n"), "{}", ran.stderr);
    let said = format!("it runs in {}", home.path("").display());
    assert!(ran.stderr.contains(said.trim_end_matches('/')), "{}", ran.stderr);
}

#[test]
fn a_run_is_resumed_by_a_name_and_only_where_it_was_started() {
    let home = repository();
    home.write("main.lua", "error('no')");
    let ran = home.run(&["run", "main.lua"]);
    assert_eq!(ran.code, 1);
    assert!(!ran.stderr.contains("go on:"), "nobody knows it: {}", ran.stderr);
    let text = format!("{IDLE}agent.query {{ prompt = 'x', model = idle }} error('no')");
    home.write("main.lua", &text);
    let ran = home.run(&["run", "main.lua"]);
    let id = runs(&home)[0].id.clone();
    assert!(ran.stderr.contains(&format!("go on: agentlua resume {id}")), "{}", ran.stderr);
    let ran = home.run(&["resume", ""]);
    assert_eq!((ran.code, runs(&home)[0].lives), (2, 1), "{}", ran.stderr);
    // In a copy of the repository the run would work in the original.
    let copy = home.beside("copy");
    let mut copying = home.command_of(std::path::Path::new("cp"));
    let copied = Ran::of(copying.arg("-r").arg(home.path("")).arg(&copy));
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    let ran = Ran::of(home.command(&["resume", &id]).current_dir(&copy));
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("which is another repository"), "{}", ran.stderr);
    assert_eq!(runs(&home)[0].lives, 1, "{}", ran.stderr);
}

#[test]
fn of_two_that_go_on_with_a_run_in_the_background_one_says_that_it_cannot() {
    let home = repository();
    home.write("main.lua", &format!("{PATIENT}error('no')"));
    home.write("go", "");
    let ask = "agent.query { prompt = 'x', model = patient, worktree = true }\n";
    home.write("main.lua", &format!("{PATIENT}{ask}error('no')"));
    let ran = home.run(&["run", "main.lua"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    std::fs::remove_file(home.path("go")).expect("it goes");
    home.write(
        "main.lua",
        &format!("{PATIENT}{ask}agent.query {{ prompt = 'y', model = patient, worktree = true }}"),
    );
    let id = runs(&home)[0].id.clone();
    let both: Vec<Running> =
        (0..2).map(|_| Running::start(&home, &["resume", &id, "--detach"])).collect();
    let mut codes: Vec<i32> = both.into_iter().map(|one| one.end().code).collect();
    codes.sort_unstable();
    home.write("go", "");
    assert_eq!((codes, runs(&home)[0].lives), (vec![0, 2], 2));
    wait_for("its end", || runs(&home)[0].status.clone());
}
