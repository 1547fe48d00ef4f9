-- repo
-- `on_event` hears what its agent does: in order, one at a time, all of it before the query returns.
local tool = agent.tool {
  name = "slow",
  description = "takes its time",
  run = function()
    agent.sleep(0.01)
    return ("x"):rep(40000)
  end,
}
local model = agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { text = "Looking.", tools = { { name = "slow" }, { name = "Bash" } } }
    end
    return "found"
  end,
}
local seen, inside, before_tool = {}, 0, nil
local outcome = agent.query {
  prompt = "look",
  label = "looker",
  branch = "look",
  model = model,
  tools = { tool },
  allowed_tools = { "slow" },
  on_event = function(event)
    inside = inside + 1
    assert(inside == 1, "it is not called while it runs")
    agent.sleep(0.005)
    inside = inside - 1
    seen[#seen + 1] = event
  end,
}
local names = {}
for i, event in ipairs(seen) do
  names[i] = event.type .. (event.subtype and "/" .. event.subtype or "")
  assert(event.agent_id == outcome.id, names[i] .. " names the agent")
  assert(event.session_id == outcome.session_id, names[i] .. " names the conversation")
  assert(event.uuid and (i == 1 or event.uuid ~= seen[i - 1].uuid), names[i] .. " has an id")
end
local expected = "system/agent_queued system/init assistant system/permission_denied user assistant "
  .. "result/success"
assert(table.concat(names, " ") == expected, table.concat(names, " "))
local init, said, denied, answered, result =
  seen[2], seen[3].message, seen[4], seen[5].message, seen[7]
assert(
  init.label == "looker" and init.model == "lua" and init.tools[1] == "slow",
  "init tells of it"
)
assert(init.branch == "look" and init.base_commit == outcome.base_commit, "init has the branch")
assert(init.cwd == init.worktree_path, "and where it works")
assert(said.role == "assistant" and said.stop_reason == "tool_use", "a message of the API")
assert(said.content[1].text == "Looking." and said.content[2].name == "slow", "with its blocks")
assert(denied.tool_name == "Bash" and denied.tool_use_id == said.content[3].id, "what was denied")
assert(answered.content[1].tool_use_id == said.content[2].id, "results go by the call")
local text = answered.content[1].content
assert(#text < 30100 and text:find("left out of this event", 1, true), "long results are cut")
assert(answered.content[2].is_error == true, "a failed call says so")
assert(result.result == "found" and result.is_error == false, "the last one is the outcome")
assert(result.num_turns == outcome.num_turns and #result.errors == 0)

-- A failed agent tells why, and what was said before a call is heard before it runs.
seen = {}
local quick = agent.tool {
  name = "quick",
  description = "x",
  run = function()
    before_tool = #seen
    return "x"
  end,
}
local failed, e = agent.try_query {
  prompt = "look",
  max_turns = 1,
  tools = { quick },
  model = agent.model {
    reply = function()
      return { tools = { { name = "quick" } } }
    end,
  },
  onEvent = function(event)
    agent.sleep(0.02)
    seen[#seen + 1] = event
  end,
}
assert(failed == nil and e.outcome.subtype == "error_max_turns")
assert(before_tool == 3, "three were heard before the call ran, not " .. tostring(before_tool))
result = seen[#seen]
assert(result.type == "result" and result.is_error and result.subtype == "error_max_turns")
assert(result.errors[1]:find("1 turn", 1, true), result.errors[1])

-- An agent has failed, as it should.
os.exit(0)
