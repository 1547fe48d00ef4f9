-- A coroutine that waits in one task cannot be resumed or closed by another.
local co = coroutine.create(function()
  agent.sleep(0.05)
  return "done"
end)
local first = agent.spawn(function()
  return select(2, coroutine.resume(co))
end)
agent.sleep(0.01)
assert(coroutine.status(co) == "normal", "it is at work")
local ok, why = coroutine.resume(co)
assert(not ok and why == "cannot resume a coroutine that waits in another task", why)
assert(not pcall(coroutine.close, co), "nor closed")
assert(first:await() == "done", "and its own task is not disturbed")
