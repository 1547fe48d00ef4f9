-- Most answers win; who fails has no vote.
local patterns = require("agentlua.patterns")

local function saying(...)
  local answers, next_one = { ... }, 0
  return agent.model {
    reply = function()
      next_one = next_one + 1
      local answer = answers[next_one]
      if answer == "fail" then
        error("no idea")
      end
      return answer
    end,
  }
end

agent.config { concurrency = 1 }
local vote = patterns.vote { prompt = "which?", model = saying("Red.", "blue", " red ") }
assert(
  vote.value:lower():find("red") and vote.votes == 2 and vote.of == 3 and vote.majority,
  json.encode(vote)
)
assert(vote.outcome.result == vote.value, "one that said so")
assert(vote.outcome.label:find("^vote %d$"), vote.outcome.label)

vote = patterns.vote({ prompt = "which?", label = "colour", model = saying("a", "b") }, { n = 2 })
assert(vote.votes == 1 and not vote.majority, "a draw is no majority")
assert(vote.outcome.label:find("^colour %d$"), vote.outcome.label)

local schema = { refuted = "boolean" }
vote = patterns.vote {
  prompt = "refute",
  schema = schema,
  model = saying('{"refuted":true}', '{"refuted":false}', '{"refuted": true}'),
}
assert(vote.value.refuted == true and vote.votes == 2, "values count, and not how they are written")

local keyed = patterns.vote({ prompt = "x", model = saying("1 apple", "2 pears", "1 fig") }, {
  key = function(outcome)
    return outcome.result:match("%d")
  end,
})
assert(keyed.value:find("^1 ") and keyed.votes == 2, "the script says what is the same")

-- Misuse is an error at the caller's line.
for _, case in ipairs {
  { { votes = 3 }, "main.lua:%d+: `patterns.vote` has no option `votes`" },
  { { n = 0 }, "main.lua:%d+: `n` of `patterns.vote` must be a whole number from 1" },
} do
  local ok, e = pcall(function()
    return (patterns.vote("x", case[1]))
  end)
  assert(not ok and e:find(case[2]), tostring(e))
end
