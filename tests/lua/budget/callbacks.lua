-- exit: 7
-- What an agent's callbacks ask is paid by that agent: its limit binds for both, and its cost is theirs,
-- which the run counts once.
agent.config { prices = { dear = { input = 0, output = 1000 } } }

local function answering(reply)
  return agent.model { name = "dear", reply = reply }
end

local helper = answering(function()
  return { text = "helped", usage = { output_tokens = 1500 } }
end)
local said
local help = agent.tool {
  name = "help",
  description = "Helps.",
  run = function()
    local outcome, e = agent.try_query { prompt = "help", model = helper }
    said = e
    return outcome and outcome.result or e.message
  end,
}
local function boss(limit)
  return agent.try_query {
    prompt = "lead",
    tools = { help },
    max_budget_usd = limit,
    model = answering(function(request)
      if request.turn == 1 then
        return { tools = { { name = "help", input = {} } }, usage = { output_tokens = 500 } }
      end
      return { text = request.results[1].content, usage = { output_tokens = 0 } }
    end),
  }
end

local rich = assert(boss(10))
assert(rich.result == "helped" and rich.total_cost_usd == 2, tostring(rich.total_cost_usd))
assert(agent.budget:spent() == 2, "the run counts it once")

-- After its first reply less is left than any useful one may cost, its helper's too.
local poor, e = boss(1.4)
assert(poor == nil and e.kind == "budget", tostring(e))
assert(said and said.kind == "budget", tostring(said))
assert(agent.budget:spent() == 2.5, agent.budget:spent())
os.exit(7)
