-- `agent.iter` hands out results as they come; leaving the loop leaves nothing running.
local function after(seconds, value)
  return function()
    agent.sleep(seconds)
    return value
  end
end
local order = {}
for key, value, e in
  agent.iter {
    third = after(0.09, 3),
    first = after(0.01, 1),
    second = function()
      agent.sleep(0.05)
      error("two", 0)
    end,
  }
do
  order[#order + 1] = key .. "=" .. tostring(value) .. "/" .. tostring(e)
end
assert(#order == 3, "every item once")
table.sort(order)
assert(
  table.concat(order, " ") == "first=1/nil second=nil/two third=3/nil",
  table.concat(order, " ")
)

local closed = 0
local function endless()
  local guard <close> = setmetatable({}, {
    __close = function()
      agent.sleep(0.01)
      closed = closed + 1
    end,
  })
  agent.sleep(3600)
end
for _ in agent.iter { endless, endless, after(0.01, true) } do
  break
end
assert(closed == 2, "break cancels the rest and waits for it")
pcall(function()
  for _ in agent.iter { endless, after(0.01, true) } do
    error("out")
  end
end)
assert(closed == 3, "so does an error in the body")
local function leave()
  for _, value in agent.iter { endless, after(0.01, "early") } do
    return value
  end
end
assert(leave() == "early" and closed == 4, "and a return")
local count = 0
for _ in agent.iter {} do
  count = count + 1
end
assert(count == 0, "no items, no rounds")
