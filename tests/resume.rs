//! Runs that were cut off, or have failed, and go on: what had ended is not asked again, what has changed
//! is, and the script cannot tell the difference.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;
#[path = "resume/stage.rs"]
mod stage;

use serde_json::json;
use stage::{Stage, last};

const NOTHING: [&str; 0] = [];

#[test]
fn what_had_ended_is_not_asked_again_and_gives_the_same() {
    let stage = Stage::new();
    stage.script(
        r#"
        local one = agent.query { prompt = "write a.txt", branch = "work/a" }
        local two = agent.query { prompt = "look", worktree = true, label = "eyes" }
        local three = agent.query { prompt = "outside" }
        local bad, why = agent.try_query { prompt = "fail" }
        die()
        return { one, two, three, why.kind, why.message, why.hint or "", why.outcome, git.head().commit }
        "#,
    );
    // The first time it dies before it can tell, the second nothing keeps it.
    assert_eq!(stage.run(&["--output-format=json"]).code, 137);
    assert_eq!(stage.asked(), ["fail", "look", "outside", "write a.txt", "write a.txt"]);
    let branches = stage.git(&["branch", "--list"]);
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    let first = last(&ran);
    assert_eq!(first["status"], "degraded", "{first}");
    assert_eq!(first["agents"].as_array().unwrap().len(), 4, "{first}");
    assert_eq!(first["result"][0]["result"], "did write a.txt");
    assert!(ran.stderr.contains("4 agents had ended before, 1 of them not well"), "{}", ran.stderr);
    assert!(branches.contains("work/a") && branches.contains("agentlua/agent-"), "{branches}");
    assert!(
        !stage.git(&["branch", "--list"]).contains("agentlua/"),
        "what is empty goes at the end"
    );
    assert_eq!(stage.git(&["show", "work/a:a.txt"]), "write a.txt");
    // And once more, as if only the word that it had ended was lost: the unchanged branch is made again, and
    // goes again.
    stage.forget_end();
    let again = last(&stage.resume(&["--output-format=json"]));
    assert_eq!(again["result"].to_string(), first["result"].to_string());
    assert_eq!(again["agents"].to_string(), first["agents"].to_string());
    assert_eq!(again["usage"], first["usage"]);
    assert!(!stage.git(&["branch", "--list"]).contains("agentlua/"));
    assert_eq!(stage.asked(), NOTHING);
}

#[test]
fn what_is_given_back_is_what_an_undisturbed_run_has() {
    let body = r#"
        local a = agent.query { prompt = "write a.txt", branch = "work/a" }
        local b = agent.query { prompt = "write b.txt", base = a, branch = "work/b" }
        local c = agent.query { resume = b, prompt = "go on" }
        local d = agent.query { fork = a, prompt = "another way", branch = "work/d" }
        local ok, why = pcall(agent.query, { prompt = "fail at it", max_turns = 3 })
        die()
        return { a, b, c, d, ok, why.kind, why.message, why.outcome }
    "#;
    let stage = Stage::new();
    stage.cut_off(body);
    assert_eq!(stage.asked().len(), 7);
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    let resumed = last(&ran);
    assert_eq!(resumed["result"][2]["session_id"], resumed["result"][1]["session_id"]);
    let kinds: Vec<_> = resumed["result"][1].as_object().unwrap().keys().cloned().collect();
    let whole = Stage::new();
    whole.script(&body.replace("die()", ""));
    let undisturbed = last(&whole.run(&["--output-format=json"]));
    let expected: Vec<_> = undisturbed["result"][1].as_object().unwrap().keys().cloned().collect();
    assert_eq!(kinds, expected);
    for at in 4..7 {
        assert_eq!(resumed["result"][at], undisturbed["result"][at]);
    }
    assert_eq!(resumed["usage"], undisturbed["usage"]);
    assert_eq!(resumed["status"], undisturbed["status"]);
}

