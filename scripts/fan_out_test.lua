-- agentlua test scripts
local test = require("agentlua.test")

-- Each fix is `<file>: <text>`; the agent that brings them together merges what its prompt lists.
local model = [[
local function call(name, input)
  return { tools = { { name = name, input = input } } }
end
return agent.model {
  name = "player",
  reply = function(request)
    local file, text = request.prompt:match "^([%w/]+): (.*)$"
    if request.turn == 2 then
      assert(not request.results[1].is_error, request.results[1].content)
      return "Done: " .. request.prompt:match "^[^\n]*"
    elseif file then
      assert(text ~= "fail", "a fix that cannot be made")
      return text == "nothing" and "All is well." or call("Write", { file_path = file, content = text })
    end
    local merges = { "set -e" }
    for branch in request.prompt:gmatch "\n%- (%S+)" do
      merges[#merges + 1] = "git merge --no-edit " .. branch
    end
    return call("Bash", { command = table.concat(merges, "\n") })
  end,
}
]]

---@type test.Repo
local repo

test.setup(function(t)
  repo = t.repo { ["README"] = "A shop.\n" }
end)

test.case("three fixes come together on one branch", function(t)
  local run =
    t.run { "fan_out.lua", "a: one\n", "b: two\n", "c: three\n", repo = repo, model = model }
  t.equal(run.code, 0)
  t.equal(#run.agents, 4)
  local branch = run.stdout:match("land it:    git merge (%S+)\n")
  t.equal(repo:check("git show " .. branch .. ":b").stdout, "two\n")
  t.equal(repo:check("git ls-tree --name-only " .. branch).stdout, "README\na\nb\nc\n")
  t.equal(repo:check("git status --porcelain").stdout, "", "the checkout is as it was")
end)

test.case("a conflict is said before anybody runs into it", function(t)
  local run = t.run { "fan_out.lua", "a: one\n", "a: two\n", repo = repo, model = model }
  t.match(run.stdout, "conflict ahead\tagentlua/%S+\tagentlua/%S+\ta\n")
  t.equal(run.code, 1, "this model cannot resolve it")
end)

test.case("a fix that fails does not keep the others", function(t)
  local run =
    t.run { "fan_out.lua", "a: fail", "b: two\n", "c: nothing", repo = repo, model = model }
  t.match(run.stdout, "fix 1 failed\t.*a fix that cannot be made")
  t.match(run.stdout, "fix 2\tagentlua/%S+\tb\n")
  t.match(run.stdout, "fix 3\tchanged nothing\n")
  t.equal(run.status, "degraded")
end)

test.case("nothing to bring together is no failure", function(t)
  local run = t.run { "fan_out.lua", "a: nothing", repo = repo, model = model }
  t.equal(run.code, 0)
  t.equal(run.stdout, "fix 1\tchanged nothing\nNothing to bring together.\n")
end)

test.case("asked for its help, it pays for nobody", function(t)
  for _, word in ipairs { "--help", "-h", "--hlep" } do
    local run = t.run { "fan_out.lua", word, repo = repo, model = model }
    t.equal(run.code, word == "--hlep" and 2 or 0)
    t.equal(#run.agents, 0, word)
  end
end)
