//! The README's claims that no other test runs: its opening script, and the commands it names.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;

use std::path::Path;

use home::{Home, Ran};

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

#[test]
fn the_opening_script_lands_every_branch() {
    let readme = readme();
    let script = readme.split("```lua\n").nth(1).and_then(|rest| rest.split("```").next());
    let home = Home::new();
    home.write("README.md", "# shop\n");
    home.repository();
    home.write("review.lua", script.expect("a script"));
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

#[test]
fn what_it_says_is_not_built_says_so() {
    let readme = readme();
    let list = readme.split("the commands `").nth(1).and_then(|rest| rest.split('`').next());
    let home = Home::new();
    for verb in list.expect("a list of commands").split_whitespace() {
        let ran: Ran = home.run(&[verb]);
        assert_eq!(
            (ran.code, ran.stderr.contains("not built yet")),
            (2, true),
            "{verb}: {}",
            ran.stderr
        );
    }
}

#[test]
fn the_files_it_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in [
        "scripts/demo.lua",
        "scripts/fan_out.lua",
        "lua/types",
        "benches/results.md",
        "src/agent/session.rs",
    ] {
        assert!(readme().contains(name) && root.join(name).exists(), "{name}");
    }
}
