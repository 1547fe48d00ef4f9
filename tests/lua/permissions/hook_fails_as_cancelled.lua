-- exit: 1
-- A hook that waits for something that was cancelled has failed, and so has its agent: nobody cancelled
-- that one, and the run does not end well.
local model = agent.model {
  reply = function()
    return "done"
  end,
}
local _, e = agent.try_query {
  prompt = "x",
  model = model,
  hooks = {
    session_start = function()
      local task = agent.spawn(function()
        agent.sleep(1000)
      end)
      task:cancel()
      task:await()
    end,
  },
}
assert(e.outcome.subtype == "error_during_execution", e.outcome.subtype)
