-- A function that would wait for itself says so, at whatever distance.
local function message(f)
  local _, e = pcall(f)
  return tostring(e)
end
assert(message(function()
  agent.once("a", function()
    agent.once("a", print)
  end)
end):find("`agent.once`: `a` would wait for itself", 1, true))

-- Each waits for the other.
local problems = agent.all_settled {
  function()
    agent.once("left", function()
      agent.sleep(0.02)
      agent.once("right", print)
    end)
  end,
  function()
    agent.once("right", function()
      agent.sleep(0.02)
      agent.once("left", print)
    end)
  end,
}
local waits = 0
for _, settled in ipairs(problems) do
  if not settled.ok and tostring(settled.error):find("would wait for itself", 1, true) then
    waits = waits + 1
  end
end
assert(waits >= 1, "one of them has to be told")

-- Who waits can be called off; the one that runs goes on.
local slow = agent.spawn(function()
  return agent.once("slow", function()
    agent.sleep(0.2)
    return "done"
  end)
end)
agent.sleep(0.01)
local value, e = agent.try_timeout(0.02, function()
  return agent.once("slow", print)
end)
assert(value == nil and e.kind == "timeout", tostring(e))
assert(slow:await() == "done")

-- Who runs it can be called off too, and the next one runs it.
local _, late = agent.try_timeout(0.02, function()
  return agent.once("late", function()
    agent.sleep(60)
  end)
end)
assert(late.kind == "timeout", tostring(late))
assert(agent.once("late", function()
  return 2
end) == 2)
