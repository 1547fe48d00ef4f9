//! Agents that had been called off: whoever did it is who does it again, and nobody else.

use serde_json::json;

use crate::stage::{Stage, last};
use crate::{NOTHING, home::Ran};

#[test]
fn what_follows_from_calling_off_is_the_same_as_the_first_time() {
    let stage = Stage::new();
    stage.cut_off(
        r#"
        local function slow(seconds)
          return agent.query { prompt = "sleep " .. seconds, worktree = true }
        end
        local _, late = pcall(agent.timeout, 0.4, function()
          return slow(20)
        end)
        local _, failed = pcall(agent.all, {
          function()
            agent.sleep(0.4)
            return agent.query { prompt = "fail", label = "bad" }
          end,
          function()
            return slow(21)
          end,
        })
        local winner = agent.race {
          function()
            agent.sleep(0.4)
            return "lua"
          end,
          function()
            return slow(22)
          end,
        }
        die()
        return { late.kind, failed.kind, failed.outcome.label, winner }
        "#,
    );
    assert_eq!(stage.asked(), ["fail", "sleep 20", "sleep 21", "sleep 22"]);
    for _ in 0..2 {
        let ran = stage.resume(&["--output-format=json"]);
        assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
        let end = last(&ran);
        assert_eq!(end["result"], json!(["timeout", "model", "bad", "lua"]), "{}", ran.stderr);
        assert_eq!(end["agents"].as_array().unwrap().len(), 4, "{end}");
        stage.forget_end();
    }
}

#[test]
fn who_is_called_off_no_more_goes_on() {
    let stage = Stage::new();
    let body = |limit: &str| {
        format!(
            r#"
            local ok, outcome = pcall(agent.timeout, {limit}, function()
              return agent.query {{ prompt = "sleep 1", branch = "work/slow" }}
            end)
            die()
            return {{ ok, ok and outcome.id }}
            "#
        )
    };
    stage.cut_off(&body("0.3"));
    assert_eq!(stage.asked(), ["sleep 1"]);
    stage.script(&body("300"));
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), ["sleep 1"], "{}", ran.stderr);
    let id = &stage.agents()[0]["id"];
    assert_eq!(last(&ran)["result"], json!([true, id]), "{}", ran.stderr);
    assert!(ran.stderr.contains("was called off before, and is not now"), "{}", ran.stderr);
}

#[test]
fn what_was_called_off_with_the_run_goes_on_though_the_run_never_ended() {
    let stage = Stage::new();
    stage.script(
        r#"
        local results = agent.all {
          function()
            return agent.query({ prompt = "sleep 0.9 a", branch = "work/a" }).result
          end,
          function()
            return agent.query({ prompt = "sleep 0.9 b", branch = "work/b" }).result
          end,
          function()
            agent.sleep(0.3)
            die_in_order()
          end,
        }
        return { results[1], results[2] }
        "#,
    );
    // The signal that ends all in order; the process is killed when the first agent's end is written down.
    stage.put_before(
        r#"
        local function die_in_order()
          if os.remove(os.getenv("ALIVE")) then
            local stat <close> = io.open("/proc/self/stat")
            os.execute("kill -INT " .. stat:read("n"))
            agent.sleep(20)
          end
        end
        "#,
    );
    let ran = Ran::of(stage.first(&[]).env("AGENTLUA_CRASH_AT", "agent.recorded"));
    assert_eq!(ran.code, 137, "{}", ran.stderr);
    assert_eq!(stage.asked().len(), 2);
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), ["sleep 0.9 a", "sleep 0.9 b"], "{}", ran.stderr);
    assert_eq!(last(&ran)["result"], json!(["did sleep 0.9 a", "did sleep 0.9 b"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_race_that_nobody_won_has_no_losers() {
    let stage = Stage::new();
    stage.cut_off(
        r#"
        local ok = pcall(agent.race, {
          function()
            agent.query "look"
            error("not good enough")
          end,
          { prompt = "fail" },
        })
        die()
        return ok
        "#,
    );
    assert_eq!(stage.asked(), ["fail", "look"]);
    stage.end_run();
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), ["fail"], "it had failed, and is tried again: {}", ran.stderr);
}
