-- Agents that a callback asks for spend the run's money, and a fallback that is not needed is not asked.
agent.config { max_budget_usd = 3, prices = { dear = { input = 0, output = 1000 } } }

local function saying(reply)
  return agent.model { name = "dear", reply = reply }
end
local helper = saying(function()
  return { text = "helped", usage = { output_tokens = 250 } }
end)
local outcome = agent.query {
  prompt = "ask",
  fallback_model = saying(function()
    error("the fallback was asked")
  end),
  tools = {
    agent.tool {
      name = "helper",
      description = "Asks somebody.",
      run = function()
        return agent.query({ prompt = "help", model = helper }).result
      end,
    },
  },
  model = saying(function(request)
    local usage = { output_tokens = 500 }
    if request.turn == 1 then
      return { tools = { { name = "helper" } }, usage = usage }
    end
    assert(request.results[1].content == "helped", request.results[1].content)
    return { text = "done", usage = usage }
  end),
}
assert(outcome.total_cost_usd == 1.25, "its own two replies and the helper's")
assert(agent.budget:spent() == 1.25, "once")
local costs = {}
for _, row in ipairs(agent.list { all = true }) do
  costs[#costs + 1] = row.cost_usd
end
table.sort(costs)
assert(costs[1] == 0.25 and costs[2] == 1.25, "the registry knows")
