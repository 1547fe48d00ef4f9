-- A parent waits for its children, and answers for failures that nobody looked at.
local log = {}
agent.all {
  function()
    agent.spawn(function()
      agent.sleep(0.02)
      log[#log + 1] = "child"
    end)
    log[#log + 1] = "parent"
  end,
}
log[#log + 1] = "after"
assert(table.concat(log, " ") == "parent child after", table.concat(log, " "))

local ok, e = pcall(agent.all, {
  function()
    agent.spawn(error, "unseen")
    agent.spawn(function()
      local guard <close> = setmetatable({}, {
        __close = function(_, why)
          log.why = why.message
        end,
      })
      agent.sleep(60)
    end)
    agent.sleep(0)
  end,
})
assert(not ok and e == "unseen", "a failure that nobody awaited fails the parent")
assert(log.why == "another task of the same parent has failed", tostring(log.why))

agent.all {
  function()
    local seen = agent.spawn(error, "seen")
    assert(not pcall(seen.await, seen))
    local cancelled = agent.spawn(agent.sleep, 60)
    cancelled:cancel()
  end,
}
