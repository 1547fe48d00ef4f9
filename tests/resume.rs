//! Runs that were cut off, or have failed, and go on: what had ended is not asked again, what has changed
//! is, and the script cannot tell the difference.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "resume/called_off.rs"]
mod called_off;
#[path = "resume/depends.rs"]
mod depends;
#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;
#[path = "resume/stage.rs"]
mod stage;

use serde_json::{Value, json};
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
    // It is listed no more, and merging it merges what it had done, whoever has its branch.
    let listed = stage.home.run(&["agents", "--json"]).stdout;
    let was = |row: &&Value| row["head_commit"] == json!(old);
    let id = stage.agents().iter().find(was).unwrap()["id"].as_str().unwrap().to_owned();
    assert!(!listed.contains(&format!("\"{id}\"")), "{listed}");
    stage.git(&["branch", "landing", "main"]);
    let merged = stage.home.run(&["merge", &id, "--into", "landing"]);
    assert_eq!(merged.code, 0, "{}", merged.stderr);
    assert_eq!(stage.git(&["show", "landing:b.txt"]), "write b.txt");
    assert_eq!(stage.home.run(&["rm", "--force", &id]).code, 0);
    assert_eq!(stage.git(&["show", "work/b:b.txt,"]), "write b.txt, better");
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
fn a_call_that_was_moved_and_changed_at_once_takes_its_branch_over() {
    let body = r#"
        local a = agent.query { prompt = "write a.txt", branch = "work/a" }
        local b = agent.query { prompt = "write b.txt", branch = "work/b" }
        local c = agent.try_query { prompt = "write c.txt", branch = "work/a" }
        die()
        return { a.branch, b.branch, c == nil }
    "#;
    let stage = Stage::new();
    stage.cut_off(body);
    stage.asked();
    let old = stage.git(&["rev-parse", "work/b"]);
    let edited = body.replace("write b.txt", "write b.txt, better");
    stage.script(&format!("agent.query 'hello there'\n{edited}"));
    let ran = stage.resume(&["--output-format=json"]);
    let again = ["hello there", "write b.txt, better", "write b.txt, better"];
    assert_eq!(stage.asked(), again, "{}", ran.stderr);
    // Whose branch this life has found keeps it.
    assert_eq!(last(&ran)["result"], json!(["work/a", "work/b", true]), "{}", ran.stderr);
    assert!(ran.stderr.contains("\n`hello there` is new\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("is asked anew"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("(write b.txt) is asked again: its prompt has changed")
            || ran.stderr.contains("(work/b) is asked again: its prompt has changed"),
        "{}",
        ran.stderr
    );
    assert_eq!(stage.git(&["show", "work/b:b.txt,"]), "write b.txt, better");
    let kept = stage.git(&["for-each-ref", "--format=%(objectname)", "refs/agentlua/removed"]);
    assert!(kept.lines().any(|commit| commit == old), "{kept}, not {old}\n{}", ran.stderr);
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
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
    // Who is called off may not have come to ask.
    let asked = stage.asked().len();
    assert!((6..=8).contains(&asked), "{asked}");
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
    let asked = stage.asked();
    assert!(asked.starts_with(&["fail".to_owned()]), "{asked:?}\n{}", ran.stderr);
    let may = ["fail", "sleep 20.5"];
    assert!(asked.iter().all(|one| may.contains(&one.as_str())), "{asked:?}\n{}", ran.stderr);
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

/// An agent `top` of a model of its own, which costs 5 and then 1, and whose tool asks for an agent that
/// costs 3.
const NESTING: &str = r#"
    agent.config { prices = { worker = { input = 0, output = 10 }, dear = { input = 0, output = 10 } } }
    local dear = agent.model {
      name = "dear",
      reply = function(request)
        if request.turn == 1 then
          return {
            tools = { { name = "help", input = { what = "x" } } },
            usage = { output_tokens = 500000 },
          }
        end
        return { text = "ok", usage = { output_tokens = 100000 } }
      end,
    }
    local within = function() end
    local help = agent.tool {
      name = "help",
      description = "helps",
      input = { what = "string" },
      run = function()
        agent.query "costs 3"
        within()
        return "helped"
      end,
    }
"#;

#[test]
fn what_callbacks_had_spent_in_a_turn_that_was_cut_off_is_counted_once() {
    let stage = Stage::new();
    stage.cut_off(&format!(
        "{NESTING}
        within = die
        local top = agent.query {{ prompt = 'top', model = dear, tools = {{ help }} }}
        return {{ agent.budget:spent(), top.total_cost_usd }}"
    ));
    assert_eq!(stage.asked(), ["costs 3"]);
    for _ in 0..2 {
        let ran = stage.resume(&["--output-format=json"]);
        assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
        let end = last(&ran);
        assert_eq!((&end["result"], &end["total_cost_usd"]), (&json!([9.0, 9.0]), &json!(9.0)));
        stage.forget_end();
    }
}

#[test]
fn a_call_that_has_moved_takes_along_what_its_callbacks_had_asked_for() {
    let stage = Stage::new();
    let body = |new: &str| {
        format!(
            "{NESTING}
            {new}
            agent.query {{ prompt = 'top', model = dear, tools = {{ help }} }}
            die()
            return agent.budget:spent()"
        )
    };
    stage.cut_off(&body(""));
    assert_eq!(stage.asked(), ["costs 3"]);
    stage.script(&body("agent.query 'costs 1'"));
    for asked in [&["costs 1"][..], &[], &[]] {
        let ran = stage.resume(&["--output-format=json"]);
        assert_eq!(stage.asked(), asked, "{}", ran.stderr);
        let end = last(&ran);
        assert_eq!((&end["result"], &end["total_cost_usd"]), (&json!(10.0), &json!(10.0)));
    }
}

#[test]
fn what_was_spent_in_another_repository_counts_before_anybody_comes_to_it() {
    let stage = Stage::new();
    let other = stage.home.beside("other");
    stage.git(&["clone", "--quiet", ".", other.to_str().unwrap()]);
    stage.cut_off(
        r#"
        agent.config { prices = { worker = { input = 0, output = 10 } } }
        agent.query "costs 1"
        if fs.exists(os.getenv("ALIVE")) then
          agent.query { prompt = "costs 8", repo = "../other", read_only = true }
        end
        die()
        local _, why = agent.try_query "costs 5"
        return why and why.kind
        "#,
    );
    assert_eq!(stage.asked(), ["costs 1", "costs 8"]);
    for _ in 0..2 {
        let ran = stage.resume(&["--output-format=json", "--max-budget-usd=9"]);
        assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
        assert_eq!(last(&ran)["result"], "budget", "{}", ran.stderr);
    }
}

#[test]
fn a_replacement_that_is_cut_off_anywhere_is_made_by_the_next_life() {
    let body = |text: &str| {
        format!(
            r#"
            agent.query {{ prompt = "write a.txt {text}", branch = "work/a", label = "first" }}
            die()
            "#
        )
    };
    let points = [
        "remove.intended",
        "remove.moved",
        "remove.unregistered",
        "remove.refs",
        "remove.deleted",
        "remove.settled",
        "replace.removed",
    ];
    for point in points {
        let stage = Stage::new();
        stage.cut_off(&body("one"));
        stage.asked();
        stage.script(&body("two"));
        let ran = stage.crash(point);
        let resumed = stage.resume(&[]);
        assert_eq!(resumed.code, 0, "{point}: {}\n{}", ran.stderr, resumed.stderr);
        if ran.code == 137 {
            assert_eq!(stage.asked().len(), 2, "{point}: {}", resumed.stderr);
        } else {
            // It has no worktree any more, only its branch.
            assert!(["remove.moved", "remove.unregistered"].contains(&point), "{}", ran.stderr);
        }
        assert_eq!(stage.git(&["show", "work/a:a.txt"]), "write a.txt two", "{point}");
    }
}

#[test]
fn a_call_that_is_back_after_another_edit_finds_its_branch_free() {
    let body = |name: &str| {
        format!(
            r#"
            agent.query {{ prompt = "write {name}.txt", branch = "work/{name}" }}
            die()
            "#
        )
    };
    let stage = Stage::new();
    stage.cut_off(&body("a"));
    let old = stage.git(&["rev-parse", "work/a"]);
    stage.script(&body("b"));
    let ran = stage.resume(&[]);
    assert!(ran.stderr.contains("`work/b` is new"), "{}", ran.stderr);
    assert_eq!(
        stage.git(&["rev-parse", "work/a"]),
        old,
        "it stays as long as nobody wants its name"
    );
    stage.asked();
    stage.script(&body("a"));
    let ran = stage.resume(&[]);
    assert_eq!((ran.code, stage.asked().len()), (0, 2), "{}", ran.stderr);
    assert_eq!(stage.git(&["show", "work/a:a.txt"]), "write a.txt");
    let kept = stage.git(&["for-each-ref", "--format=%(objectname)", "refs/agentlua/removed"]);
    assert!(kept.lines().any(|commit| commit == old), "{kept}, not {old}");
}

#[test]
fn what_cannot_be_replaced_is_not_asked_again() {
    let body = |text: &str| {
        format!(
            r#"
            local a, why = agent.try_query {{ prompt = "write a.txt {text}", branch = "work/a" }}
            die()
            return why and why.kind
            "#
        )
    };
    let stage = Stage::new();
    stage.cut_off(&body("one"));
    stage.asked();
    stage.script(&body("two"));
    // The old branch is in the way as long as somebody looks at it.
    stage.git(&["checkout", "--quiet", "--ignore-other-worktrees", "work/a"]);
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    assert_eq!(last(&ran)["result"], "git", "{}", ran.stderr);
    stage.git(&["checkout", "--quiet", "main"]);
    let ran = stage.resume(&[]);
    assert_eq!((stage.asked().len(), ran.code), (2, 0), "{}", ran.stderr);
    assert_eq!(stage.git(&["show", "work/a:a.txt"]), "write a.txt two");
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
