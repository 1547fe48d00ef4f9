-- Items keep their keys; what has no clear keys is refused before anything starts.
local function value(v)
  return function()
    agent.sleep(0)
    return v
  end
end
local named = agent.all { auth = value(1), billing = value(2) }
assert(named.auth == 1 and named.billing == 2, "names stay")
local list = agent.all { value("a"), value("b"), value("c") }
assert(#list == 3 and table.concat(list) == "abc", "a list stays a list")
assert(next(agent.all {}) == nil and next(agent.map({}, print)) == nil, "nothing gives nothing")
assert(agent.all({ value(nil) })[1] == nil, "an item may return nothing")

local started = false
local function start()
  started = true
end
local function refused(message, ...)
  local ok, e = pcall(...)
  assert(not ok and e.kind == "usage", "it is refused: " .. tostring(e))
  assert(e.message:find(message, 1, true), e.message)
end
for _, name in ipairs { "all", "all_settled", "race", "iter" } do
  local f = agent[name]
  refused("`agent." .. name .. "`: item 2 is nil; the list has a hole", f, { start, nil, start })
  refused("item 1 is a boolean", f, { false, start })
  refused("items are a list or have names, not both (`x`)", f, { start, x = start })
  refused("an item cannot have the key true", f, { [true] = start })
  refused("an item cannot have the key 1.5", f, { [1.5] = start })
  refused("takes a table of items, not a function", f, start)
  refused("has no option `limits`", f, { start }, { limits = 1 })
  refused("option `limit` must be a whole number from 1", f, { start }, { limit = 0 })
  refused("item 2: `agent.query` has no option `promt`", f, { start, { promt = "x" } })
end
refused("argument 2 must be a function, not a nil", agent.map, { 1 })
refused("stage 2 is a number, not a function", agent.pipeline, { 1 }, { start, 5 })
refused("`agent.race` needs at least one item", agent.race, {})
agent.sleep(0.01)
assert(not started, "nothing was started")
