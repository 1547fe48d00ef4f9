-- The losers of a race are not failures of the run, however they lost.
local function model(reply)
  return agent.model { reply = reply }
end
local winner, key = agent.race {
  bad = {
    prompt = "x",
    model = model(function()
      error("no idea")
    end),
  },
  good = {
    prompt = "x",
    model = model(function()
      agent.sleep(0.3)
      return "here"
    end),
  },
  slow = {
    prompt = "x",
    model = model(function()
      agent.sleep(60)
    end),
  },
}
assert(key == "good" and winner.result == "here", "the first success wins")
