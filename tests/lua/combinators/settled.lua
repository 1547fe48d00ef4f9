-- `agent.all_settled` and `map_settled` tell how each item ended.
local settled = agent.all_settled {
  good = function()
    return "fine"
  end,
  bad = function()
    fs.read("missing")
  end,
}
assert(settled.good.ok and settled.good.value == "fine", "a value")
assert(settled.good.error == nil and settled.good.outcome == nil, "and nothing else")
assert(not settled.bad.ok and settled.bad.error.kind == "io", "an error")
assert(settled.bad.value == nil, "and no value")
local ok, e = pcall(function()
  return settled.bad.eror
end)
assert(not ok and e.hint == "did you mean `error`?", "unknown fields are refused")
local mapped = agent.map_settled({ 1, 2 }, function(n)
  return n == 1 and n or error("two", 0)
end)
assert(mapped[1].value == 1 and mapped[2].error == "two", "the same for map")
