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

-- A value can be `false` itself, and is not the text then.
vote = patterns.vote({ prompt = "true?", model = saying("false") }, { n = 1 })
assert(vote.value == "false", "a text stays one")
local outcome = { structured_output = false, result = "no" }
local settle = agent.all_settled
agent.all_settled = function()
  return { { ok = true, value = outcome } }
end
vote = patterns.vote("true?", { n = 1 })
agent.all_settled = settle
assert(vote.value == false, "`false` is an answer")

-- Of as many votes, the lower number wins, also when the other was first to have them.
vote = patterns.vote({ prompt = "?", model = saying("a", "b", "b", "a") }, { n = 4 })
assert(vote.value == "a" and vote.outcome.label == "vote 1", vote.value)

local keyed = patterns.vote({ prompt = "x", model = saying("1 apple", "2 pears", "1 fig") }, {
  key = function(outcome)
    return outcome.result:match("%d")
  end,
})
assert(keyed.value:find("^1 ") and keyed.votes == 2, "the script says what is the same")

-- Misuse is an error at the caller's line, and nobody is asked.
local said = "main.lua:%d+: "
for _, case in ipairs {
  { { "x", { votes = 3 } }, "`patterns.vote` has no option `votes`" },
  { { "x", { n = 0 } }, "`n` of `patterns.vote` must be a whole number from 1" },
  { { "x", { key = "text" } }, "`key` of `patterns.vote` must be a function, not string" },
  { { "x", 3 }, "the options of `patterns.vote` must be a table, not number" },
  { {}, "`patterns.vote`: argument 1 %(`query`%) must be a string or table, not nil" },
} do
  local ok, e = pcall(function()
    return (patterns.vote(table.unpack(case[1])))
  end)
  assert(not ok and tostring(e):find("^" .. said .. case[2]), tostring(e))
end

-- A key of nothing makes no two answers the same, so it is a mistake.
local ok, e = pcall(function()
  return (
    patterns.vote({ prompt = "?", model = saying("one") }, {
      n = 1,
      key = function(answer)
        return answer.result:match("%d")
      end,
    })
  )
end)
assert(
  not ok and tostring(e):find(said .. "`key` of `patterns.vote` has returned nil"),
  tostring(e)
)
