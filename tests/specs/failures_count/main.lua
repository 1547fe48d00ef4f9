-- A failed agent fails the run, also when the script caught it.
local broken = agent.model {
  name = "broken",
  reply = function()
    error("out of ideas")
  end,
}
local settled = agent.all_settled { one = { prompt = "x", model = broken } }
print(settled.one.ok, settled.one.error.kind, settled.one.outcome.subtype)
print(agent.try_query { prompt = "again", model = broken, max_turns = 1 })
