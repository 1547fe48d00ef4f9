-- Errors leave a coroutine as they are, and its `<close>` handlers run and may wait.
local value, closed = {}, 0
local function body()
  local guard <close> = setmetatable({}, {
    __close = function(_, e)
      assert(e == value, "the handler is told why")
      agent.sleep(0)
      closed = closed + 1
    end,
  })
  agent.sleep(0)
  error(value)
end
local ok, e = coroutine.resume(coroutine.create(body))
assert(not ok and rawequal(e, value), "resume returns the very value")
assert(closed == 1, "its handler has run")
ok, e = pcall(coroutine.wrap(body))
assert(not ok and rawequal(e, value) and closed == 2, "and so does wrap")

local co = coroutine.create(function()
  local guard <close> = setmetatable({}, {
    __close = function()
      closed = closed + 1
    end,
  })
  coroutine.yield()
end)
coroutine.resume(co)
assert(coroutine.close(co) and closed == 3, "close closes")
assert(not pcall(coroutine.create, 5), "a coroutine needs a function")
assert(coroutine.isyieldable() and coroutine.running(), "the script itself is a coroutine")
