-- `agent.timeout` returns what the function returns, and leaves nothing behind.
local a, b, c = agent.timeout(60, function(...)
  return ..., nil, 3
end, 1)
assert(a == 1 and b == nil and c == 3, "all values come back")
local value = {}
local ok, e = pcall(agent.timeout, 60, error, value)
assert(not ok and rawequal(e, value), "an error is passed on unchanged")
local result, why = agent.try_timeout(0.01, agent.sleep, 60)
assert(result == nil and why.kind == "timeout", "the twin returns it")
assert(why.at:match("main%.lua:%d+"), "with the line")
ok, e = pcall(agent.timeout, 60, function()
  agent.timeout(0.01, agent.sleep, 60)
end)
assert(e.message == "not done after 0.01 s", "the inner limit is the one that passed")
ok, e = pcall(agent.timeout, 0.01, function()
  return agent.timeout(60, agent.sleep, 60)
end)
assert(e.message == "not done after 0.01 s", "and here the outer")
assert(
  not pcall(agent.timeout, -1, print) and not pcall(agent.timeout, 1, 5),
  "arguments are checked"
)
