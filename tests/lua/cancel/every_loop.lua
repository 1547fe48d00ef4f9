-- `agent.timeout` stops every kind of loop, and no `pcall` swallows it.
local function forever()
  while true do
  end
end
local loops = {
  empty = forever,
  ["repeat"] = function()
    repeat
    until false
  end,
  ["goto"] = function()
    ::again::
    goto again
  end,
  numeric = function()
    for _ = 1, math.huge do
    end
  end,
  recursion = function()
    local function f()
      return f()
    end
    f()
  end,
  sleeping = function()
    while true do
      agent.sleep(0)
    end
  end,
  long_sleep = function()
    agent.sleep(3600)
  end,
  pcall_loop = function()
    while true do
      pcall(forever)
    end
  end,
  pcall_sleep = function()
    while true do
      pcall(agent.sleep, 5)
    end
  end,
  pcall_nested = function()
    while true do
      pcall(pcall, pcall, forever)
    end
  end,
  xpcall_loop = function()
    while true do
      xpcall(forever, function(e)
        assert(type(e) ~= "userdata", "a handler sees no stray value")
        return e
      end)
    end
  end,
  try_twin = function()
    while true do
      agent.try_all {
        function()
          agent.sleep(5)
        end,
      }
    end
  end,
  all_settled = function()
    while true do
      agent.all_settled { forever }
    end
  end,
  coroutine_wrap = function()
    coroutine.wrap(forever)()
  end,
  coroutine_resume = function()
    while true do
      coroutine.resume(coroutine.create(forever))
    end
  end,
  coroutine_sleep = function()
    while true do
      coroutine.resume(coroutine.create(function()
        agent.sleep(5)
      end))
    end
  end,
  error_in_close = function()
    while true do
      pcall(function()
        local guard <close> = setmetatable({}, {
          __close = function()
            error("not the cancellation")
          end,
        })
        forever()
      end)
    end
  end,
  metamethod = function()
    return setmetatable({}, { __index = forever }).x
  end,
  iterator = function()
    for _ in forever do
    end
  end,
  comparator = function()
    table.sort({ 1, 2 }, forever)
  end,
  gsub = function()
    string.gsub("x", "x", forever)
  end,
  spawned = function()
    agent.spawn(forever):await()
  end,
  children = function()
    agent.map({ 1, 2, 3 }, forever)
  end,
  awaiting = function()
    local t <close> = agent.spawn(agent.sleep, 3600)
    while true do
      pcall(t.await, t)
    end
  end,
  command = function()
    while true do
      pcall(sh, "sleep 3600")
    end
  end,
}
local ended = agent.all_settled(agent.map_settled and (function()
  local items = {}
  for name, loop in pairs(loops) do
    items[name] = function()
      return agent.timeout(0.05, loop)
    end
  end
  return items
end)())
for name in pairs(loops) do
  local item = ended[name]
  assert(not item.ok, name .. " was stopped")
  if name ~= "error_in_close" then
    assert(item.error.kind == "timeout", name .. ": " .. tostring(item.error))
    assert(item.error.message == "not done after 0.05 s", name .. ": " .. tostring(item.error))
  end
end
