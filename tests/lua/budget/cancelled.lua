-- exit: 1
-- What an agent costs whose price nobody knows is not known, also when its first request was given up.
local model = agent.model {
  reply = function()
    agent.sleep(1000)
  end,
}
local _, e = agent.try_query { prompt = "x", model = model, timeout = 1 }
assert(e.outcome.subtype == "error_timeout", e.outcome.subtype)
assert(e.outcome.total_cost_usd == nil, "not 0")
