-- Looking goes on until rounds bring nothing new.
local patterns = require("agentlua.patterns")

local rounds = { { "a", "b" }, { "b" }, { "c", "a" }, {}, { "c" }, { "never" } }
local given
local found, took, dry = patterns.until_dry(function(round, so_far)
  given = #so_far
  return rounds[round]
end)
assert(table.concat(found, " ") == "a b c" and took == 5 and dry, "each once, until two dry rounds")
assert(given == 3, "a round is given what was found")

found, took, dry = patterns.until_dry(function(round)
  return { round }
end, { max_rounds = 4 })
assert(#found == 4 and took == 4 and not dry, "it ends all the same, and says that it is not all")

found, took = patterns.until_dry(function()
  return { { file = "x", line = 1 }, { line = 1, file = "x" } }
end, { dry = 1 })
assert(#found == 1 and took == 2, "equal tables are the same item")

found = patterns.until_dry(function(round)
  return { { file = "x", line = round } }
end, {
  key = function(item)
    return item.file
  end,
})
assert(#found == 1, "the script says what is the same")
assert(#patterns.until_dry(function() end) == 0, "nothing returned is nothing found")

local ok, e = pcall(patterns.until_dry, function() end, { dry = 0 })
assert(not ok and tostring(e):find("`dry` of `patterns.until_dry` must be", 1, true), tostring(e))
