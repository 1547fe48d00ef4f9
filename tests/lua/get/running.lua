-- repo
-- An agent of this very run while it works: waited for, told, stopped, followed.
local started, release = false, false
local slow = agent.model {
  name = "slow",
  reply = function(request)
    started = true
    local last = request.messages[#request.messages]
    if json.encode(last):find("be quick", 1, true) then
      return "quick it is"
    end
    while not release do
      agent.sleep(0.01)
    end
    return request.turn == 1 and { tools = { { name = "Glob", input = { pattern = "*" } } } }
      or "slow"
  end,
}
local function begin(prompt)
  started, release = false, false
  local task = agent.spawn { prompt = prompt, model = slow }
  while not started do
    agent.sleep(0.01)
  end
  return task, agent.get(task.id)
end

local task, found = begin("first")
assert(found:status() == "running", "it works")
assert(found:send("be quick") == true, "it is told more")
release = true
assert(found:await().result == "quick it is", "the outcome is waited for")
assert(task:await().id == found.id, "the task has the same")

local cancelled, handle = begin("second")
handle:cancel()
local _, e = handle:try_await()
assert(e.kind == "cancelled" and e.outcome.id == handle.id, tostring(e))
assert(handle:status() == "cancelled", "it was stopped")
assert(select(2, cancelled:try_await()).kind == "cancelled", "the task, too")

-- A wait can be called off without the agent.
local third, patient = begin("third")
local _, late = agent.try_timeout(0.05, function()
  return patient:await()
end)
assert(late.kind == "timeout", tostring(late))
assert(patient:status() == "running", "the agent does not mind")
local ends = agent.spawn(function()
  local last
  for event in patient:events() do
    last = event
  end
  return last.type
end)
release = true
assert(third:await().result == "slow", "and ends well")
assert(ends:await() == "result", "its events end with it")
