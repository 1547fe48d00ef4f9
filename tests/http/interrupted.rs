//! Runs that are cut off in the middle of a fan-out: by Ctrl-C, and by kill -9.

use std::process::Command;

use serde_json::json;

use crate::home::Ran;
use crate::stage::{Running, Stage, Wire, eventually, processes_with};

/// One agent that is done, one that waits for its model, and three that want the two places left.
const SCRIPT: &str = r"
local queries = json.decode(fs.read(arg[1]))
agent.query(queries.done)
local silent = agent.spawn(queries.silent)
while not silent.branch do
  agent.sleep(0.01)
end
agent.all { silent, queries.first, queries.second, queries.third }
";

/// The agents that are in a command, but for one of them, which is queued.
const BUSY: [&str; 3] = ["first", "second", "third"];

/// Returns a command that runs [`SCRIPT`], whose agents wait until there is a file `go`.
fn fan_out(stage: &Stage) -> Command {
    let query = |name: &str, scenario: String| {
        let prompt = format!("{name}: [[scenario {scenario}]]");
        (name.to_owned(), json!({ "prompt": prompt, "worktree": true, "label": name }))
    };
    let write = |name: &str| format!("write file={name}.txt content={name}");
    let go = stage.beside("go").display().to_string();
    let busy = |name: &str| {
        let wait = format!("{}; until [ -e {go} ]; do sleep 0.05; done", stage.marking(name));
        let input = json!({ "file_path": format!("{name}.txt"), "content": name });
        let command = json!({ "command": wait });
        query(name, format!("call tool=Write input='{input}' tool1=Bash input1='{command}'"))
    };
    let silent = format!("{} fault=silence@2", write("silent"));
    let mut queries = vec![query("done", write("done")), query("silent", silent)];
    queries.extend(BUSY.map(busy));
    let queries: serde_json::Map<_, _> = queries.into_iter().collect();
    std::fs::write(stage.beside("queries.json"), json!(queries).to_string()).unwrap();
    let mut command = stage.script(SCRIPT, &["--concurrency", "3"]);
    command.arg("../queries.json");
    command
}

/// Starts it, and returns when one is done, one waits for its model and two are in a command; also
/// the names of these two, and of the one that is queued.
fn started(stage: &Stage) -> (Running, Vec<&'static str>, &'static str) {
    let running = Running::start(&mut fan_out(stage));
    let is_busy = |name: &&str| stage.marks(name) == 1;
    eventually("one is done, the others are in the middle", || {
        BUSY.iter().copied().filter(is_busy).count() == 2 && stage.requests_of("silent") == 2
    });
    let (busy, queued): (Vec<_>, Vec<_>) = BUSY.into_iter().partition(is_busy);
    eventually("the registry says so too", || {
        let mut at_work = busy.iter().copied().chain(["silent"]);
        at_work.all(|name| status_of(stage, name) == "running")
            && status_of(stage, queued[0]) == "queued"
            && status_of(stage, "done") == "completed"
    });
    (running, busy, queued[0])
}

fn status_of(stage: &Stage, label: &str) -> String {
    let agents = stage.agents();
    let status = agents.get(label).and_then(|row| row["status"].as_str());
    status.unwrap_or_default().to_owned()
}

/// Fails unless the file that the agent wrote is on its branch.
#[track_caller]
fn assert_committed(stage: &Stage, label: &str) {
    let row = &stage.agents()[label];
    let branch = row["branch"].as_str().unwrap_or_else(|| panic!("{row}"));
    assert_eq!(stage.repo.git(&["show", &format!("{branch}:{label}.txt")]), label);
}

fn assert_no_process_is_left(stage: &Stage) {
    let root = stage.beside("").display().to_string();
    eventually("no process of the run is left", || processes_with(&root).is_empty());
}

#[test]
fn an_interrupt_stops_everything_in_order_and_keeps_the_work() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let before = stage.repo.fingerprint(&["agentlua/", "refs/agentlua/"]);
        let (running, busy, queued) = started(&stage);
        running.signal("INT");
        let ran = running.wait();
        assert_eq!(ran.code, 130, "{ran:?}");
        for branch in stage.branches().iter().filter(|branch| *branch != "main") {
            assert!(ran.stderr.contains(branch), "`{branch}` is not named: {}", ran.stderr);
        }
        assert_no_process_is_left(&stage);
        assert_eq!(status_of(&stage, "done"), "completed");
        assert_committed(&stage, "done");
        for label in busy.into_iter().chain(["silent"]) {
            assert_eq!(status_of(&stage, label), "cancelled");
            assert_committed(&stage, label);
        }
        assert_eq!(status_of(&stage, queued), "cancelled");
        assert_eq!(stage.branches().len(), 5, "the queued one had none");
        stage.repo.assert_untouched(&before, &["agentlua/", "refs/agentlua/"]);
        stage.assert_sound();
    }
}

#[test]
fn after_a_kill_agents_are_interrupted_and_the_script_runs_again() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let before = stage.repo.fingerprint(&["agentlua/", "refs/agentlua/"]);
        let (running, busy, queued) = started(&stage);
        running.signal("KILL");
        assert_eq!(running.wait().code, 137);
        assert_no_process_is_left(&stage);
        assert_eq!(status_of(&stage, "done"), "completed");
        assert_committed(&stage, "done");
        for label in busy.into_iter().chain(["silent"]) {
            let row = &stage.agents()[label];
            assert_eq!(row["status"], "interrupted", "{row}");
            let file = format!("{}/{label}.txt", row["worktree_path"].as_str().unwrap());
            assert_eq!(std::fs::read_to_string(file).unwrap(), label, "its work is still there");
        }
        assert_eq!(status_of(&stage, queued), "interrupted");
        stage.repo.assert_untouched(&before, &["agentlua/", "refs/agentlua/"]);

        std::fs::write(stage.beside("go"), "").unwrap();
        // The model falls silent again; this time nobody waits for it for long.
        let ran = Ran::of(fan_out(&stage).env("AGENTLUA_IDLE_TIMEOUT", "1"));
        assert_eq!(ran.code, 0, "{ran:?}");
        for label in BUSY.into_iter().chain(["done", "silent"]) {
            assert_eq!(status_of(&stage, label), "completed");
            assert_committed(&stage, label);
        }
        stage.repo.assert_untouched(&before, &["agentlua/", "refs/agentlua/"]);
        stage.assert_whole();
    }
}
