//! The README's claims that no other test runs: its opening script, and the commands it names.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;

use std::path::Path;

use home::Home;

const MODEL: &str = r#"
return agent.model {
  reply = function(request)
    local module = request.prompt:match "src/(%w+)%."
    if request.turn == 1 then
      return { tools = { { name = "Write", input = { file_path = "src/" .. module, content = module } } } }
    end
    return "done"
  end,
}
"#;

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    std::fs::read_to_string(path).expect("README.md")
}

/// Goes wrong after its first turn, if it is the first.
const DRAFTING: &str = r#"
return agent.model {
  reply = function(request)
    local text = request.prompt:find "another way" and "finished\n"
      or request.turn == 1 and "drafted\n" or "spoilt\n"
    local path = { file_path = "src/draft", content = text }
    if text == "finished\n" and request.turn == 1 then
      return { tools = { { name = "Read", input = { file_path = "src/draft" } } } }
    elseif request.turn <= 2 then
      local seen = (request.results or {})[1]
      assert(text ~= "finished\n" or seen.content:find "drafted", "it starts from the first turn")
      return { tools = { { name = "Write", input = path } } }
    end
    return "done"
  end,
}
"#;

/// Shows its variables and leaves behind what is no part of a branch.
const LITTERING: &str = r#"
local command = "env; git tag mine; git branch other; echo x > x; git add x; git stash --quiet; echo y > y"
return agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { tools = { { name = "Bash", input = { command = command } } } }
    end
    return request.results[1].content
  end,
}
"#;

/// Returns the script that is the README's `number`th, from 1.
fn script(number: usize) -> String {
    let readme = readme();
    let script = readme.split("```lua\n").nth(number).and_then(|rest| rest.split("```").next());
    script.expect("a script").to_owned()
}

