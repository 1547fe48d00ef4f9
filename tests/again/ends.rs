//! How agents end that were gone on with: at limits that count all their lives, after failures, with what
//! is asked of their last word.

use serde_json::{Value, json};

use crate::SCRIPT;
use crate::stage::{Stage, assert_same, uninterrupted};

fn outcome(stdout: &str) -> Value {
    let result: Value = serde_json::from_str(stdout).unwrap();
    result["result"].clone()
}

#[test]
fn the_turns_of_all_lives_count_and_more_of_them_let_an_agent_go_on() {
    let whole = uninterrupted(&Stage::new(SCRIPT));
    let stage = Stage::new(SCRIPT).with("TURNS", "3");
    stage.crash("answer.kept#2");
    let ran = stage.resume(None);
    let ended = outcome(&ran.stdout);
    assert_eq!(ended["subtype"], "error_max_turns", "{}", ran.stderr);
    assert_eq!((ended["num_turns"].clone(), stage.asked().len()), (json!(3), 3));
    let again = outcome(&stage.resume(None).stdout);
    assert_eq!(again["subtype"], "error_max_turns");
    assert_eq!(stage.asked().len(), 3, "nothing is asked");
    assert_eq!(again["files_changed"], ended["files_changed"]);
    let stage = stage.with("TURNS", "20");
    let ran = stage.resume(None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_same(stage.came_to(&ran), whole, "more turns");
    assert_eq!(stage.asked(), ["1", "2", "3", "4", "5"]);
    stage.check("more turns");
}

#[test]
fn an_agent_whose_model_failed_asks_it_again() {
    let script = r#"
      local failing = agent.model { reply = function(request)
        assert(os.getenv("WELL"), "out of order")
        if request.turn == 1 then
          return { tools = { { name = "Write", input = { file_path = "a", content = "a" } } } }
        end
        return "done"
      end }
      local ok, found = pcall(agent.query, { prompt = "x", branch = "work/one", model = failing })
      return ok and found or found.outcome
    "#;
    let stage = Stage::new(script);
    let ran = stage.run(&["run", "main.lua"], None);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(stage.git(&["branch", "--list", "work/one"]), "", "nothing was added to it");
    let stage = stage.with("WELL", "yes");
    let ran = stage.resume(None);
    let ended = outcome(&ran.stdout);
    // The question that had no answer is asked again, and counts once.
    assert_eq!((&ended["subtype"], &ended["num_turns"]), (&json!("success"), &json!(2)));
    assert_eq!(stage.git(&["show", "work/one:a"]), "a");
    assert_eq!(stage.git(&["log", "--format=%s", "main..work/one"]), "work/one");
    assert_eq!(stage.agents().len(), 1);
}

#[test]
fn a_last_word_that_was_kept_is_judged_again_and_not_asked_for() {
    let verify = "test -f c/d.txt";
    let whole = uninterrupted(&Stage::new(SCRIPT).with("VERIFY", verify));
    assert_eq!(whole["verify"]["baseline"], "failed");
    for point in ["answer.kept#1", "final.kept", "agent.conversed", "agent.harvested"] {
        let stage = Stage::new(SCRIPT).with("VERIFY", verify);
        stage.crash(point);
        let ran = stage.resume(None);
        assert_eq!(ran.code, 0, "{point}: {}", ran.stderr);
        assert_same(stage.came_to(&ran), whole.clone(), point);
        assert_eq!(stage.asked(), ["1", "2", "3", "4", "5"], "{point}");
        stage.check(point);
    }
}

#[test]
fn verifications_that_failed_count_in_the_next_life_and_not_after_an_end() {
    let script = r#"
      local function note(text)
        local file <close> = assert(io.open(os.getenv("NOTES"), "a"))
        file:write("asked ", text, "\n")
      end
      local model = agent.model { reply = function(request)
        note(request.turn)
        return "done"
      end }
      local ok, found = pcall(agent.query, {
        prompt = "x", model = model, verify_attempts = 2, verify = "test -e " .. os.getenv("GOOD"),
      })
      return ok and found or found.outcome
    "#;
    let stage = Stage::new(script);
    let good = stage.home.beside("good");
    let stage = stage.with("GOOD", good.to_str().unwrap());
    stage.crash("answer.kept#1");
    let ended = outcome(&stage.resume(None).stdout);
    assert_eq!((&ended["subtype"], &ended["num_turns"]), (&json!("error_verify"), &json!(2)));
    assert_eq!(ended["verify"]["attempts"], 2);
    let again = outcome(&stage.resume(None).stdout);
    assert_eq!(again["subtype"], "error_verify", "two new tries, and one is the last word's");
    assert_eq!(stage.asked(), ["1", "2", "3"]);
    std::fs::write(good, "").unwrap();
    let ended = outcome(&stage.resume(None).stdout);
    assert_eq!(ended["subtype"], "success");
    assert_eq!(stage.asked(), ["1", "2", "3"], "it is verified, and not asked again");
}

#[test]
fn an_answer_in_a_form_is_taken_as_it_was_given() {
    let script = r#"
      local function note(text)
        local file <close> = assert(io.open(os.getenv("NOTES"), "a"))
        file:write("asked ", text, "\n")
      end
      local model = agent.model { reply = function(request)
        note(request.turn)
        local score = request.turn == 1 and "high" or 7
        return { tools = { { name = "StructuredOutput", input = { score = score } } } }
      end }
      return agent.query { prompt = "x", model = model, schema = { score = "integer" } }
    "#;
    for point in ["answer.kept#1", "reply.kept#2", "tool.ran#2", "answer.kept#2", "agent.conversed"]
    {
        let stage = Stage::new(script);
        stage.crash(point);
        let ran = stage.resume(None);
        assert_eq!(ran.code, 0, "{point}: {}", ran.stderr);
        let ended = outcome(&ran.stdout);
        assert_eq!(ended["structured_output"], json!({ "score": 7 }), "{point}");
        assert_eq!(ended["num_turns"], 2, "{point}");
        assert_eq!(stage.asked(), ["1", "2"], "{point}");
    }
}

#[test]
fn what_the_script_has_said_is_heard_once() {
    let script = r#"
      local function note(text)
        local file <close> = assert(io.open(os.getenv("NOTES"), "a"))
        file:write("asked ", text, "\n")
      end
      local task
      local model = agent.model { reply = function(request)
        local heard = 0
        for _, message in ipairs(request.messages) do
          for _, block in ipairs(message.content) do
            heard = heard + (block.text == "hurry" and 1 or 0)
          end
        end
        note(request.turn .. " " .. heard)
        if request.turn == 1 then
          task:send("hurry")
          return { tools = { { name = "Read", input = { file_path = "README.md" } } } }
        end
        return "done"
      end }
      task = agent.spawn { prompt = "x", model = model }
      if os.getenv("LATER") then task:send("hurry") end
      return task:await()
    "#;
    let stage = Stage::new(script);
    stage.crash("final.kept");
    let ran = stage.with("LATER", "yes");
    let ran = ran.resume(None);
    assert_eq!(outcome(&ran.stdout)["num_turns"], 2, "{}{}", ran.stdout, ran.stderr);
}
