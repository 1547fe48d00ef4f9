-- Timers and other tasks go on while one task computes.
local ticks = 0
local ticker <close> = agent.spawn(function()
  while true do
    agent.sleep(0.001)
    ticks = ticks + 1
  end
end)
agent.timeout(60, function()
  local n = 0
  while ticks < 20 do
    n = n + 1
  end
end)
assert(ticks >= 20, "the loop saw the other task tick")
