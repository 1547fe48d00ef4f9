//! Options and arguments: what is wrong with them is marked where it stands.

use insta::assert_snapshot;

use crate::stage::script;

#[test]
fn a_name_that_there_is_not_is_marked() {
    assert_snapshot!(script(r#"agent.query { promt = "x" }"#), @r#"
        error: `agent.query` has no option `promt`
          at main.lua:1
          1 | agent.query { promt = "x" }
            |               ^^^^^

        hint: did you mean `prompt`?
        [exit 2]
    "#);
    assert_snapshot!(script(r#"local outcome = agent.query {
  prompt = "x",
  maxTurn = 3,
}"#), @r"
        error: `agent.query` has no option `maxTurn`
          at main.lua:3
          3 |   maxTurn = 3,
            |   ^^^^^^^

        hint: did you mean `max_turns`?
        [exit 2]
    ");
    assert_snapshot!(script(r#"agent.query { prompt = "x", permissionMode = "plan" }"#), @r#"
        error: `agent.query` has no option `permissionMode`
          at main.lua:1
          1 | agent.query { prompt = "x", permissionMode = "plan" }
            |                             ^^^^^^^^^^^^^^

        hint: use `read_only` and rules in `allowed_tools`
        [exit 2]
    "#);
}

#[test]
fn a_value_that_cannot_be_is_marked() {
    assert_snapshot!(script(r#"agent.query {
  prompt = "x",
  maxTurns = "three",
}"#), @r#"
        error: `agent.query`: option `max_turns` must be a whole number, not string
          at main.lua:3
          3 |   maxTurns = "three",
            |              ^^^^^^^
        [exit 2]
    "#);
    assert_snapshot!(script(r#"agent.query { prompt = " " }"#), @r#"
        error: `agent.query`: option `prompt` is empty
          at main.lua:1
          1 | agent.query { prompt = " " }
            |                        ^^^
        [exit 2]
    "#);
    assert_snapshot!(script(r#"git.merge {
  branch = "x",
  strategy = "octopus",
}"#), @r#"
        error: `git.merge`: option `strategy` must be `merge`, `squash`, `ff` or `rebase`, not `octopus`
          at main.lua:3
          3 |   strategy = "octopus",
            |              ^^^^^^^^^
        [exit 2]
    "#);
    assert_snapshot!(script(r"agent.config { concurrency = 0 }"), @r"
        error: `agent.config`: option `concurrency` must be a whole number above 0, not 0
          at main.lua:1
          1 | agent.config { concurrency = 0 }
            |                              ^
        [exit 2]
    ");
    assert_snapshot!(script(r#"agent.query { prompt = "x", model = require("models").done, schema = { score = "intger" } }"#), @r#"
        error: `agent.query`: option `schema.score`: `intger` is no type; there are string, number, integer, boolean, object, array, any, and `?` after one makes it optional
          at main.lua:1
          1 | agent.query { prompt = "x", model = require("models").done, schema = { score = "intger" } }
            |                                                                                ^^^^^^^^^^
        [exit 2]
    "#);
    assert_snapshot!(script(r#"agent.query { prompt = "x", model = "gpt-9" }"#), @r#"
        error: the model `gpt-9` needs a key: OPENAI_API_KEY is not set
          at main.lua:1
          1 | agent.query { prompt = "x", model = "gpt-9" }
            |                                     ^^^^^^^

        hint: export OPENAI_API_KEY=…, or use a model of your own: --model FILE.lua
        [exit 1]
    "#);
    assert_snapshot!(script(r#"agent.query { prompt = "x", allowed_tools = { "Raed" } }"#), @r#"
        error: `agent.query`: the rule `Raed` names no tool
          at main.lua:1
          1 | agent.query { prompt = "x", allowed_tools = { "Raed" } }
            |                                               ^^^^^^

        hint: did you mean `Read`?
        [exit 2]
    "#);
}

#[test]
fn an_argument_that_cannot_be_is_marked() {
    assert_snapshot!(script(r#"agent.sleep("x")"#), @r#"
        error: `agent.sleep`: argument 1 (`seconds`) must be a number, not string
          at main.lua:1
          1 | agent.sleep("x")
            |             ^^^
        [exit 2]
    "#);
    assert_snapshot!(script(r"agent.query(5)"), @r"
        error: `agent.query` takes a table of options or a prompt, not number
          at main.lua:1
          1 | agent.query(5)
            |             ^
        [exit 2]
    ");
    assert_snapshot!(script(r#"sh { "make", "test" }"#), @r#"
        error: `sh`: argument 1 (`cmd`) must be a string, not table
          at main.lua:1
          1 | sh { "make", "test" }
            |    ^
        [exit 2]
    "#);
    assert_snapshot!(script(r"local q = agent.query
q { prompt = 5 }"), @r"
        error: `agent.query`: option `prompt` must be a string, not number
          at main.lua:2
          2 | q { prompt = 5 }
            |              ^
        [exit 2]
    ");
}

#[test]
fn what_is_missing_is_named() {
    assert_snapshot!(script(r"agent.query { max_turns = 3 }"), @r"
        error: `agent.query` needs the option `prompt`
          at main.lua:1
          1 | agent.query { max_turns = 3 }
            |             ^
        [exit 2]
    ");
    assert_snapshot!(script(r#"agent.tool { name = "probe" }"#), @r#"
        error: `agent.tool` needs the option `description`
          at main.lua:1
          1 | agent.tool { name = "probe" }
            |            ^
        [exit 2]
    "#);
}

#[test]
fn results_are_strict() {
    assert_snapshot!(script(r#"local m = require "models"
local outcome = agent.query { prompt = "x", model = m.done }
print(outcome.worktreePth)"#), @r"
        error: an outcome has no field `worktreePth`
          at main.lua:3
          3 | print(outcome.worktreePth)
            |               ^^^^^^^^^^^

        hint: did you mean `worktree_path`?
        [exit 2]
    ");
}

#[test]
fn nothing_waits_where_nothing_can() {
    assert_snapshot!(script(r"table.sort({ 3, 1, 2 }, function(a, b)
  agent.sleep(0)
  return a < b
end)"), @r"
        error: `agent.sleep` has to wait, and nothing may wait inside a `table.sort` comparator
          at main.lua:2
          2 |   agent.sleep(0)
            |   ^^^^^^^^^^^
          from main chunk (main.lua:1)

        hint: call it before and use what it returned
        [exit 2]
    ");
}