#[test]
fn an_edited_prompt_is_named_and_asked_again_with_what_depends_on_it() {
    let body = |prompt: &str| {
        format!(
            r#"
            local a = agent.query {{ prompt = "write a.txt", branch = "work/a", label = "first" }}
            local b = agent.query {{ prompt = "{prompt}", branch = "work/b", label = "second" }}
            local c = agent.query {{ prompt = "write c.txt", base = b, branch = "work/c", label = "third" }}
            local d = agent.query {{ prompt = "look", worktree = true, label = "fourth" }}
            die()
            return {{ a.branch, b.branch, c.branch, d.result }}
            "#
        )
    };
    let stage = Stage::new();
    stage.cut_off(&body("write b.txt"));
    stage.asked();
    let old = stage.git(&["rev-parse", "work/b"]);
    stage.script(&body("write b.txt, better"));
    let ran = stage.resume(&["--output-format=json"]);
    let again = ["write b.txt, better", "write b.txt, better", "write c.txt", "write c.txt"];
    assert_eq!(stage.asked(), again, "{}", ran.stderr);
    assert_eq!(last(&ran)["result"], json!(["work/a", "work/b", "work/c", "did look"]));
    assert!(
        ran.stderr.contains("(second) is asked again: its prompt has changed"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("(third) is asked again: it started from"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("(fourth) is asked again"), "{}", ran.stderr);
    assert_eq!(stage.git(&["show", "work/b:b.txt,"]), "write b.txt, better");
    // What the old one made is kept.
    let kept = stage.git(&["for-each-ref", "--format=%(objectname)", "refs/agentlua/removed"]);
    assert!(kept.lines().any(|commit| commit == old), "{kept}, not {old}\n{}", ran.stderr);
    // And from then on it is that which had ended.
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
}

#[test]
fn a_call_that_is_put_in_moves_the_others_and_asks_none_of_them_again() {
    let stage = Stage::new();
    let list = |items: &str| {
        format!(
            r#"
            for _, name in ipairs {{ {items} }} do
              agent.query {{ prompt = "write " .. name, worktree = true }}
            end
            die()
            "#
        )
    };
    stage.cut_off(&list("'a', 'b', 'c'"));
    stage.asked();
    stage.script(&list("'new', 'a', 'b', 'c'"));
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), ["write new", "write new"], "{}", ran.stderr);
    assert!(ran.stderr.contains("`write new` is asked anew where agent-"), "{}", ran.stderr);
    // They stay where they are now, also without another edit.
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    assert_eq!(last(&ran)["agents"].as_array().unwrap().len(), 4);
    stage.script(&list("'c', 'a'"));
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), NOTHING, "calls that are gone are nobody's: {}", ran.stderr);
}

#[test]
fn equal_prompts_are_calls_of_their_own() {
    let stage = Stage::new();
    let body = r#"
        local items = {}
        for i = 1, 8 do
          items[i] = { prompt = "the same", worktree = true }
        end
        local outcomes = agent.all(items)
        die()
        local ids = {}
        for i, outcome in ipairs(outcomes) do
          ids[i] = outcome.id
        end
        return ids
    "#;
    stage.cut_off(body);
    assert_eq!(stage.asked().len(), 8);
    let first = last(&stage.resume(&["--output-format=json"]))["result"].clone();
    assert_eq!(stage.asked(), NOTHING);
    let mut ids: Vec<_> = first.as_array().unwrap().iter().map(ToString::to_string).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    assert_eq!(last(&stage.resume(&["--output-format=json"]))["result"], first);
    stage.script(&body.replace("= 1, 8", "= 1, 9"));
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), ["the same"], "{}", ran.stderr);
    assert_eq!(last(&ran)["result"].as_array().unwrap()[..8], first.as_array().unwrap()[..]);
}

