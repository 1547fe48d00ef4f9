-- Waiting works wherever Lua code can be suspended.
local function nap()
  agent.sleep(0)
  return "rested"
end
local ran = {}

local function tail()
  return nap()
end
assert(tail() == "rested", "a tail call waits")
assert(select(2, pcall(nap)) == "rested", "the body of pcall waits")
assert(select(2, xpcall(nap, print)) == "rested", "the body of xpcall waits")

local meta = setmetatable({}, {
  __index = function()
    return nap()
  end,
  __newindex = nap,
  __call = nap,
  __add = nap,
  __concat = nap,
  __len = function()
    return nap() and 1
  end,
  __eq = function()
    return nap() and true
  end,
  __lt = function()
    return nap() and true
  end,
  __pairs = function(t)
    nap()
    return next, { a = 1 }
  end,
})
assert(meta.x == "rested", "__index waits")
meta.y = 1
assert(meta() == "rested", "__call waits")
assert(meta + 1 == "rested", "__add waits")
assert(meta .. "" == "rested", "__concat waits")
assert(#meta == 1, "__len waits")
assert(meta == setmetatable({}, getmetatable(meta)), "__eq waits")
assert(meta < meta, "__lt waits")
for key in pairs(meta) do
  ran[#ran + 1] = key
end
assert(ran[1] == "a", "__pairs waits")

local count = 0
for i in
  function(_, last)
    nap()
    return last < 3 and last + 1 or nil
  end,
  nil,
  0
do
  count = count + i
end
assert(count == 6, "a generic for's iterator waits")

do
  local closed <close> = setmetatable({}, {
    __close = function()
      nap()
      ran.closed = true
    end,
  })
end
assert(ran.closed, "a `<close>` handler waits")

fs.write("chunk.lua", "agent.sleep(0) return 'chunk'")
assert(dofile("chunk.lua") == "chunk", "dofile waits")
assert(load("agent.sleep(0) return 1")() == 1, "a loaded chunk waits")
