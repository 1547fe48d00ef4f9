-- Recursion without end is an error that can be caught, in every shape.
local function plain(n)
  return 1 + plain(n)
end
local ok, e = pcall(plain, 1)
assert(not ok and e:find("stack overflow", 1, true), tostring(e):sub(1, 200))
local function protected(n)
  local fine, why = pcall(protected, n)
  return fine and why or error(why, 0)
end
ok, e = pcall(protected, 1)
assert(not ok and tostring(e):find("overflow", 1, true), tostring(e):sub(1, 200))
local function nested()
  return coroutine.wrap(nested)()
end
ok, e = pcall(nested)
assert(not ok and tostring(e):find("overflow", 1, true), tostring(e):sub(1, 200))
local function indexed()
  return setmetatable({}, { __index = indexed }).x
end
ok, e = pcall(indexed)
assert(not ok and tostring(e):find("overflow", 1, true), tostring(e):sub(1, 200))
agent.sleep(0)
