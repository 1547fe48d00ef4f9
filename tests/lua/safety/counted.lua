-- exit: 1
-- An agent that could not even begin is a failure of the run, also when the script caught it.
local model = agent.model {
  reply = function()
    return "done"
  end,
}
local settled = agent.all_settled {
  lost = { prompt = "x", model = model, branch = "b" },
  fine = { prompt = "x", model = model },
}
assert(settled.lost.error.kind == "git", "there is no repository here")
assert(settled.fine.ok, "the other one works")
