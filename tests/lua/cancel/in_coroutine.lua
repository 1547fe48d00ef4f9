-- A coroutine that waits is unwound too when its task is cancelled, and its cleanup may wait.
local log = {}
local function guard(name)
  return setmetatable({}, {
    __close = function()
      agent.sleep(0.001)
      log[#log + 1] = name
    end,
  })
end
pcall(agent.timeout, 0.02, function()
  local outer <close> = guard("outer")
  local inner = coroutine.wrap(function()
    local inside <close> = guard("inside")
    local deeper = coroutine.create(function()
      local deepest <close> = guard("deepest")
      agent.sleep(60)
    end)
    coroutine.resume(deeper)
    log[#log + 1] = "swallowed"
  end)
  inner()
end)
assert(table.concat(log, " ") == "deepest inside outer", table.concat(log, " "))
