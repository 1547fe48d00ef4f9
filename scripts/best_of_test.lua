-- agentlua test scripts
local test = require("agentlua.test")

-- The tries write `1`, `2`, `3` in the order in which they begin; the judges want a `2`.
local model = [[
local tries = 0
return agent.model {
  name = "player",
  reply = function(request)
    if request.prompt:find "^Score each of these" then
      local scores = {}
      for number, text in request.prompt:gmatch "## Candidate (%d+)[^#]-%+(%d)\n" do
        local score = text == "2" and 9 or 3
        scores[#scores + 1] = { candidate = math.tointeger(number), score = score, why = "it is " .. text }
      end
      return json.encode { scores = scores }
    elseif request.turn == 2 or request.prompt:find "nothing" then
      return "Done."
    end
    tries = tries + 1
    assert(not request.prompt:find "odd" or tries % 2 == 1, "I am not odd")
    local input = { file_path = "answer", content = tries .. "\n" }
    return { tools = { { name = "Write", input = input } } }
  end,
}
]]

---@type test.Repo
local repo

test.setup(function(t)
  repo = t.repo { ["question"] = "Which number is even?\n" }
end)

test.case("the judges' choice stays, the others go and are kept aside", function(t)
  local run = t.run { "best_of.lua", "Answer the question.", "3", repo = repo, model = model }
  t.equal(run.code, 0, run.stderr)
  t.match(run.stdout, "^1%. try %d  9%.0 of 10  answer\n   it is 2\n")
  local best = run.stdout:match("land it:    git merge (%S+)\n")
  t.equal(repo:check("git show " .. best .. ":answer").stdout, "2\n")
  local branches = repo:check("git for-each-ref --format='%(refname:short)' refs/heads/agentlua")
  t.equal(branches.stdout, best .. "\n")
  local removed = repo:check("git for-each-ref --format='%(refname)' refs/agentlua/removed")
  t.equal(select(2, removed.stdout:gsub("\n", "")), 2, "two are kept aside")
end)

test.case("a try that fails is out", function(t)
  local run = t.run { "best_of.lua", "Answer the odd question.", "2", repo = repo, model = model }
  t.match(run.stdout, "land it:    git merge agentlua/")
  t.equal(run.status, "degraded")
end)

test.case("nobody's change is no choice", function(t)
  local run = t.run { "best_of.lua", "Do nothing.", "2", repo = repo, model = model }
  t.equal(run.code, 1)
  t.contains(run.stderr, "nobody has changed anything")
end)

test.case("one is no competition", function(t)
  local run = t.run { "best_of.lua", "Answer.", "1", repo = repo, model = model }
  t.equal(run.code, 2)
  t.equal(#run.agents, 0)
end)
