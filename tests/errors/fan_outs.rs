//! Fan-outs: which item it was, by its place and its name.

use insta::assert_snapshot;

use crate::stage::script;

#[test]
fn the_item_is_named() {
    assert_snapshot!(script(r#"agent.all {
  auth = function()
    error("the sky fell")
  end,
  billing = function()
    agent.sleep(60)
  end,
}"#), @r#"
        error: the sky fell
          at main.lua:3
          3 |     error("the sky fell")
            |     ^^^^^
          in item `auth` of `agent.all`
        [exit 1]
    "#);
    assert_snapshot!(script(r#"agent.map({ "src/auth", "src/billing" }, function(path)
  return path.size.bytes
end, { limit = 1 })"#), @r"
        error: attempt to index a nil value (field 'size')
          at main.lua:2
          2 |   return path.size.bytes
            |               ^^^^
          in item 1 (src/auth) of `agent.map`
        [exit 1]
    ");
    assert_snapshot!(script(r#"local m = require "models"
agent.all {
  { prompt = "Fix it", label = "auth", model = m.busy, max_turns = 1 },
}"#), @r#"
        error: the agent was not done after 1 turn
          at main.lua:2
          2 | agent.all {
          3 |   { prompt = "Fix it", label = "auth", model = m.busy, max_turns = 1 },
            |                                                        ^^^^^^^^^
          in item 1 (auth) of `agent.all`

        hint: raise `max_turns`, or give it a smaller task
        [exit 3]
    "#);
    assert_snapshot!(script(r#"agent.pipeline({ "a" }, {
  function(value)
    return value
  end,
  function(value)
    return value + {}
  end,
})"#), @r"
        error: attempt to add a 'string' with a 'table'
          at main.lua:6
          6 |     return value + {}
            |                  ^
          in item 1 (a) of `agent.pipeline`
        [exit 1]
    ");
}

#[test]
fn mistakes_in_items_are_marked_in_the_item() {
    assert_snapshot!(script(r#"local m = require "models"
agent.all {
  { prompt = "one", model = m.done },
  { promt = "two", model = m.done },
}"#), @r#"
        error: `agent.all`: item 2: `agent.query` has no option `promt`
          at main.lua:4
          4 |   { promt = "two", model = m.done },
            |     ^^^^^

        hint: did you mean `prompt`?
        [exit 2]
    "#);
    assert_snapshot!(script(r#"local m = require "models"
agent.all_settled {
  auth = { prompt = "one", model = m.done },
  billing = { prompt = 2, model = m.done },
}"#), @r"
        error: `agent.all_settled`: item `billing`: `agent.query`: option `prompt` must be a string, not number
          at main.lua:4
          4 |   billing = { prompt = 2, model = m.done },
            |                        ^
        [exit 2]
    ");
    assert_snapshot!(script(r#"local m = require "models"
agent.all {
  agent.query { prompt = "x", model = m.done },
}"#), @r#"
        error: `agent.all`: item 1 is an outcome, not a query
          at main.lua:3
          3 |   agent.query { prompt = "x", model = m.done },
            |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        hint: `agent.query` has already run it: pass the query's table alone
        [exit 2]
    "#);
    assert_snapshot!(script(r"agent.race { function() end, nil, function() end }"), @r"
        error: `agent.race`: item 2 is nil; the list has a hole
          at main.lua:1
          1 | agent.race { function() end, nil, function() end }
            |                              ^^^
        [exit 2]
    ");
    assert_snapshot!(script(r#"agent.all({ "x" }, { limits = 3 })"#), @r#"
        error: `agent.all` has no option `limits`
          at main.lua:1
          1 | agent.all({ "x" }, { limits = 3 })
            |                      ^^^^^^

        hint: it takes `limit`
        [exit 2]
    "#);
}

#[test]
fn a_race_that_all_lose_lists_them() {
    assert_snapshot!(script(r#"agent.race {
  fast = function()
    error("out of fuel")
  end,
  slow = function()
    git.diff("nowhere")
  end,
}"#), @r"
        error: 2 of 2 items failed, the last with: main.lua:6: git: `$ROOT/work` is not inside a git repository (git init && git add . && git commit -m start)
          at main.lua:1
          1 | agent.race {
            | ^^^^^^^^^^
          item `fast`: main.lua:3: out of fuel
          item `slow`: main.lua:6: `$ROOT/work` is not inside a git repository
        [exit 1]
    ");
}

#[test]
fn nested_fan_outs_name_both() {
    assert_snapshot!(script(r#"agent.map({ "outer" }, function()
  agent.map({ "inner" }, function()
    error("deep down")
  end)
end)"#), @r#"
        error: deep down
          at main.lua:3
          3 |     error("deep down")
            |     ^^^^^
          in item 1 (inner) of `agent.map`
          in item 1 (outer) of `agent.map`
        [exit 1]
    "#);
}

#[test]
fn a_task_that_nobody_awaits_ends_the_script() {
    assert_snapshot!(script(r#"agent.spawn(function()
  error("in the background")
end)"#), @r#"
        error: in the background
          at main.lua:2
          2 |   error("in the background")
            |   ^^^^^
        [exit 1]
    "#);
}
