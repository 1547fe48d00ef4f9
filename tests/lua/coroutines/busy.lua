-- A loop inside a generator is sliced like any other, and its empty yields are its own.
local function spin(seconds)
  local start = os.clock()
  while os.clock() - start < seconds do
  end
end
local steps = 0
local co = coroutine.create(function()
  for _ = 1, 3 do
    spin(0.03)
    -- Nothing can be suspended in a comparator, so the slice is used up by now.
    table.sort({ 1, 2, 3 }, function(a, b)
      spin(0.015)
      return a < b
    end)
    coroutine.yield()
    steps = steps + 1
  end
end)
for expected = 0, 2 do
  assert(coroutine.resume(co))
  assert(steps == expected, "each empty yield hands over once")
end
