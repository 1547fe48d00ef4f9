-- A stop hook sends on an agent whose work was good: that is verified again, and only runs that fail use up
-- `verify_attempts`.
local runs, stops = 0, 0
local outcome = agent.query {
  prompt = "work",
  model = agent.model {
    reply = function()
      return "done"
    end,
  },
  verify_attempts = 2,
  verify = function()
    runs = runs + 1
    return runs ~= 4, "the fourth is red"
  end,
  hooks = {
    stop = function()
      stops = stops + 1
      return stops > 3, "once more"
    end,
  },
}
assert(
  outcome.ok and outcome.verify.ok and outcome.verify.attempts == 5,
  tostring(outcome.verify.attempts)
)
assert(stops == 4, stops)
