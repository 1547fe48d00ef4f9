-- A `__gc` finalizer cannot wait; what it raises is Lua's to warn of, and the script goes on.
local seen
do
  setmetatable({}, {
    __gc = function()
      local ok, e = pcall(agent.sleep, 0)
      seen = ok or e.message
    end,
  })
end
collectgarbage()
collectgarbage()
assert(
  seen == "`agent.sleep` has to wait, and nothing may wait inside a `__gc` finalizer",
  tostring(seen)
)
