-- exit: 1
-- A limit on time holds for who listens, too: `on_event` that never returns is given up.
local model = agent.model {
  reply = function()
    return "done"
  end,
}
local _, e = agent.try_query {
  prompt = "x",
  model = model,
  timeout = 1,
  on_event = function()
    agent.sleep(1000)
  end,
}
assert(e and e.outcome.subtype == "error_timeout", "its time was over")
