//! Agents that fail: the limit, the reason, what is left and how to go on.

use insta::assert_snapshot;

use crate::stage::script;

#[test]
fn limits_name_themselves() {
    assert_snapshot!(script(r#"local m = require "models"
agent.query { prompt = "x", model = m.busy, max_turns = 2 }"#), @r#"
        error: the agent was not done after 2 turns
          at main.lua:2
          2 | agent.query { prompt = "x", model = m.busy, max_turns = 2 }
            |                                             ^^^^^^^^^

        hint: raise `max_turns`, or give it a smaller task
        [exit 3]
    "#);
    assert_snapshot!(script(r#"local m = require "models"
agent.query {
  prompt = "x",
  model = m.busy,
  max_budget_usd = 0.01,
}"#), @r#"
        error: a limit on money needs the price of `lua`, which is not known
          at main.lua:2
          2 | agent.query {
            | ^^^^^^^^^^^

        hint: agent.config { prices = { ["lua"] = { input = 3, output = 15 } } }, in USD for a million tokens
        [exit 2]
    "#);
    assert_snapshot!(script(r"agent.timeout(0.05, function()
  agent.sleep(60)
end)"), @r"
        error: not done after 0.05 s
          at main.lua:2
          2 |   agent.sleep(60)
            |   ^^^^^^^^^^^

        hint: give `agent.timeout` more seconds, or the function less to do
        [exit 1]
    ");
    assert_snapshot!(script(r#"local model = agent.model {
  reply = function()
    agent.sleep(60)
    return "late"
  end,
}
agent.query { prompt = "x", model = model, timeout = 0.1 }"#), @r#"
        error: the agent was not done after 0.1 s
          at main.lua:7
          7 | agent.query { prompt = "x", model = model, timeout = 0.1 }
            |                                            ^^^^^^^

        hint: raise `timeout`, or give it a smaller task
        [exit 1]
    "#);
}

#[test]
fn refusals_and_cancellations_have_their_kinds() {
    assert_snapshot!(script(r#"local m = require "models"
agent.query { prompt = "x", model = m.refusing }"#), @r#"
        error: the model refused: no
          at main.lua:2
          2 | agent.query { prompt = "x", model = m.refusing }
            |                             ^^^^^

        hint: ask for it in other words, or choose another `model`
        [exit 1]
    "#);
    assert_snapshot!(script(r"local task = agent.spawn(function()
  agent.sleep(60)
end)
task:cancel()
task:await()"), @r"
        error: the task was cancelled by its handle
          at main.lua:2
          2 |   agent.sleep(60)
            |   ^^^^^^^^^^^
        [exit 1]
    ");
}

#[test]
fn what_callbacks_raise_is_at_their_own_line() {
    assert_snapshot!(script(r#"local m = require "models"
agent.query { prompt = "x", model = m.broken }"#), @r"
        error: model `lua`: attempt to index a nil value (field 'nothing')
          at models.lua:9
          9 | models.broken = agent.model { reply = function(request) return request.nothing.here end }
            |                                                                        ^^^^^^^
          from main chunk (main.lua:2)

        hint: look at how it went: agentlua logs agent-ID
        [exit 1]
    ");
    assert_snapshot!(script(r#"local m = require "models"
agent.query {
  prompt = "x",
  model = m.caller,
  tools = {
    agent.tool {
      name = "probe",
      description = "looks",
      input = {},
      run = function()
        return "seen"
      end,
    },
  },
  can_use_tool = function()
    error("nobody asked me")
  end,
  allowed_tools = {},
}"#), @r#"
        error: nobody asked me
          at main.lua:16
          16 |     error("nobody asked me")
             |     ^^^^^
          from main chunk (main.lua:2)

        hint: look at how it went: agentlua logs agent-ID
        [exit 1]
    "#);
    assert_snapshot!(script(r#"local m = require "models"
agent.query {
  prompt = "x",
  model = m.done,
  on_event = function(event)
    print(event.message.nothing.here)
  end,
}"#), @r"
        warning: `on_event` of `x` is called no more: main.lua:6: attempt to index a nil value (field 'message')
        [exit 0]
    ");
    assert_snapshot!(script(r#"local model = agent.model { reply = function() return 5 end }
agent.query { prompt = "x", model = model }"#), @r#"
        error: model `lua`: `reply` returned neither a text nor a table
          at main.lua:2
          2 | agent.query { prompt = "x", model = model }
            | ^^^^^^^^^^^

        hint: look at how it went: agentlua logs agent-ID
        [exit 1]
    "#);
}

#[test]
fn answers_that_do_not_fit_the_schema() {
    assert_snapshot!(script(r#"local m = require "models"
agent.query {
  prompt = "x",
  model = m.done,
  schema = { score = "integer" },
}"#), @r"
        error: no answer fitted the schema in 5 tries; the last: the final text has no JSON value
          at main.lua:2
          2 | agent.query {
            | ^^^^^^^^^^^

        hint: look at how it went: agentlua logs agent-ID
        [exit 1]
    ");
}

#[test]
fn without_a_key_nothing_is_asked() {
    assert_snapshot!(script(r#"agent.query "hello""#), @r#"
        error: no model is named and no key is set
          at main.lua:1
          1 | agent.query "hello"
            | ^^^^^^^^^^^

        hint: set ANTHROPIC_API_KEY or OPENAI_API_KEY, or pass --model with a name or a Lua file
        [exit 1]
    "#);
    assert_snapshot!(script(r#"agent.query { prompt = "x", model = "anthropic/claude-x" }"#), @r#"
        error: the model `anthropic/claude-x` needs a key: ANTHROPIC_API_KEY is not set
          at main.lua:1
          1 | agent.query { prompt = "x", model = "anthropic/claude-x" }
            |                                     ^^^^^^^^^^^^^^^^^^^^

        hint: export ANTHROPIC_API_KEY=…, or use a model of your own: --model FILE.lua
        [exit 1]
    "#);
}

#[test]
fn what_a_model_raises_is_marked_where_it_does() {
    assert_snapshot!(script(r#"local m = agent.model { name = "e", reply = function() error("boom") end }
agent.query { prompt = "x", model = m }"#), @r#"
        error: model `e`: boom
          at main.lua:1
          1 | local m = agent.model { name = "e", reply = function() error("boom") end }
            |                                                        ^^^^^
          from main chunk (main.lua:2)

        hint: look at how it went: agentlua logs agent-ID
        [exit 1]
    "#);
}
