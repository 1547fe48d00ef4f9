//! What a call depends on: the agents before it, as they are now; and what people have done with them since.

use serde_json::json;

use crate::NOTHING;
use crate::stage::{Stage, last};

#[test]
fn what_stands_on_a_merge_of_what_was_edited_is_asked_again() {
    let body = |prompt: &str, end: &str| {
        format!(
            r#"
            agent.query {{ prompt = "{prompt}", branch = "work/a", label = "first" }}
            git.merge("work/a")
            {end}
            agent.query {{ prompt = "write b.txt", branch = "work/b", label = "second" }}
            die()
            return git.show and true
            "#
        )
    };
    let stage = Stage::new();
    stage.cut_off(&body("write a.txt", ""));
    stage.asked();
    // It dies again between the two: what is there then is not what the second one has seen.
    stage.script(&body("write a.txt, better", "die()"));
    std::fs::write(stage.home.beside("alive"), "").unwrap();
    assert_eq!(stage.resume(&[]).code, 137);
    assert_eq!(stage.asked(), ["write a.txt, better"; 2]);
    stage.script(&body("write a.txt, better", ""));
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), ["write b.txt"; 2], "{}", ran.stderr);
    assert!(ran.stderr.contains("(second) is asked again: it started from"), "{}", ran.stderr);
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
}

#[test]
fn what_somebody_has_merged_of_the_run_changes_nothing_for_the_others() {
    let stage = Stage::new();
    stage.script(
        r#"
        local done = agent.all_settled {
          { prompt = "write a.txt", branch = "work/a" },
          { prompt = "write b.txt", branch = "work/b" },
          { prompt = "fail", branch = "work/c" },
        }
        return #done
        "#,
    );
    let _ = stage.run(&[]);
    assert_eq!(stage.asked().len(), 5);
    stage.git(&["merge", "--quiet", "work/a"]);
    stage.git(&["merge", "--quiet", "--no-edit", "work/b"]);
    let ran = stage.resume(&[]);
    assert_eq!(stage.asked(), ["fail"], "{}", ran.stderr);
    stage.home.write("README", "somebody else's\n");
    stage.git(&["commit", "--quiet", "--all", "--message=somebody else's"]);
    let ran = stage.resume(&[]);
    assert!(stage.asked().len() == 5, "{}", ran.stderr);
}

#[test]
fn who_goes_on_goes_on_from_the_one_that_took_the_place() {
    let stage = Stage::new();
    let body = |prompt: &str| {
        format!(
            r#"
            local a = agent.query {{ prompt = "write a.txt", branch = "work/a" }}
            agent.query {{ resume = a, prompt = "write b.txt {prompt}", label = "second" }}
            agent.query {{ resume = a, prompt = "write c.txt", label = "third" }}
            die()
            return a.id
            "#
        )
    };
    stage.cut_off(&body("old"));
    stage.asked();
    stage.script(&body("new"));
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let asked = ["write b.txt new", "write b.txt new", "write c.txt", "write c.txt"];
    assert_eq!(stage.asked(), asked, "{}", ran.stderr);
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), NOTHING, "{}", ran.stderr);
    let first = last(&ran)["result"].clone();
    // The third goes on from the second that there is, not from the one that was.
    let new =
        stage.agents().iter().rfind(|row| row["label"] == "third").unwrap()["base_commit"].clone();
    let heads: Vec<_> = stage
        .agents()
        .iter()
        .filter(|row| row["label"] == "second")
        .map(|row| row["head_commit"].clone())
        .collect();
    assert_eq!(heads.last(), Some(&new), "{heads:?}");
    assert_ne!(first, json!(null));
}

#[test]
fn a_failed_attempt_whose_work_was_taken_up_stays_told() {
    let stage = Stage::new();
    stage.script(
        r#"
        local ok = pcall(agent.query, { prompt = "write a.txt", branch = "work/a", max_turns = 1, label = "one" })
        local first = agent.list()[1].id
        local second = agent.query { resume = first, prompt = "write b.txt", label = "two" }
        pcall(agent.query, { prompt = "fail" })
        return { ok, second.result, git.show and true }
        "#,
    );
    let _ = stage.run(&[]);
    assert_eq!(stage.asked(), ["fail", "write a.txt", "write b.txt", "write b.txt"]);
    let ran = stage.resume(&["--output-format=json", "--max-turns=9"]);
    assert_eq!(stage.asked(), ["fail"], "{}", ran.stderr);
    assert_eq!(last(&ran)["result"][1], "did write b.txt", "{}", ran.stderr);
}

#[test]
fn what_follows_a_first_attempt_that_does_it_now_is_found() {
    let stage = Stage::new();
    let once = stage.home.beside("flaky");
    stage.script(&format!(
        r#"
        local flaky = agent.model {{
          name = "flaky",
          reply = function(request)
            local log <close> = io.open(os.getenv("ASKED"), "a")
            log:write(request.prompt, "\n")
            if os.remove("{}") then
              error("no")
            end
            return "done"
          end,
        }}
        for _ = 1, 3 do
          if pcall(agent.query, {{ prompt = "try", model = flaky }}) then
            break
          end
        end
        local after = agent.query {{ prompt = "write a.txt", worktree = true }}
        local last = agent.query {{ prompt = "look", worktree = true }}
        pcall(agent.query, {{ prompt = "fail" }})
        return {{ after.id, last.id }}
        "#,
        once.display()
    ));
    std::fs::write(&once, "").unwrap();
    let first = last(&stage.run(&["--output-format=json"]));
    assert_eq!(stage.asked(), ["fail", "look", "try", "try", "write a.txt", "write a.txt"]);
    let ran = stage.resume(&["--output-format=json"]);
    assert_eq!(stage.asked(), ["fail", "try"], "{}", ran.stderr);
    assert_eq!(last(&ran)["result"], first["result"], "{}", ran.stderr);
}
