-- agentlua test scripts
local test = require("agentlua.test")

-- Finds something in files that say `bug`, and takes the word out; its test asks that it is out.
local model = [[
local function bash(command)
  return { tools = { { name = "Bash", input = { command = command, description = "Works" } } } }
end
return agent.model {
  name = "player",
  reply = function(request)
    local look = request.prompt:match "^Look in (%S+) for"
    if look and request.turn == 1 then
      return { tools = { { name = "Read", input = { file_path = look } } } }
    elseif look then
      local found = request.results[1].content:find "bug" ~= nil
      return json.encode { found = found, line = found and 1 or nil, problem = found and "a bug" or nil }
    elseif request.turn > 1 then
      return "done"
    end
    local file = request.prompt:match "Fix this in (%S+), line 1: a bug\n"
    if file then
      return bash("sed -i s/bug/feature/ " .. file)
    end
    file = request.prompt:match "%+%+%+ b/(%S+)"
    return bash("echo '! grep bug " .. file .. "' > test_" .. file)
  end,
}
]]

---@type test.Repo
local repo

test.setup(function(t)
  repo = t.repo { ["one"] = "a bug\n", ["two"] = "all well\n", ["three"] = "one more bug\n" }
end)

test.case("what is found is fixed and tested on a branch, each file for itself", function(t)
  local run = t.run { "pipeline.lua", "one", "two", "three", repo = repo, model = model }
  t.equal(run.code, 0, run.stderr)
  local branch = run.stdout:match("one\tfixed and tested on (%S+)\n")
  t.truthy(branch, run.stdout)
  t.match(run.stdout, "two\tnothing found\n")
  t.match(run.stdout, "three\tfixed and tested on %S+\n")
  t.equal(repo:check("git show " .. branch .. ":one").stdout, "a feature\n")
  t.equal(repo:check("git show " .. branch .. ":test_one").stdout, "! grep bug one\n")
  t.equal(repo:check("git rev-list --count main.." .. branch).stdout, "2\n", "the fix and its test")
  t.equal(#run.agents, 7, "three for each that had something, one for the other")
end)

test.case("no file is waited for by another", function(t)
  local run = t.run { "pipeline.lua", "two", "one", repo = repo, model = model }
  t.equal(run.stdout:match("^[^\n]*"), "two\tnothing found")
  t.equal(#run.agents, 4)
end)

test.case("a verification that never passes ends the pipeline", function(t)
  local run = t.run { "pipeline.lua", "--verify", "false", "one", repo = repo, model = model }
  t.equal(run.code, 1)
  t.contains(run.stderr, "verif")
end)
