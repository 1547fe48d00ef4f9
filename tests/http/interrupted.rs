//! Runs that are cut off in the middle of a fan-out: by Ctrl-C, and by kill -9.

use serde_json::{Value, json};

use crate::stage::{Running, Stage, Wire, eventually, processes_with};

/// Returns four queries: one that is soon done, one in a command, one that waits for its model, and one
/// that is queued behind them when there are three places. The waits end where there is a file `go`.
fn queries(stage: &Stage) -> Value {
    let go = stage.beside("go").display().to_string();
    let write = |name: &str| format!("{{\"file_path\":\"{name}.txt\",\"content\":\"{name}\"}}");
    let command = |name: &str| {
        let wait = format!("{}; until [ -e {go} ]; do sleep 0.05; done", stage.marking(name));
        format!("{{\"command\":\"{wait}\"}}")
    };
    let busy = |name: &str, more: &str| {
        let prompt = format!(
            "{name}: [[scenario call tool=Write input='{}' tool1=Bash input1='{}' {more}]]",
            write(name),
            command(name)
        );
        json!({ "prompt": prompt, "worktree": true, "label": name })
    };
    let silent = format!("silent: [[scenario write file=silent.txt content=silent fault=silence@2]]");
    json!([
        { "prompt": "done: [[scenario write file=done.txt content=done]]", "worktree": true, "label": "done" },
        busy("busy", ""),
        { "prompt": silent, "worktree": true, "label": "silent" },
        busy("also-busy", ""),
        busy("queued", ""),
    ])
}

/// Starts the queries, and returns when one is done, two are in a command and one waits for its model.
fn started(stage: &Stage) -> Running {
    let running = Running::start(&mut stage.settling(&queries(stage), &["--concurrency", "3"]));
    let is_done = || stage.agents().get("done").is_some_and(|row| row["status"] == "completed");
    eventually("one is done, the others are in the middle", || {
        stage.marks("busy") == 1
            && stage.marks("also-busy") == 1
            && stage.requests_of("silent") == 2
            && is_done()
    });
    running
}

fn file_of(stage: &Stage, label: &str) -> String {
    let row = &stage.agents()[label];
    let branch = row["branch"].as_str().unwrap_or_else(|| panic!("{row}"));
    stage.repo.git(&["show", &format!("{branch}:{label}.txt")])
}

fn status_of(stage: &Stage, label: &str) -> String {
    stage.agents()[label]["status"].as_str().unwrap_or_default().to_owned()
}

fn assert_no_process_is_left(stage: &Stage) {
    let root = stage.beside("").display().to_string();
    eventually("no process of the run is left", || processes_with(&root).is_empty());
}

#[test]
fn an_interrupt_stops_everything_in_order_and_keeps_the_work() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let before = stage.repo.fingerprint(&["agentlua/"]);
        let running = started(&stage);
        running.signal("INT");
        let ran = running.wait();
        assert_eq!(ran.code, 130, "{ran:?}");
        assert_no_process_is_left(&stage);
        assert_eq!(status_of(&stage, "done"), "completed");
        for label in ["busy", "also-busy", "silent", "queued"] {
            assert_eq!(status_of(&stage, label), "cancelled", "{label}");
        }
        for label in ["done", "busy", "also-busy", "silent"] {
            assert_eq!(file_of(&stage, label), label);
        }
        assert!(stage.agents()["queued"]["branch"].is_null());
        assert_eq!(stage.branches().len(), 5);
        stage.repo.assert_untouched(&before, &["agentlua/"]);
        stage.assert_sound();
    }
}

#[test]
fn after_a_kill_agents_are_interrupted_and_the_script_runs_again() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let before = stage.repo.fingerprint(&["agentlua/"]);
        let running = started(&stage);
        running.signal("KILL");
        assert_eq!(running.wait().code, 137);
        assert_no_process_is_left(&stage);
        assert_eq!(status_of(&stage, "done"), "completed");
        assert_eq!(file_of(&stage, "done"), "done");
        for label in ["busy", "also-busy", "silent"] {
            assert_eq!(status_of(&stage, label), "interrupted", "{label}");
            let worktree = stage.agents()[label]["worktree_path"].as_str().unwrap().to_owned();
            let file = format!("{worktree}/{label}.txt");
            assert_eq!(std::fs::read_to_string(file).unwrap(), label, "the work is still there");
        }
        assert_eq!(status_of(&stage, "queued"), "interrupted");
        stage.repo.assert_untouched(&before, &["agentlua/"]);
        // The user's own git works at once.
        stage.repo.git(&["status"]);

        std::fs::write(stage.beside("go"), "").unwrap();
        let settled = stage.settle(&queries(&stage), &["--concurrency", "3"]);
        for one in settled.as_array().unwrap() {
            assert_eq!(one["ok"], true, "{one}");
        }
        for label in ["done", "busy", "also-busy", "silent", "queued"] {
            assert_eq!(status_of(&stage, label), "completed");
            assert_eq!(file_of(&stage, label), label);
        }
        stage.repo.assert_untouched(&before, &["agentlua/"]);
        stage.assert_sound();
    }
}
