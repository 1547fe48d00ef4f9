-- agentlua test scripts
local test = require("agentlua.test")

-- Writes a test that is red for `hard.sh` at first, always red for `cursed.sh`, and none for `plain.sh`.
local model = [[
return agent.model {
  name = "player",
  reply = function(request)
    local file, test = request.prompt:match "Write tests for (%S+) in (%S+)%. "
    local function write(text)
      return { tools = { { name = "Write", input = { file_path = test, content = text } } } }
    end
    if file and file:find "plain" then
      return "There is nothing to test."
    elseif request.turn == 1 then
      return write(file:find "easy" and "exit 0\n" or "exit 1\n")
    elseif request.prompt:find "hard" and request.turn == 3 then
      return { tools = { { name = "Bash", input = { command = "echo 'exit 0' > " .. test, description = "Mends" } } } }
    end
    return "3 tests.\nAll of them are green."
  end,
}
]]

---@type test.Repo
local repo

test.setup(function(t)
  repo = t.repo {
    ["src/easy.sh"] = "easy() { :; }\n",
    ["src/hard.sh"] = "hard() { :; }\n",
    ["src/cursed.sh"] = "cursed() { :; }\n",
    ["src/plain.sh"] = "",
  }
end)

test.case("each file gets its tests on a branch, and one that fails holds up nobody", function(t)
  local run = t.run {
    "generate_tests.lua",
    "--verify",
    "sh {test}",
    "src/easy.sh",
    "src/hard.sh",
    "src/cursed.sh",
    repo = repo,
    model = model,
  }
  t.equal(run.status, "degraded", "one has failed, and the run says so")
  t.match(run.stdout, "^FILE +TESTS +BRANCH +NOTE\n")
  t.match(run.stdout, "src/easy%.sh +written +tests/easy +3 tests%.\n")
  t.match(run.stdout, "src/hard%.sh +written +tests/hard +3 tests%.\n")
  t.match(run.stdout, "src/cursed%.sh +failed +tests/cursed +.*verif")
  t.equal(repo:check("git show tests/hard:tests/hard_test.sh").stdout, "exit 0\n")
  t.equal(repo:check("git status --porcelain").stdout, "", "the checkout is as it was")
end)

test.case("tests go where they are wanted", function(t)
  local run = t.run {
    "generate_tests.lua",
    "src/easy.sh",
    "--tests",
    "src/{name}.test",
    "src/plain.sh",
    repo = repo,
    model = model,
  }
  t.equal(run.code, 0)
  t.equal(repo:check("git show tests/easy:src/easy.test").stdout, "exit 0\n")
  t.match(run.stdout, "src/plain%.sh +none +tests/plain +There is nothing to test%.\n")
end)

test.case("a file that is not there is said before anybody begins", function(t)
  local run = t.run { "generate_tests.lua", "src/missing.sh", repo = repo, model = model }
  t.equal(run.code, 2)
  t.contains(run.stderr, "takes a file, and there is no `src/missing.sh`")
  t.equal(#run.agents, 0)
end)
