//! Where an agent goes on: its worktree as it was left, one that is gone, a branch that somebody has
//! changed, a worktree of the script's, none at all.

use serde_json::{Value, json};

use crate::SCRIPT;
use crate::stage::{Stage, assert_same, uninterrupted, with_turns_more};

#[test]
fn a_folder_that_is_gone_is_made_again_from_the_last_snapshot() {
    let whole = uninterrupted(&Stage::new(SCRIPT));
    let stage = Stage::new(SCRIPT);
    stage.crash("tool.ran#4");
    std::fs::remove_dir_all(stage.worktree()).unwrap();
    let ran = stage.resume(None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_same(stage.came_to(&ran), with_turns_more(&whole, 1), "the folder is gone");
    assert!(stage.heard("made again"), "the model is told");
    stage.check("the folder is gone");
}

#[test]
fn a_branch_that_is_gone_is_made_again() {
    let whole = uninterrupted(&Stage::new(SCRIPT));
    for point in ["tool.ran#3", "answer.kept#4", "final.kept"] {
        let stage = Stage::new(SCRIPT);
        stage.crash(point);
        assert_eq!(stage.home.run(&["run", "next.lua"]).code, 0);
        let worktree = stage.worktree().display().to_string();
        stage.git(&["worktree", "remove", &worktree]);
        stage.git(&["branch", "-D", "work/one"]);
        let ran = stage.resume(None);
        assert_eq!(ran.code, 0, "{point}: {}", ran.stderr);
        let more = usize::from(point == "tool.ran#3");
        assert_same(stage.came_to(&ran), with_turns_more(&whole, more), point);
        stage.check(point);
    }
}

#[test]
fn what_somebody_has_changed_or_taken_is_not_folded() {
    let stage = Stage::new(SCRIPT);
    stage.crash("answer.kept#3");
    assert_eq!(stage.home.run(&["run", "next.lua"]).code, 0);
    let worktree = stage.worktree().display().to_string();
    std::fs::write(stage.worktree().join("mine.txt"), "mine").unwrap();
    stage.git(&["-C", &worktree, "add", "mine.txt"]);
    stage.git(&["-C", &worktree, "commit", "--quiet", "--amend", "--no-edit"]);
    let amended = stage.git(&["rev-parse", "work/one"]);
    let ran = stage.resume(None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = stage.came_to(&ran);
    assert_eq!(found["commits"], json!(["work/one", "work/one", "own"]));
    assert_eq!(stage.git(&["rev-parse", "work/one^"]), amended);
    stage.check("amended");

    let stage = Stage::new(SCRIPT);
    stage.crash("answer.kept#3");
    assert_eq!(stage.home.run(&["run", "next.lua"]).code, 0);
    stage.git(&["branch", "taken", "work/one"]);
    let ran = stage.resume(None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(stage.came_to(&ran)["commits"], json!(["work/one", "work/one", "own"]));
    stage.check("taken");
}

#[test]
fn files_that_are_not_to_be_committed_stay_as_they_are() {
    for point in ["tool.ran#1", "answer.kept#3", "again", "agent.harvested"] {
        let stage = Stage::new(SCRIPT).with("COMMIT", "no");
        stage.crash(if point == "again" { "answer.kept#3" } else { point });
        if point == "again" {
            assert_eq!(stage.resume(Some("enter.swapped")).code, 137);
        }
        let ran = stage.resume(None);
        assert_eq!(ran.code, 0, "{point}: {}", ran.stderr);
        let result: Value = serde_json::from_str(&ran.stdout).unwrap();
        let files = &result["result"]["files_changed"];
        assert_eq!(*files, json!(["README.md", "a.txt", "b.txt", "c/d.txt"]), "{point}");
        assert_eq!(stage.git(&["log", "--format=%s", "main..work/one"]), "own", "{point}");
        let worktree = stage.worktree();
        let status = ["-C", worktree.to_str().unwrap(), "status", "--porcelain"];
        assert_eq!(stage.git(&status), " D README.md\n?? a.txt\n?? c/", "{point}");
        assert_eq!(std::fs::read_to_string(worktree.join("a.txt")).unwrap(), "two\n", "{point}");
        let name = stage.git(&["for-each-ref", "--format=%(refname)", "refs/agentlua/**/turns"]);
        let kept = stage.git(&["ls-tree", "-r", "--name-only", &name]);
        assert_eq!(kept, ".gitignore\na.txt\nb.txt\nc/d.txt\nmain.lua\nnext.lua", "{point}");
    }
}

#[test]
fn an_agent_that_only_looks_goes_on_too() {
    let script = |options: &str| {
        format!(
            r#"
            local function note(text)
              local file <close> = assert(io.open(os.getenv("NOTES"), "a"))
              file:write("asked ", text, "\n")
            end
            local looker = agent.model {{ reply = function(request)
              note(request.turn .. " " .. #request.results)
              if request.turn < 3 then
                return {{ tools = {{ {{ name = "Read", input = {{ file_path = "README.md" }} }} }} }}
              end
              return request.results[1].content
            end }}
            return agent.query {{ prompt = "look", model = looker, {options} }}
            "#
        )
    };
    for options in ["read_only = true", "worktree = false", "branch = 'work/one'"] {
        for point in ["reply.kept#2", "answer.kept#2", "final.kept", "agent.harvested"] {
            let place = format!("{options}, {point}");
            let stage = Stage::new(&script(options));
            stage.crash(point);
            let ran = stage.resume(None);
            assert_eq!(ran.code, 0, "{place}: {}", ran.stderr);
            let result: Value = serde_json::from_str(&ran.stdout).unwrap();
            let outcome = &result["result"];
            assert_eq!(outcome["num_turns"], 3, "{place}");
            assert_eq!(stage.asked(), ["1 0", "2 1", "3 1"], "{place}");
            let told = outcome["result"].as_str().unwrap();
            let cut = point.starts_with("reply.kept");
            assert_eq!(told.starts_with("interrupted"), cut, "{place}: {told}");
            let listed = stage.git(&["worktree", "list", "--porcelain"]);
            assert_eq!(listed.matches("worktree ").count(), 1, "{place}: {listed}");
            assert_eq!(stage.git(&["branch", "--format=%(refname:short)"]), "main", "{place}");
        }
    }
}

#[test]
fn a_worktree_that_the_script_makes_again_gets_the_files_that_the_agent_had() {
    let script = r#"
      local function note(text)
        local file <close> = assert(io.open(os.getenv("NOTES"), "a"))
        file:write("asked ", text, "\n")
      end
      local model = agent.model { reply = function(request)
        local last = request.results[1]
        note(request.turn .. (last and last.is_error and " interrupted" or ""))
        local input = { file_path = request.turn .. ".txt", content = "x" }
        if request.turn < 4 then return { tools = { { name = "Write", input = input } } } end
        return "done"
      end }
      local wt <close> = git.worktree { branch = os.getenv("BRANCH") }
      local outcome = agent.query { prompt = "x", worktree = wt, model = model }
      return outcome
    "#;
    let stage = Stage::new(script).with("BRANCH", "work/first");
    stage.crash("tool.ran#3");
    assert_eq!(stage.home.run(&["run", "next.lua"]).code, 0);
    // As `git.worktree` does in a run that goes on.
    stage.git(&["worktree", "remove", "--force", stage.worktree().to_str().unwrap()]);
    stage.git(&["branch", "-D", "work/first"]);
    let stage = stage.with("BRANCH", "work/one");
    let ran = stage.resume(None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(stage.asked(), ["1", "2", "3", "4 interrupted"], "{}", ran.stderr);
    let files = stage.git(&["diff", "--name-only", "main", "work/one"]);
    assert_eq!(files, "1.txt\n2.txt", "the third was cut off with its turn");
    assert_eq!(stage.git(&["rev-list", "--count", "main..work/one"]), "1");
}

#[test]
fn a_worktree_that_the_script_makes_again_is_as_the_agents_had_left_it_that_are_not_asked_again() {
    let script = r#"
      local function note(text)
        local file <close> = assert(io.open(os.getenv("NOTES"), "a"))
        file:write("asked ", text, "\n")
      end
      local model = agent.model { reply = function(request)
        note(request.prompt .. request.turn)
        local input = { file_path = request.prompt .. ".txt", content = "x" }
        if request.turn == 1 then return { tools = { { name = "Write", input = input } } } end
        return "done"
      end }
      local wt <close> = git.worktree { branch = "work/one" }
      for _, name in ipairs { "a", "b", "c" } do
        agent.query { prompt = name, worktree = wt, model = model }
      end
      git.merge { branch = wt, into = "main" }
      return wt:sh("ls").stdout
    "#;
    let stage = Stage::new(script);
    stage.crash("tool.ran#3");
    let ran = stage.resume(None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(stage.asked(), ["a1", "a2", "b1", "b2", "c1", "c2"], "{}", ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    // The third was cut off with its turn.
    assert!(result["result"].as_str().unwrap().contains("a.txt\nb.txt\n"), "{result}");
    assert_eq!(stage.git(&["rev-list", "--count", "main"]), "3", "one for each that wrote");
}

#[test]
fn an_agent_that_goes_on_for_another_is_gone_on_with() {
    let script = r#"
      local function note(text)
        local file <close> = assert(io.open(os.getenv("NOTES"), "a"))
        file:write("asked ", text, "\n")
      end
      local model = agent.model { reply = function(request)
        note(request.turn .. " " .. #request.messages)
        local input = { file_path = os.getenv("NAME") .. request.turn, content = "x" }
        if request.turn < 3 then return { tools = { { name = "Write", input = input } } } end
        return "done"
      end }
      local past = os.getenv("PAST")
      return agent.query {
        prompt = "x", model = model, resume = past, branch = not past and "work/one" or nil,
      }
    "#;
    let stage = Stage::new(script).with("NAME", "first");
    assert_eq!(stage.run(&["run", "main.lua"], None).code, 0);
    let first = stage.agents()[0]["id"].as_str().unwrap().to_owned();
    let mut stage = stage.with("PAST", &first);
    for point in ["enter.swapped", "tool.ran#1", "answer.kept#2", "agent.harvested"] {
        let (base, asked) = (stage.git(&["rev-parse", "work/one"]), stage.asked().len());
        stage = stage.with("NAME", &point.replace(['.', '#'], "-"));
        stage.crash(point);
        let run = stage.agents().last().unwrap()["run"].as_str().unwrap().to_owned();
        let ran = stage.resume_run(&run, None);
        assert_eq!(ran.code, 0, "{point}: {}", ran.stderr);
        let result: Value = serde_json::from_str(&ran.stdout).unwrap();
        let outcome = &result["result"];
        assert_eq!(
            (&outcome["base_commit"], &outcome["branch"]),
            (&json!(base), &json!("work/one")),
            "{point}: {}",
            ran.stderr
        );
        assert_eq!(outcome["session_id"].as_str().unwrap().split('/').nth(1), Some(&*first));
        assert_eq!(
            stage.git(&["rev-list", "--count", &format!("{base}..work/one")]),
            "1",
            "{point}"
        );
        assert_eq!(stage.asked().len() - asked, 3, "{point}: {:?}", stage.asked());
        stage.check(point);
    }
}