#[test]
fn what_has_failed_stays_failed_until_the_run_has_ended_with_it() {
    let stage = Stage::new();
    stage.cut_off(
        r#"
        local outcome, why = agent.try_query { prompt = "fail" }
        local fine = agent.query { prompt = "look" }
        die()
        return { why.kind, why.message, why.outcome.subtype }
        "#,
    );
    assert_eq!(stage.asked(), ["fail", "look"]);
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), NOTHING, "what the script was told stays told: {}", ran.stderr);
    let told = &last(&ran)["result"];
    assert_eq!((&told[0], &told[2]), (&json!("model"), &json!("error_during_execution")), "{told}");
    stage.end_run();
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), ["fail"], "what had failed is tried again: {}", ran.stderr);
}

#[test]
fn a_base_that_only_the_run_has_led_on_is_the_same_and_any_other_is_not() {
    let body = r#"
        local a = agent.query { prompt = "write a.txt", branch = "work/a", label = "first" }
        git.merge(a)
        local b = agent.query { prompt = "write b.txt", branch = "work/b", label = "second" }
        git.merge(b)
        die()
    "#;
    let stage = Stage::new();
    stage.cut_off(body);
    assert_eq!(stage.asked().len(), 4);
    let landings = stage.git(&["log", "--first-parent", "--format=%H", "main"]);
    let landings: Vec<&str> = landings.lines().collect();
    stage.note_merge(landings[2], landings[0]);
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let stage = Stage::new();
    stage.cut_off(&body.replace("git.merge(a)", "").replace("git.merge(b)", ""));
    stage.asked();
    stage.git(&["commit", "--quiet", "--amend", "--message=the same files"]);
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    let stage = Stage::new();
    stage.cut_off(&body.replace("git.merge(b)", ""));
    stage.asked();
    stage.home.write("README", "somebody else's\n");
    stage.git(&["commit", "--quiet", "--all", "--message=somebody else's"]);
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked().len(), 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("(first) is asked again: it started from"), "{}", ran.stderr);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn outcomes_come_in_the_order_in_which_agents_had_ended() {
    let stage = Stage::new();
    stage.cut_off(
        r#"
        local items, order = {}, {}
        for n, seconds in ipairs { 0.9, 0.3, 0.6, 0 } do
          items[n] = { prompt = "sleep " .. seconds, worktree = n % 2 == 0 }
        end
        for key in agent.iter(items) do
          order[#order + 1] = key
        end
        local winner, first = agent.race { { prompt = "sleep 20" }, { prompt = "sleep 0.1" } }
        local ok, why = pcall(agent.all, { { prompt = "sleep 20.5" }, { prompt = "fail" } })
        die()
        return { order, first, winner.result, ok, why.kind }
        "#,
    );
    assert_eq!(stage.asked().len(), 8);
    for _ in 0..2 {
        let ran = stage.resume(&["--output-format=json"]);
        assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
        let told = json!([[4, 2, 3, 1], 2, "did sleep 0.1", false, "model"]);
        assert_eq!(last(&ran)["result"], told, "{}", ran.stderr);
        stage.forget_end();
    }
    // A sibling that was called off is tried again with the one that had failed; who lost a race is not.
    stage.end_run();
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), ["fail", "sleep 20.5"], "{}", ran.stderr);
}

