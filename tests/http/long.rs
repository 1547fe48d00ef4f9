//! Conversations that outgrow the model's context, and those that outlive their process.

use serde_json::json;

use crate::home::Ran;
use crate::stage::{Running, Stage, Wire, eventually, processes_with, text};

/// How a question for a summary is recognised.
const SUM: &str = "Use these headings";

fn long(stage: &Stage, name: &str, steps: u32, bytes: u32) -> serde_json::Value {
    let log = stage.mark(name).display().to_string();
    let prompt =
        format!("{name}: [[scenario long steps={steps} bytes={bytes} sum=\"{SUM}\" log={log}]]");
    json!({ "prompt": prompt, "branch": format!("work/{name}"), "max_turns": 100 })
}

fn steps(stage: &Stage, name: &str) -> Vec<String> {
    let log = std::fs::read_to_string(stage.mark(name)).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

fn expected(steps: u32) -> Vec<String> {
    (1..=steps).map(|step| format!("step {step}")).collect()
}

#[test]
fn sixty_turns_fit_through_a_small_window() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &["--window", "6000"]);
        let settled = stage.settle(&json!({ "long": long(&stage, "long", 60, 600) }), &[]);
        let outcome = &settled["long"]["outcome"];
        assert_eq!(outcome["result"], "All 60 steps.", "{wire:?}: {settled:#}");
        assert_eq!(outcome["num_turns"], 61, "a summary is no turn");
        assert_eq!(steps(&stage, "long"), expected(60), "no step is done twice");
        let report = stage.report();
        let refused = report["by_status"]["400"].as_u64().unwrap();
        assert!(refused >= 2, "the window was never full: {report:#}");
        stage.assert_sound();
    }
}

#[test]
fn room_is_made_ahead_where_the_window_is_known() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let mut query = long(&stage, "long", 30, 29_000);
    query["model"] = json!("anthropic/claude-haiku-4-5");
    let ran = Ran::of(&mut stage.settling(&json!({ "long": query }), &[]));
    assert!(ran.stdout.contains("All 30 steps."), "{ran:?}");
    assert_eq!(ran.stderr.matches("summed up").count(), 1, "{ran:?}");
    assert_eq!(steps(&stage, "long"), expected(30));
    assert!(stage.report()["by_status"]["400"].is_null(), "the server never had to refuse");
    stage.assert_sound();
}

#[test]
fn what_no_summary_makes_fit_is_the_models_error() {
    let stage = Stage::new(Wire::Anthropic, &["--window", "500"]);
    let settled = stage.settle(&json!({ "long": long(&stage, "long", 3, 600) }), &[]);
    assert_eq!(settled["long"]["kind"], "model", "{settled:#}");
    assert!(text(&settled["long"]["message"]).contains("no longer fits"), "{settled:#}");
    assert!(stage.report()["requests"].as_u64().unwrap() <= 4, "{:#}", stage.report());
}

#[test]
fn after_a_kill_the_conversation_goes_on_in_another_process() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let go = stage.beside("go").display().to_string();
        let wait = format!("{}; until [ -e {go} ]; do sleep 0.05; done", stage.marking("busy"));
        let write = json!({ "file_path": "one.txt", "content": "one" });
        let wait = json!({ "command": wait });
        let prompt =
            format!("cut: [[scenario call tool=Write input='{write}' tool1=Bash input1='{wait}']]");
        let query = json!({ "prompt": prompt, "branch": "work/cut", "label": "cut" });
        let running = Running::start(&mut stage.settling(&json!({ "cut": query }), &[]));
        eventually("it is in its command", || stage.marks("busy") == 1);
        running.signal("KILL");
        assert_eq!(running.wait().code, 137);
        let root = stage.beside("").display().to_string();
        eventually("nothing of it is left", || processes_with(&root).is_empty());
        let id = text(&stage.agents()["cut"]["id"]).to_owned();

        // By the start of its id, from a process that knows nothing else; the server checks that every
        // message comes back as it was sent, and every call with a result.
        let prompt = "more: [[scenario write file=two.txt content=two]]";
        let resume = json!({ "prompt": prompt, "resume": &id[..id.len() - 1] });
        let settled = stage.settle(&json!({ "more": resume }), &[]);
        let outcome = &settled["more"]["outcome"];
        assert_eq!(outcome["ok"], true, "{wire:?}: {settled:#}");
        assert_eq!(outcome["branch"], "work/cut");
        assert!(text(&outcome["session_id"]).ends_with(&id), "{settled:#}");
        for name in ["one", "two"] {
            assert_eq!(stage.repo.git(&["show", &format!("work/cut:{name}.txt")]), name);
        }
        assert_eq!(stage.marks("busy"), 1, "the command was not run again");

        // Another model is told the same, in its own words.
        let fork = json!({ "prompt": "fork: [[scenario write file=three.txt]]", "fork": id,
            "branch": "work/fork", "model": "anthropic/another" });
        if wire == Wire::Anthropic {
            let forked = stage.settle(&json!({ "fork": fork }), &[]);
            assert_eq!(forked["fork"]["outcome"]["ok"], true, "{forked:#}");
        }
        stage.assert_sound();
    }
}
