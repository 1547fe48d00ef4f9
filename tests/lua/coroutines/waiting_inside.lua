-- A script's own coroutines never see that something waits.
local numbers = coroutine.wrap(function(first)
  agent.sleep(0)
  local second = coroutine.yield(first + 1)
  agent.sleep(0.001)
  coroutine.yield(second * 2, "two values")
  return "end"
end)
assert(numbers(1) == 2, "the first resume passes a value in and one out")
local a, b = numbers(21)
assert(a == 42 and b == "two values", "so does the second")
assert(numbers() == "end", "and the last returns")

local co = coroutine.create(function(...)
  agent.sleep(0)
  return select("#", ...), coroutine.yield()
end)
local got = table.pack(coroutine.resume(co, nil, nil))
assert(got.n == 1 and got[1] == true, "an empty yield stays empty")
got = table.pack(coroutine.resume(co, nil))
assert(got.n == 3 and got[2] == 2 and got[3] == nil, "nils pass through")
assert(coroutine.status(co) == "dead", "it has ended")
got = table.pack(coroutine.resume(co))
assert(got[1] == false and got[2] == "cannot resume dead coroutine", "as Lua says it")

local function walk(depth)
  return coroutine.wrap(function()
    if depth > 0 then
      for value in walk(depth - 1) do
        agent.sleep(0)
        coroutine.yield(value + 1)
      end
    else
      for i = 1, 3 do
        agent.sleep(0)
        coroutine.yield(i)
      end
    end
  end)
end
local values = {}
for value in walk(5) do
  values[#values + 1] = value
end
assert(table.concat(values, " ") == "6 7 8", "nested generators, each of which waits")

local threads = agent.map({ 1, 2, 3 }, function(i)
  local generator = coroutine.wrap(function()
    for j = 1, 3 do
      agent.sleep(0.001)
      coroutine.yield(i * j)
    end
  end)
  return generator() + generator() + generator()
end)
assert(table.concat(threads, " ") == "6 12 18", "side by side in tasks")