#[test]
fn agents_that_callbacks_asked_for_are_found_too() {
    let body = r#"
        local help = agent.tool {
          name = "help",
          description = "helps",
          input = { what = "string" },
          run = function(input)
            return agent.query({ prompt = "nested " .. input.what, worktree = true }).result
          end,
        }
        local outer = agent.query { prompt = "use it", tools = { help }, label = "outer" }
        die()
        return outer.result
    "#;
    let stage = Stage::new();
    stage.cut_off(body);
    assert_eq!(stage.asked(), ["nested it", "use it", "use it"]);
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    let end = last(&ran);
    assert_eq!(end["result"], "did use it");
    let labels: Vec<_> = end["agents"].as_array().unwrap().iter().map(|a| &a["label"]).collect();
    assert_eq!(labels, ["nested it", "outer"], "{end}");
    // Asked again, the outer one finds what its callback had asked for.
    stage.script(&body.replace("use it", "please use it"));
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), ["please use it", "please use it"], "{}", ran.stderr);
    assert!(
        ran.stderr.contains("(outer) is asked again: its prompt has changed"),
        "{}",
        ran.stderr
    );
    // Also a tool whose code has changed is another one.
    stage.script(&body.replace("use it", "please use it").replace(".result\n", ".result .. '!'\n"));
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), ["please use it", "please use it"], "{}", ran.stderr);
    assert!(
        ran.stderr.contains("(outer) is asked again: its `tools` has changed"),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_was_spent_before_counts_against_the_budget() {
    let body = |new: &str| {
        format!(
            r#"
            agent.config {{ prices = {{ worker = {{ input = 0, output = 10 }} }} }}
            local spent = {{ agent.budget:spent() }}
            {new}
            for n = 1, 2 do
              agent.query {{ prompt = "costs " .. n, label = "paid " .. n }}
              spent[#spent + 1] = agent.budget:spent()
            end
            die()
            return {{ spent, refused }}
            "#
        )
    };
    let stage = Stage::new();
    stage.cut_off(&body(""));
    assert_eq!(stage.asked(), ["costs 1", "costs 2"]);
    let ran = stage.resume(&["--output-format=json", "--max-budget-usd=10"]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    assert_eq!(last(&ran)["result"][0], json!([0.0, 1.0, 3.0]), "{}", ran.stderr);
    assert_eq!(last(&ran)["total_cost_usd"], json!(3.0));
    // A new call in front of them finds the money gone.
    stage.script(&body("local _, why = agent.try_query 'costs 3' refused = why.kind"));
    let ran = stage.resume(&["--output-format=json", "--max-budget-usd=3"]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    assert_eq!(last(&ran)["result"], json!([[0.0, 1.0, 3.0], "budget"]), "{}", ran.stderr);
    assert_eq!(last(&ran)["total_cost_usd"], json!(3.0));
}

#[test]
fn agents_of_another_repository_and_of_none_are_found() {
    let stage = Stage::new();
    let other = stage.home.beside("other");
    stage.git(&["clone", "--quiet", ".", other.to_str().unwrap()]);
    stage.git(&["-C", other.to_str().unwrap(), "config", "user.name", "Bob"]);
    stage.git(&["-C", other.to_str().unwrap(), "config", "user.email", "bob@example.com"]);
    stage.cut_off(
        r#"
        local there = agent.query { prompt = "write a.txt", repo = "../other", branch = "work/a" }
        local none = agent.query { prompt = "write b.txt", cwd = "../home", allowed_tools = { "Write" } }
        local looker = agent.query { prompt = "look", worktree = true, read_only = true }
        die()
        return { there.head_commit ~= nil, none.result, looker.branch ~= nil }
        "#,
    );
    assert_eq!(stage.asked().len(), 5);
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    assert_eq!(last(&ran)["result"], json!([true, "did write b.txt", true]), "{}", ran.stderr);
}

#[test]
fn a_run_that_there_is_not_is_refused() {
    let stage = Stage::new();
    stage.script("agent.query 'look'");
    let _ = stage.run(&[]);
    let script = stage.home.beside("main.lua");
    let ran = stage.home.run(&["run", "--resume=run-none", script.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("no run here has the id `run-none`"), "{}", ran.stderr);
}

#[test]
fn a_recording_is_not_gone_on_with_and_that_is_said() {
    let stage = Stage::new();
    let file = stage.home.beside("x.jsonl").display().to_string();
    stage.script("agent.query 'one' die() return agent.query('two').result");
    let ran = stage.run(&["--record", &file]);
    assert_eq!(ran.code, 137, "{ran:?}");
    let ran = stage.resume(&[]);
    let says = format!("`--record {file}` is not taken over");
    assert_eq!(ran.stderr.matches(&says).count(), 1, "{ran:?}");
    let ran = stage.resume(&["--record", &file]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stderr.contains("is not taken over"), "{ran:?}");
}
