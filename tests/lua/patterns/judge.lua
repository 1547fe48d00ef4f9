-- A panel scores what it is shown, each judge in another order, and the best comes first.
local patterns = require("agentlua.patterns")

-- Likes long candidates, and a bit what it sees first.
local orders = {}
local model = agent.model {
  reply = function(request)
    local scores, order = {}, {}
    for number, text in request.prompt:gmatch("## Candidate (%d+)\n\n(%l+)") do
      order[#order + 1] = text
      local bonus = number == "1" and 1 or 0
      scores[#scores + 1] = {
        candidate = math.tointeger(number),
        score = #text + bonus,
        why = text .. " is what it is",
      }
    end
    orders[#orders + 1] = table.concat(order, " ")
    return json.encode { scores = scores }
  end,
}
local ranking = patterns.judge({ "a", "ccc", "bb" }, {
  task = "Be long.",
  judges = { "length", "width", "height" },
  query = { model = model },
})
assert(#ranking == 3 and ranking[1].candidate == "ccc" and ranking[3].candidate == "a", "the order")
assert(
  ranking[1].index == 2 and math.abs(ranking[1].score - (3 + 1 / 3)) < 1e-9,
  "everyone was first once"
)
assert(
  #ranking[2].notes == 3 and ranking[2].notes[1] == "bb is what it is",
  "their notes are with it"
)
table.sort(orders)
assert(table.concat(orders, ", ") == "a ccc bb, bb a ccc, ccc bb a", table.concat(orders, ", "))

-- Equal scores leave the order; a candidate that nobody has scored is last.
local lazy = agent.model {
  reply = function()
    return json.encode {
      scores = { { candidate = 2, score = 5, why = "" }, { candidate = 3, score = 5, why = "" } },
    }
  end,
}
local lazily = patterns.judge({ "x", "y", "z" }, { judges = 1, query = { model = lazy } })
assert(lazily[1].candidate == "y" and lazily[2].candidate == "z", "the earlier one first")
assert(lazily[3].candidate == "x" and lazily[3].score == 0, "unscored is last")

local ok, e = pcall(function()
  return (patterns.judge({}, {}))
end)
assert(not ok and e:find("the number of candidates of `patterns.judge`", 1, true), tostring(e))
