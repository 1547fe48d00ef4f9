-- repo
-- A failed agent whose resume succeeded does not make the run fail, however often it took.
local tries = 0
local model = agent.model {
  reply = function()
    tries = tries + 1
    if tries < 3 then
      error("not now")
    end
    return "done"
  end,
}
local _, first = agent.try_query { prompt = "x", worktree = true, model = model }
assert(first.outcome.subtype == "error_during_execution", tostring(first))
local _, second = agent.try_query { prompt = "go on", resume = first.outcome, model = model }
assert(second.outcome.session_id == first.outcome.session_id, "of one conversation")
assert(agent.query({ prompt = "go on", resume = second.outcome, model = model }).ok, "at last")
