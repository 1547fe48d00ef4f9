//! The same error in other forms: an object for programs, a value for scripts.

use serde_json::{Value, json};

use crate::home::Home;

/// Runs a script for a program and returns the error of the last object.
fn told(source: &str) -> Value {
    let home = Home::new();
    home.write("main.lua", source);
    let ran = home.run(&["run", "--output-format", "json", "--quiet", "main.lua"]);
    let last: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(ran.stderr.contains("error: "), "the block is for people: {}", ran.stderr);
    last["error"].clone()
}

#[test]
fn programs_read_frames_and_items() {
    let error = told(
        "local function deep(path)\n  git.merge { branch = path, strategy = 'octo' .. 'pus' }\nend\n\
         agent.map({ 'src/auth' }, function(path)\n  deep(path)\nend)",
    );
    assert_eq!(
        error,
        json!({
            "kind": "usage",
            "message": "`git.merge`: option `strategy` must be `merge`, `squash`, `ff` or `rebase`, not `octopus`",
            "hint": null,
            "at": "main.lua:2",
            "frames": [
                { "function": "function 'deep'", "at": "main.lua:2" },
                { "function": "function", "at": "main.lua:5" },
            ],
            "items": [
                { "combinator": "agent.map", "index": 1, "key": null, "label": "src/auth" },
            ],
            "causes": [],
        })
    );
}

#[test]
fn programs_read_the_outcome_and_what_lost_a_race() {
    let error = told(
        "local model = agent.model { reply = function(r)\n  return { tools = { { name = 'Glob', \
         input = { pattern = '*' .. r.turn } } } }\nend }\n\
         agent.query { prompt = 'x', model = model, max_turns = 1 }",
    );
    assert_eq!((&error["kind"], &error["at"]), (&json!("budget"), &json!("main.lua:4")));
    assert_eq!(error["outcome"]["subtype"], "error_max_turns");
    let error = told("agent.race { a = function()\n  error('one')\nend }");
    assert_eq!(error["errors"], json!([{ "item": "item `a`", "message": "main.lua:2: one" }]));
}

#[test]
fn a_value_of_the_scripts_own_has_no_kind() {
    let error = told("error('mine')");
    assert_eq!((&error["kind"], &error["message"]), (&Value::Null, &json!("mine")));
    let error = told("local x = = 1");
    assert_eq!((&error["kind"], &error["at"]), (&json!("usage"), &json!("main.lua:1")));
}

#[test]
fn scripts_read_fields_text_and_json() {
    let home = Home::new();
    let ran = home.script(
        r#"
local ok, e = pcall(git.merge, { branch = "x", strategie = "ff" })
print(ok, e.kind, e.message, e.hint, e.at)
print(tostring(e))
print(json.encode(e))
local _, e = fs.try_read "none.txt"
print(e, "|", "failed: " .. e)
"#,
    );
    insta::assert_snapshot!(ran.stdout + &ran.stderr, @r#"
    false	usage	`git.merge` has no option `strategie`	did you mean `strategy`?	main.lua:2
    main.lua:2: usage: `git.merge` has no option `strategie` (did you mean `strategy`?)
    {"at":"main.lua:2","hint":"did you mean `strategy`?","kind":"usage","message":"`git.merge` has no option `strategie`"}
    main.lua:6: io: cannot read `none.txt`: no such file or directory	|	failed: main.lua:6: io: cannot read `none.txt`: no such file or directory
    "#);
}

#[test]
fn modules_show_their_own_lines_and_what_is_no_lua_is_usage() {
    let home = Home::new();
    home.write("lib/bad.lua", "local M = {}\nfunction M.f(x) return x + end\nreturn M\n");
    home.write(
        "lib/deep.lua",
        "local M = {}\nfunction M.go(x)\n  return x.name.first\nend\nreturn M\n",
    );
    let told = crate::stage::run(&home, "require \"lib.bad\"");
    insta::assert_snapshot!(told, @r"
    error: unexpected symbol near 'end'
      at lib/bad.lua:2
      2 | function M.f(x) return x + end
        |                            ^^^
    [exit 2]
    ");
    let told = crate::stage::run(&home, "require(\"lib.deep\").go({})");
    insta::assert_snapshot!(told, @r"
    error: attempt to index a nil value (field 'name')
      at lib/deep.lua:3
      3 |   return x.name.first
        |            ^^^^
      from main chunk (main.lua:1)
    [exit 1]
    ");
}

#[test]
fn what_ran_is_shown_and_not_what_the_file_says_now() {
    let home = Home::new();
    let source = "local f = io.open(\"main.lua\", \"w\")\nf:write(\"other\\n\\n\\nlines\")\nf:close()\nlocal x = nil\nprint(x.y)";
    insta::assert_snapshot!(crate::stage::run(&home, source), @r"
    error: attempt to index a nil value (local 'x')
      at main.lua:5
      5 | print(x.y)
        |       ^
    [exit 1]
    ");
}
