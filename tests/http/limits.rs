//! Limits that bind: time, turns, places, and being called off.

use serde_json::json;

use crate::stage::{Running, Stage, Wire, eventually, processes_with, text};

/// Returns a command that waits until the file `go` is there, and names the stage in `/proc`.
fn waiting(stage: &Stage) -> String {
    format!("until [ -e {} ]; do sleep 0.05; done", stage.beside("go").display())
}

/// Returns a query that writes its own file, then says that it waits, then waits.
fn writing_then_waiting(stage: &Stage, name: &str) -> serde_json::Value {
    let wait = format!("{}; {}", stage.marking(name), waiting(stage));
    let prompt = format!(
        "{name}: [[scenario call tool=Write input='{{\"file_path\":\"{name}.txt\",\"content\":\"{name}\"}}' \
         tool1=Bash input1='{{\"command\":\"{wait}\"}}']]"
    );
    json!({ "prompt": prompt, "branch": format!("work/{name}") })
}

#[test]
fn an_agent_past_its_time_is_stopped_with_its_work_kept() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let before = stage.repo.fingerprint(&["work/", "refs/agentlua/"]);
    let mut late = writing_then_waiting(&stage, "late");
    late["timeout"] = json!(3);
    let silent = json!({ "prompt": "silent: [[scenario text fault=silence@1x9]]", "timeout": 1 });
    let settled = stage.settle(&json!({ "late": late, "silent": silent }), &[]);
    for name in ["late", "silent"] {
        assert_eq!(settled[name]["kind"], "timeout", "{settled}");
        assert_eq!(settled[name]["outcome"]["subtype"], "error_timeout");
    }
    assert_eq!(stage.marks("late"), 1);
    assert_eq!(stage.repo.git(&["show", "work/late:late.txt"]), "late");
    assert_eq!(stage.repo.git(&["rev-list", "--count", "main..work/late"]), "1");
    let go = stage.beside("go").display().to_string();
    eventually("its command is gone", || processes_with(&go).is_empty());
    stage.repo.assert_untouched(&before, &["work/", "refs/agentlua/"]);
    stage.assert_sound();
}

#[test]
fn the_first_of_a_race_wins_and_the_others_are_called_off() {
    let stage = Stage::new(Wire::OpenAi, &[]);
    let before = stage.repo.fingerprint(&["work/", "refs/agentlua/"]);
    let slow = writing_then_waiting(&stage, "slow").to_string();
    // The winner is done only when the loser is at work.
    let wait = format!("until [ -e {} ]; do sleep 0.05; done", stage.mark("slow").display());
    let script = format!(
        "local slow = json.decode [==[{slow}]==]
         local fast = {{ prompt = [==[fast: [[scenario bash command=\"{wait}\" command1='echo first']]]==],
           worktree = true }}
         local value, key = agent.race {{ slow = slow, fast = fast }}
         print(key, value.result)"
    );
    let ran = stage.run(&script, &[]);
    // Losing is not failing.
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("fast\t"), "{ran:?}");
    let agents = stage.agents();
    assert_eq!(agents["slow"]["status"], "cancelled", "{agents:?}");
    assert_eq!(stage.marks("slow"), 1);
    let go = stage.beside("go").display().to_string();
    eventually("its command is gone", || processes_with(&go).is_empty());
    stage.repo.assert_untouched(&before, &["work/", "refs/agentlua/"]);
    stage.assert_sound();
}

#[test]
fn a_timeout_around_a_query_calls_it_off() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let before = stage.repo.fingerprint(&["work/", "refs/agentlua/"]);
    let slow = writing_then_waiting(&stage, "slow").to_string();
    let script = format!(
        "local slow = json.decode [==[{slow}]==]
         local ok, e = pcall(agent.timeout, 3, function() return agent.query(slow) end)
         print(ok, e.kind)"
    );
    let ran = stage.run(&script, &[]);
    assert_eq!(ran.stdout, "false\ttimeout\n", "{ran:?}");
    assert_eq!(stage.agents()["work/slow"]["status"], "cancelled");
    assert_eq!(stage.repo.git(&["show", "work/slow:slow.txt"]), "slow");
    let go = stage.beside("go").display().to_string();
    eventually("its command is gone", || processes_with(&go).is_empty());
    stage.repo.assert_untouched(&before, &["work/", "refs/agentlua/"]);
    stage.assert_sound();
}

#[test]
fn two_places_mean_two_agents_at_work() {
    let stage = Stage::new(Wire::Anthropic, &["--latency-ms", "30"]);
    let names = ["a", "b", "c", "d", "e", "f"];
    let queries: serde_json::Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), writing_then_waiting(&stage, name))).collect();
    let mut command = stage.settling(&queries.into(), &["--concurrency", "2"]);
    let running = Running::start(&mut command);
    let at_work = || names.iter().filter(|name| stage.marks(name) > 0).count();
    eventually("two agents are in their commands", || at_work() == 2);
    let with = |status: &str| {
        let rows = stage.agents().into_values();
        rows.filter(|row| row["status"] == status).collect::<Vec<_>>()
    };
    eventually("the others are queued", || with("queued").len() == 4);
    assert_eq!(with("running").len(), 2);
    for row in with("queued") {
        assert!(row["worktree_path"].is_null() && row["branch"].is_null(), "{row}");
    }
    for row in with("running") {
        assert!(std::path::Path::new(text(&row["worktree_path"])).is_dir(), "{row}");
    }
    assert_eq!(stage.worktrees().len(), 3);
    assert_eq!(stage.branches().len(), 3);
    std::fs::write(stage.beside("go"), "").unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(at_work(), 6);
    let most = stage.report()["max_concurrent"].as_u64().unwrap();
    assert!(most <= 2, "{most} at once");
    assert_eq!(stage.branches().len(), 7);
    stage.assert_sound();
}
