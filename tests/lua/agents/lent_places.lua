-- flags: --concurrency 1
-- Queries of a callback work in the place of its agent, one after the other, and it ends.
local working, most = 0, 0
local inner = agent.model {
  reply = function()
    working = working + 1
    most = math.max(most, working)
    agent.sleep(0.02)
    working = working - 1
    return "done"
  end,
}
local fan_out = agent.tool {
  name = "fan_out",
  description = "asks four others",
  run = function()
    local items = {}
    for i = 1, 4 do
      items[i] = { prompt = "part " .. i, model = inner }
    end
    return tostring(#agent.all(items))
  end,
}
local outer = agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { tools = { { name = "fan_out" } } }
    end
    return request.results[1].content
  end,
}
local outcome = agent.query { prompt = "all", model = outer, tools = { fan_out } }
assert(outcome.result == "4", "all four have answered")
assert(most == 1, "there is one place, and " .. most .. " were at work beside its owner")
