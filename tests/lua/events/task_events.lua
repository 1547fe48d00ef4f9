-- `task:events()`: from the first event, any number of times, to the end of the task.
local gate = false
local model = agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { text = "one", tools = { { name = "Glob", input = { pattern = "*" } } } }
    end
    while not gate do
      agent.sleep(0.001)
    end
    return "two"
  end,
}
local function names(task)
  local found = {}
  for event in task:events() do
    found[#found + 1] = event.subtype or event.type
  end
  return table.concat(found, " ")
end
local whole = "agent_queued init assistant user assistant success"

local task = agent.spawn { prompt = "x", model = model }
for event in task:events() do
  if event.type == "user" then
    gate = true -- It was heard while the agent was at work.
  end
end
assert(gate, "events come while the agent works")
assert(task:status() == "completed", task:status())
assert(names(task) == whole, names(task))
assert(names(task) == whole, "a second reader begins anew")
assert(task:await().result == "two", "and the task can be awaited")

-- Readers of several tasks side by side.
gate = false
local tasks = {}
for i = 1, 3 do
  tasks[i] = agent.spawn { prompt = "x", model = model }
end
local lists = agent.spawn(function()
  return agent.map(tasks, names)
end)
gate = true
for _, list in ipairs(lists:await()) do
  assert(list == whole, list)
end

-- A function: the agents that it and what it starts ask; nothing, where it asks none.
local outer = agent.spawn(function()
  agent.all { a = { prompt = "a", model = model }, b = { prompt = "b", model = model } }
  agent.spawn({ prompt = "c", model = model }):await()
end)
local results = {}
for event in outer:events() do
  if event.type == "result" then
    results[#results + 1] = event.label
  end
end
table.sort(results)
assert(table.concat(results, " ") == "a b c", table.concat(results, " "))
assert(names(agent.spawn(function() end)) == "", "no agent, no events")

-- A failed task's events end too, and reading them is not awaiting it.
local failing = agent.spawn {
  prompt = "x",
  model = agent.model {
    reply = function()
      error("no")
    end,
  },
}
assert(names(failing) == "agent_queued init error_during_execution", names(failing))
local _, e = failing:try_await()
assert(e.outcome.subtype == "error_during_execution")

-- No task can wait for its own events; a reader that is cancelled stops waiting.
local own
own = agent.spawn(function()
  agent.sleep(0)
  local ok, why = pcall(own:events())
  assert(not ok and why.kind == "usage", tostring(why))
end)
own:await()
local waiting = agent.spawn(agent.sleep, 1000)
local reader = agent.spawn(function()
  for _ in waiting:events() do
    error("there are none")
  end
end)
agent.sleep(0.01)
reader:cancel()
local _, cancelled = reader:try_await()
assert(cancelled.kind == "cancelled", tostring(cancelled))
waiting:cancel()
local ok, wrong = pcall(waiting.events)
assert(not ok and wrong.kind == "usage", tostring(wrong))

-- An agent has failed, as it should.
os.exit(0)
