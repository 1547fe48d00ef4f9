-- `agent.map` and `agent.pipeline`: values, keys, limits, and a great many tasks.
local doubled = agent.map({ 1, 2, 3 }, function(n, key)
  agent.sleep(0)
  return n * 2 + key
end)
assert(table.concat(doubled, " ") == "3 6 9", "fn(item, key)")
local named = agent.map({ a = 1 }, function(n, key)
  return key .. n
end)
assert(named.a == "a1", "names too")

local running, most = 0, 0
agent.map({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, function()
  running = running + 1
  most = math.max(most, running)
  agent.sleep(0.002)
  running = running - 1
end, { limit = 3 })
assert(most == 3, "never more than the limit, and as many as it: " .. most)

local stages = {}
local out = agent.pipeline({ 5, 1 }, {
  function(value, item, key)
    assert(value == item and (key == 1 or key == 2), "the first stage gets the item")
    agent.sleep(value / 500)
    stages[#stages + 1] = "one " .. key
    return value * 10
  end,
  function(value, item, key)
    assert(value == item * 10, "the second what the first returned")
    agent.sleep(value / 1000)
    stages[#stages + 1] = "two " .. key
    return value + key
  end,
})
assert(out[1] == 51 and out[2] == 12, "results under their keys")
assert(#stages == 4, "each item passed both stages")

local many, list = 0, {}
for i = 1, 20000 do
  list[i] = i
end
local squares = agent.map(list, function(n)
  many = many + 1
  agent.sleep(0.001)
  return n * n
end)
assert(many == 20000 and squares[20000] == 400000000, "20,000 tasks side by side")
