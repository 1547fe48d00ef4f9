-- The first success wins; losers have unwound when `agent.race` returns.
local unwound = 0
local function loser()
  local guard <close> = setmetatable({}, {
    __close = function()
      agent.sleep(0.01)
      unwound = unwound + 1
    end,
  })
  agent.sleep(60)
end
local value, key = agent.race {
  slow = loser,
  slower = loser,
  failing = function()
    error("early")
  end,
  quick = function()
    agent.sleep(0.02)
    return "won"
  end,
}
assert(value == "won" and key == "quick", "a failure is no win")
assert(unwound == 2, "both losers have unwound")
local ok, e = pcall(agent.race, {
  function()
    error("one", 0)
  end,
  function()
    fs.read("missing")
  end,
})
assert(not ok and e.errors[1] == "one" and e.errors[2].kind == "io", "all errors are in the error")
assert(e.message:find("^2 of 2 items failed"), e.message)
