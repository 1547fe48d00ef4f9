-- repo
-- exit: 1
-- The best try stays, the others are removed and kept aside.
local patterns = require("agentlua.patterns")

local tries = 0
local model = agent.model {
  reply = function(request)
    local prompt = request.prompt
    if prompt:find("Score each of these", 1, true) then
      local scores = {}
      -- The largest number wins.
      for number, value in prompt:gmatch("## Candidate (%d+).-%+(%d)\n") do
        scores[#scores + 1] =
          { candidate = math.tointeger(number), score = math.tointeger(value), why = "" }
      end
      return json.encode { scores = scores }
    elseif prompt:find("nothing", 1, true) or request.turn == 2 then
      return "done"
    end
    tries = tries + 1
    if prompt:find("shaky", 1, true) and tries % 2 == 1 then
      error("cannot")
    end
    return { tools = { { name = "Write", input = { file_path = "n", content = tries .. "\n" } } } }
  end,
}
local function branches(pattern)
  return select(
    2,
    sh.check("git for-each-ref --format='%(refname)' " .. pattern).stdout:gsub("\n", "")
  )
end

local best, ranking = patterns.best_of({ prompt = "write", model = model }, {
  n = 3,
  judges = 2,
  query = { model = model },
})
assert(git.show(best.branch, "n") == "3\n", "the best one is returned")
assert(#ranking == 3 and ranking[1].candidate == best and ranking[1].score == 3, "with the ranking")
assert(branches("refs/heads/agentlua") == 1, "the others are gone")
assert(branches("refs/agentlua/removed") == 2, "and kept aside")

-- Failed tries are out, and a lone one needs no judge.
tries = 0
local lone, alone = patterns.best_of(
  { prompt = "shaky", model = model, branch = "lone" },
  { n = 2 }
)
assert(git.show(lone.branch, "n") == "2\n" and #alone == 1, "the one that could")
assert(branches("refs/heads/lone*") == 1, "a name of its own choice, one of them left")

local ok, e = pcall(function()
  return (patterns.best_of { prompt = "nothing", model = model })
end)
assert(not ok and e:find("nobody has changed anything", 1, true), tostring(e))

-- Answers without work compete as well.
local said = 0
local talker = agent.model {
  reply = function(request)
    if request.prompt:find("Score each", 1, true) then
      local scores = {}
      for number, text in request.prompt:gmatch("## Candidate (%d+)\n\n(x+)") do
        scores[#scores + 1] = { candidate = math.tointeger(number), score = #text, why = "" }
      end
      return json.encode { scores = scores }
    end
    said = said + 1
    return ("x"):rep(said)
  end,
}
local text = patterns.best_of({ prompt = "say", model = talker, worktree = false }, {
  judges = 1,
  query = { model = talker },
})
assert(text.result == "xxx" and text.branch == nil, text.result)
