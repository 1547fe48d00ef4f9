-- An error in `on_event` is no end of the agent: it hears no more, and its agent goes on. A listener
-- may wait, ask agents itself, and go with its task.
local model = agent.model {
  reply = function(request)
    return request.turn < 3 and { tools = { { name = "Glob", input = { pattern = "*" } } } }
      or "done"
  end,
}
local calls = 0
local outcome = agent.query {
  prompt = "x",
  model = model,
  on_event = function()
    calls = calls + 1
    error("a mistake")
  end,
}
assert(outcome.ok and calls == 1, "one call, not " .. calls)

local inner
outcome = agent.query {
  prompt = "x",
  model = model,
  on_event = function(event)
    if event.subtype == "init" then
      inner = agent.query { prompt = "y", model = model }
    end
  end,
}
assert(outcome.ok and inner.ok, "a listener asks in its agent's place")

-- One that never returns ends with the task of its agent.
local task = agent.spawn {
  prompt = "x",
  model = model,
  on_event = function(event)
    if event.type == "assistant" then
      agent.sleep(1000)
    end
  end,
}
for event in task:events() do
  if event.type == "assistant" then
    task:cancel()
  end
end
local _, e = task:try_await()
assert(e.kind == "cancelled", tostring(e))
