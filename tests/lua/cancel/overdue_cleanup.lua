-- A cleanup has a grace, not for ever: one that sleeps or loops on is cut off.
local started = os.time()
for _, overdue in ipairs {
  function()
    agent.sleep(3600)
  end,
  function()
    while true do
      pcall(agent.sleep, 0.01)
    end
  end,
} do
  local ok, e = pcall(agent.timeout, 0.01, function()
    local guard <close> = setmetatable({}, { __close = overdue })
    agent.sleep(3600)
  end)
  assert(not ok and e.kind == "timeout", tostring(e))
end
assert(os.time() - started < 120, "neither had its hour")
