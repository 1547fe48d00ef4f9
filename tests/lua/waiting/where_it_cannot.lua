-- Where Lua cannot be suspended, the error names the place and the way out.
local function refusal(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "waiting here has to fail")
  assert(type(e) == "table" and e.kind == "usage", "it is a usage error, not " .. tostring(e))
  assert(e.hint == "call it before and use what it returned", "it says what to do instead")
  assert(e.at:match("main%.lua:%d+$"), "it knows its line, not " .. tostring(e.at))
  return e.message
end
local function nap()
  agent.sleep(0)
  return true
end
local inside = "`agent.sleep` has to wait, and nothing may wait inside "

local message = refusal(table.sort, { 2, 1 }, nap)
assert(message == inside .. "a `table.sort` comparator", message)
message = refusal(table.sort, { 2, 1 }, function()
  return assert(pcall(nap)) and false
end)
assert(
  message == inside .. "a `table.sort` comparator",
  "pcall in between hides nothing: " .. message
)
message = refusal(string.gsub, "x", "x", nap)
assert(message == inside .. "a `string.gsub` replacement function", message)
local slow = setmetatable({}, { __tostring = nap, __index = nap })
message = refusal(tostring, slow)
assert(message == inside .. "`__tostring`", message)
message = refusal(print, slow)
assert(message == inside .. "`__tostring`", message)
message = refusal(string.format, "%s", slow)
assert(message == inside .. "`__tostring`", message)
message = refusal(table.unpack, slow, 1, 1)
assert(message == inside .. "an `__index` that `table.unpack` calls", message)
message = refusal(table.concat, slow, ",", 1, 1)
assert(message == inside .. "an `__index` that `table.concat` calls", message)
message = refusal(function()
  for _ in ipairs(slow) do
    break
  end
end)
assert(message:find("nothing may wait inside", 1, true), message)

local chunk, why = load(nap)
assert(chunk == nil, "a `load` reader that waits gives no chunk")
assert(tostring(why):find("a `load` reader", 1, true), "and says why: " .. tostring(why))

-- A coroutine can be suspended, but not when what resumed it cannot.
message = refusal(table.sort, { 2, 1 }, function()
  return coroutine.wrap(nap)()
end)
assert(
  message == "a coroutine has to wait, and nothing may wait inside a `table.sort` comparator",
  message
)
