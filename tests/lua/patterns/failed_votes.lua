-- exit: 1
-- When nobody can answer, the last error is raised; a vote with some answers stands.
local patterns = require("agentlua.patterns")
agent.config { concurrency = 1 }
local asked = 0
local model = agent.model {
  name = "shaky",
  reply = function()
    asked = asked + 1
    if asked ~= 2 then
      error("no idea " .. asked)
    end
    return "yes"
  end,
}
local vote = patterns.vote { prompt = "?", model = model }
assert(
  vote.value == "yes" and vote.votes == 1 and vote.of == 3 and not vote.majority,
  "one of three"
)
local ok, e = pcall(patterns.vote, { prompt = "?", model = model })
assert(not ok and e.kind == "model" and e.message:find("no idea 6", 1, true), tostring(e))
