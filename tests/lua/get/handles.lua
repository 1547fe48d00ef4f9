-- repo
-- Handles by id have what handles on tasks have.
local write = agent.model {
  name = "writer",
  reply = function(request)
    if request.turn == 1 then
      return { tools = { { name = "Write", input = { file_path = "made", content = "x" } } } }
    end
    return "done"
  end,
}
local outcome = agent.query { prompt = "write", branch = "topic", model = write, label = "writer" }

local found = agent.get(outcome.id)
assert(found.id == outcome.id and found.branch == "topic", "it has the agent's id and branch")
assert(found:status() == "completed", "it has ended")
local again = found:await()
assert(json.encode(again) == json.encode(outcome), "the outcome is the same, to the last field")
assert(found:await().id == outcome.id, "any number of times")
assert(not pcall(function()
  return again.worktreePahts
end), "it is a result like any other")
assert(found:send("more") == false, "nobody is told anything any more")
found:cancel()
assert(found:status() == "completed", "an end stays as it was")
assert(tostring(found) == "<task " .. outcome.id .. " completed>", tostring(found))

-- However it is named.
for _, name in ipairs { outcome.id:sub(7), outcome.session_id, outcome.id:sub(1, -2) } do
  assert(agent.get(name).id == outcome.id, name .. " names it")
end
assert(agent.get(outcome).id == outcome.id and agent.get(found).id == outcome.id, "or what it made")

-- Wherever a task may stand.
assert(#git.diff(found).files == 1, "its branch is a revision")
local results = agent.all {
  a = found,
  b = function()
    return 1
  end,
}
assert(results.a.id == outcome.id and results.b == 1, "it is an item")
local more = agent.query { prompt = "go on", resume = found, model = write }
assert(more.branch == "topic", "it is gone on with")

-- Closing it is leaving it.
do
  local handle <close> = agent.get(more.id)
end
assert(agent.get(more.id):status() == "completed", "a closed handle changes nothing")

-- Events, from the first one to the end, for each reader anew.
local function kinds()
  local seen = {}
  for event in found:events() do
    seen[#seen + 1] = event.subtype and event.type .. "/" .. event.subtype or event.type
    assert(event.agent_id == outcome.id or event.session_id == outcome.session_id, "it is its own")
  end
  return table.concat(seen, " ")
end
local seen = kinds()
assert(seen:find("^system/agent_queued "), seen)
assert(seen:find("system/init", 1, true) and seen:find("assistant user assistant", 1, true), seen)
assert(seen:find("result/success$"), seen)
assert(kinds() == seen, "a second reader has the same")