/// Returns what is in backticks in the first column of the table whose head is `head`.
fn named(head: &str) -> Vec<String> {
    let readme = readme();
    let table = readme.split(head).nth(1).expect("a table").split("\n\n").next().expect("rows");
    let firsts = table.lines().filter_map(|row| row.split('|').nth(1));
    firsts.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn a_turn_is_a_base() {
    let home = Home::new();
    home.write("README.md", "# shop\n");
    home.repository();
    home.write("draft.lua", &script(2));
    home.write("model.lua", DRAFTING);
    let ran = home.run(&["run", "--model", "model.lua", "draft.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = std::fs::read_to_string(home.path("src/draft")).expect("what was merged");
    assert_eq!(text, "finished\n");
}

/// Makes a repository whose `./check` is this.
fn checked(home: &Home, check: &str) {
    home.write("README.md", "# shop\n");
    home.write("check", &format!("#!/bin/sh\n{check}\n"));
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(home.path("check"), mode).expect("a script");
    home.repository();
}

/// Mends what it is told of and says what that was.
const MENDING: &str = r#"
return agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { tools = { { name = "Write", input = { file_path = "nightly", content = "green" } } } }
    end
    local found = { cause = "a typo", risky = false, files = { "nightly" } }
    return { tools = { { name = "StructuredOutput", input = found } } }
  end,
}
"#;

#[test]
fn one_agent_is_held_to_its_schema_and_its_check() {
    let home = Home::new();
    checked(&home, "grep -q green nightly");
    home.write("mend.lua", &script(3));
    home.write("model.lua", MENDING);
    let ran = home.run(&["run", "--model", "model.lua", "mend.lua"]);
    assert_eq!((ran.code, &*ran.stdout), (0, "a typo\tfailed\n"), "{}", ran.stderr);
}

const RENAMING: &str = r#"
return agent.model {
  reply = function(request)
    local path = request.prompt:match "in ([%w/]+)%."
    if request.turn == 1 then
      return { tools = { { name = "Write", input = { file_path = path, content = "Purchase" } } } }
    end
    return "renamed"
  end,
}
"#;

#[test]
fn branches_are_integrated_and_land_together() {
    let home = Home::new();
    checked(&home, "[ \"$(cat src/api docs)\" = PurchasePurchase ]");
    home.write("rename.lua", &script(4));
    home.write("model.lua", RENAMING);
    let ran = home.run(&["run", "--model", "model.lua", "rename.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut lines: Vec<_> = ran.stdout.lines().collect();
    lines.sort_unstable();
    assert!(
        matches!(&lines[..], [api, docs] if api.starts_with("api\t") && docs.starts_with("docs\t")),
        "{lines:?}"
    );
    for path in ["src/api", "docs"] {
        assert_eq!(std::fs::read_to_string(home.path(path)).expect("landed"), "Purchase");
    }
}

#[test]
fn variables_and_refs_are_as_the_tables_say() {
    let home = Home::new();
    home.write("README.md", "# shop\n");
    home.repository();
    home.write("model.lua", LITTERING);
    home.write(
        "litter.lua",
        "print(agent.query { prompt = 'x', worktree = true }.result)\n\
         print(sh.check('git for-each-ref --format=\"%(refname)\" refs/agentlua').stdout)\n",
    );
    let ran = home.run(&["run", "--model", "model.lua", "litter.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let variables = named("| variable | |\n");
    assert!(variables.len() == 8, "{variables:?}");
    for name in variables {
        let given = ran.stdout.lines().any(|line| line.starts_with(&format!("{name}=")));
        assert!(given, "{name}: {}", ran.stdout);
    }
    for end in ["turns", "heads/other", "tags/mine", "stash/0"] {
        let kept = |line: &str| line.starts_with("refs/agentlua/run-") && line.ends_with(end);
        assert!(ran.stdout.lines().any(kept), "{end}: {}", ran.stdout);
    }
}

#[test]
fn the_opening_script_lands_every_branch() {
    let home = Home::new();
    checked(&home, "[ -z \"$1\" ] || grep -q . \"src/$1\"");
    home.write("review.lua", &script(1));
    home.write("model.lua", MODEL);
    let ran = home.run(&["run", "--model", "model.lua", "review.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for module in ["auth", "billing", "search"] {
        let landed = ran.stdout.lines().any(|line| {
            line == format!("{module}\tmerged") || line == format!("{module}\tfast_forward")
        });
        assert!(landed, "{}", ran.stdout);
        assert_eq!(
            std::fs::read_to_string(home.path(&format!("src/{module}"))).ok().as_deref(),
            Some(module)
        );
    }
}

/// Mends a word in the file that its prompt names.
const TIDY: &str = r#"
agent.query { prompt = "Mend the spelling in " .. arg[1], branch = "tidy" }
git.merge { branch = "tidy", into = "main" }
"#;

const TIDYING: &str = r#"
return agent.model {
  reply = function(request)
    local file = request.prompt:match "in (%S+)"
    local mend = { file_path = file, old_string = "teh", new_string = "the" }
    return request.turn == 1 and { tools = { { name = "Read", input = { file_path = file } } } }
      or request.turn == 2 and { tools = { { name = "Edit", input = mend } } }
      or "done"
  end,
}
"#;

#[test]
fn the_test_that_it_shows_passes() {
    let home = Home::new();
    for (name, text) in
        [("tidy.lua", TIDY), ("tidy_model.lua", TIDYING), ("tidy_test.lua", &script(5))]
    {
        home.write(name, text);
    }
    let ran = home.run(&["test"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("the branch lands"), "{}", ran.stdout);
}

#[test]
fn every_command_that_it_shows_is_there_with_its_flags() {
    let (home, readme) = (Home::new(), readme());
    let commands: Vec<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("    agentlua ")).collect();
    assert!(commands.len() > 15, "{commands:?}");
    for line in commands {
        let typed =
            line.split(" #").next().unwrap_or_default().split("   ").next().unwrap_or_default();
        let verbs = typed.split_whitespace().next().unwrap_or_default();
        for verb in verbs.trim_end_matches(',').split('|') {
            let help = home.run(&[verb, "--help"]);
            assert_eq!(help.code, 0, "{verb}: {}", help.stderr);
            let words = typed.split(|c: char| c.is_whitespace() || "[]".contains(c));
            for flag in words.filter(|word| word.starts_with('-')) {
                assert!(help.stdout.contains(flag), "{line}: {verb} has no {flag}");
            }
        }
    }
}

#[test]
fn the_files_it_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["scripts/demo.lua", "lua/types", "benches/results.md", "src/agent/session.rs"] {
        assert!(readme().contains(name) && root.join(name).exists(), "{name}");
    }
    let readme = readme();
    let links: Vec<&str> =
        readme.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()).collect();
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        assert!(root.join(link).exists(), "{link}");
    }
}
