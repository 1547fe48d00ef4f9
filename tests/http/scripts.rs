//! The scripts that people copy, as they are: over HTTP, and with a model written in Lua.

use std::path::Path;

use crate::home::Ran;
use crate::stage::{Stage, Wire};

/// Writes a file for each fix, and merges as the integration's prompt asks for.
const FIXER: &str = r#"
return agent.model {
  name = "fixer",
  reply = function(request)
    if request.turn == 2 then
      assert(not request.results[1].is_error, request.results[1].content)
      return "Done:\n" .. request.results[1].content
    end
    local fix = request.prompt:match "^fix (%w+)"
    if fix then
      local input = { file_path = fix .. ".txt", content = fix .. "\n" }
      return { tools = { { name = "Write", input = input } } }
    end
    local merges = { "set -e" }
    for branch in request.prompt:gmatch "%- (agentlua/[%w-]+)" do
      merges[#merges + 1] = "git merge --no-edit " .. branch
    end
    return { tools = { { name = "Bash", input = { command = table.concat(merges, "\n") } } } }
  end,
}
"#;

fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name).display().to_string()
}

#[test]
fn fan_out_runs_over_http_as_often_as_one_likes() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let before = stage.repo.fingerprint(&["agentlua/", "refs/agentlua/"]);
        for round in 1..=2 {
            let prompts = ["one", "two", "three"].map(|name| {
                format!("[[scenario write file={name}.txt content=\"round {round}\"]]")
            });
            let ran = Ran::of(stage.command(&["run", &script("fan_out.lua")]).args(prompts));
            assert_eq!(ran.code, 0, "{ran:?}");
            for name in ["one", "two", "three"] {
                assert!(ran.stdout.contains(&format!("{name}.txt")), "{ran:?}");
            }
            // The integration's prompt is the script's own, with nothing for the stand-in to do.
            assert!(ran.stdout.contains("land it:"), "{ran:?}");
            // Only the fixes leave a branch: where nothing changed it goes.
            assert_eq!(stage.branches().len(), 1 + 3 * round);
            stage.repo.assert_untouched(&before, &["agentlua/", "refs/agentlua/"]);
            stage.assert_sound();
        }
    }
}

#[test]
fn fan_out_brings_its_branches_together() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let before = stage.repo.fingerprint(&["agentlua/", "refs/agentlua/"]);
    std::fs::write(stage.beside("fixer.lua"), FIXER).unwrap();
    for round in 1..=2 {
        let mut command =
            stage.command(&["run", "--model", "../fixer.lua", &script("fan_out.lua")]);
        let ran = Ran::of(command.args(["fix one", "fix two", "fix three"]));
        assert_eq!(ran.code, 0, "{ran:?}");
        let line = ran.stdout.lines().find_map(|line| line.strip_prefix("land it:    git merge "));
        let branch = line.unwrap_or_else(|| panic!("{ran:?}"));
        let files = stage.repo.git(&["diff", "--name-only", "main", branch]);
        assert_eq!(files, "one.txt\nthree.txt\ntwo.txt");
        assert_eq!(stage.repo.git(&["log", "--format=%an", "-1", branch]), "Ada");
        assert_eq!(stage.branches().len(), 1 + 4 * round);
        stage.repo.assert_untouched(&before, &["agentlua/", "refs/agentlua/"]);
        stage.assert_sound();
    }
    assert_eq!(stage.report()["requests"], 0, "`--model` is for every agent");
}

#[test]
fn the_demo_runs_as_often_as_one_likes() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let before = stage.repo.fingerprint(&[]);
    for _ in 0..2 {
        let ran = Ran::of(&mut stage.command(&["run", &script("demo.lua")]));
        assert_eq!(ran.code, 0, "{ran:?}");
        for said in
            ["shipping\tfast_forward", "discount\tmerged", "conflicted", "ok   test/shipping"]
        {
            assert!(ran.stdout.contains(said), "`{said}` is not in: {ran:?}");
        }
        stage.repo.assert_untouched(&before, &[]);
        stage.assert_nothing_left();
    }
    assert_eq!(stage.report()["requests"], 0);
}
