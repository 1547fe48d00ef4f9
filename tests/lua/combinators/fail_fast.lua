-- `agent.all` raises after its siblings have unwound, cleanups that wait included.
local log = {}
local function worker(name)
  return function()
    local guard <close> = setmetatable({}, {
      __close = function(_, e)
        assert(e.kind == "cancelled", "a sibling is told that it was cancelled")
        assert(e.message == "the other items of `agent.all` are no longer needed", e.message)
        agent.sleep(0.02)
        log[#log + 1] = name
      end,
    })
    agent.sleep(60)
  end
end
local ok, e = pcall(agent.all, {
  a = worker("a"),
  b = worker("b"),
  c = function()
    agent.sleep(0.01)
    error("first", 0)
  end,
  d = function()
    agent.sleep(0.01)
    agent.sleep(0)
    error("second", 0)
  end,
})
log[#log + 1] = "raised"
assert(not ok and e == "first", "the first failure is the one that is raised")
table.sort(log, function(x, y)
  return x < y
end)
assert(table.concat(log, " ") == "a b raised", table.concat(log, " "))

local cleaned = {}
pcall(agent.all, {
  function()
    local guard <close> = setmetatable({}, {
      __close = function()
        agent.sleep(0.02)
        cleaned[#cleaned + 1] = "inner"
      end,
    })
    agent.all {
      function()
        local deeper <close> = setmetatable({}, {
          __close = function()
            agent.sleep(0.01)
            cleaned[#cleaned + 1] = "innermost"
          end,
        })
        agent.sleep(60)
      end,
    }
  end,
  function()
    agent.sleep(0.005)
    error("stop")
  end,
})
assert(table.concat(cleaned, " ") == "innermost inner", "from the inside out")
