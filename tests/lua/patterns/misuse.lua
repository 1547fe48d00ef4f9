-- What a pattern cannot take is said at the caller's line, before anybody is asked.
local patterns = require("agentlua.patterns")

local nothing = function() end
for _, case in ipairs {
  { "judge", {}, "`patterns.judge`: argument 1 (`candidates`) must be a table, not nil" },
  { "judge", { {} }, "the number of candidates of `patterns.judge` must be a whole number from 1" },
  { "judge", { { "a" }, { judges = {} } }, "`judges` of `patterns.judge` must be a whole number" },
  {
    "judge",
    { { "a" }, { query = 1 } },
    "`query` of `patterns.judge` must be a table, not number",
  },
  { "best_of", {}, "`patterns.best_of`: argument 1 (`query`) must be a string or table, not nil" },
  { "best_of", { "x", { n = 1 } }, "`n` of `patterns.best_of` must be a whole number from 2" },
  { "best_of", { "x", { judges = 0 } }, "`judges` of `patterns.best_of` must be a whole number" },
  { "until_dry", {}, "`patterns.until_dry`: argument 1 (`find`) must be a function, not nil" },
  { "until_dry", { nothing, { key = 1 } }, "`key` of `patterns.until_dry` must be a function" },
  { "gate", {}, "`patterns.gate`: argument 1 (`query`) must be a string or table, not nil" },
  { "gate", { "x" }, "`patterns.gate`: argument 2 (`check`) must be a table or function, not nil" },
  { "gate", { "x", { "ok?" }, 3 }, "the options of `patterns.gate` must be a table, not number" },
} do
  local ok, e = pcall(function()
    return (patterns[case[1]](table.unpack(case[2])))
  end)
  e = tostring(e)
  assert(not ok and e:find("^main.lua:%d+: ") and e:find(case[3], 1, true), e)
end
assert(#agent.list() == 0, "nobody was asked")

-- What the script's own functions return in the middle.
for _, case in ipairs {
  {
    function()
      return "x"
    end,
    nil,
    "`find` of `patterns.until_dry` must return a list, not string",
  },
  {
    function()
      return { "x" }
    end,
    { key = nothing },
    "`key` of `patterns.until_dry` has returned nil",
  },
} do
  local ok, e = pcall(function()
    return (patterns.until_dry(case[1], case[2]))
  end)
  e = tostring(e)
  assert(not ok and e:find("^main.lua:%d+: ") and e:find(case[3], 1, true), e)
end
