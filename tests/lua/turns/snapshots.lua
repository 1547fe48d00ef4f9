-- repo
-- What a turn wrote is kept at once, and another agent can start from it.
local function run(command)
  return { { name = "Bash", input = { command = command } } }
end
local steps = {
  { tools = { { name = "Write", input = { file_path = "a/one.txt", content = "1\n" } } } },
  { tools = { { name = "Read", input = { file_path = "main.lua" } } } },
  { tools = run("git rm --quiet main.lua; echo 2 > two.txt; echo junk > x.log") },
  { tools = run("rm two.txt; git status --short; touch a/one.txt") },
}
local writer = agent.model {
  reply = function(request)
    return steps[request.turn] or "done"
  end,
}
fs.write(".gitignore", "*.log\n")
assert(sh("git add .gitignore && git commit --quiet -m ignore").ok, "the repository is set up")
local base = git.head().commit
local outcome = agent.query { prompt = "write", model = writer, branch = "work" }
assert(outcome.ok and outcome.num_turns == 5, outcome.subtype)

local function files(rev)
  return sh.check("git ls-tree -r --name-only " .. rev).stdout:gsub("\n", " ")
end
local ref = sh.check("git for-each-ref --format='%(refname)' 'refs/agentlua/**/turns'").stdout
assert(ref:match("^refs/agentlua/run%-%x+/" .. outcome.id:gsub("-", "%%-") .. "/turns\n$"), ref)
local subjects = sh.check("git log --format=%s " .. base .. ".." .. ref).stdout
assert(subjects == "turn 4\nturn 3\nturn 1\n", "a turn that changed nothing has none: " .. subjects)

local stand = agent.model {
  reply = function()
    return "done"
  end,
}
local function fork(rev)
  local forked = agent.query { prompt = "go on", model = stand, base = rev }
  assert(forked.ok, rev)
  return forked.base_commit
end
assert(fork(outcome.id .. "@turn:0") == base, "before its first turn there is only the base")
local first = fork(outcome.id .. "@turn:2")
assert(files(first) == ".gitignore a/one.txt main.lua ", files(first))
local parents = sh.check("git log -1 --format=%P " .. first).stdout
assert(parents == base .. "\n", "a fork has the agent's base under it and no turns")
assert(files(fork(outcome.id .. "@turn:3")) == ".gitignore a/one.txt two.txt ", "ignored is left")
assert(files(fork(outcome.id .. "@turn:5")) == ".gitignore a/one.txt ", "the last one")
-- It is a revision for looking, too.
assert(#git.diff(outcome.id .. "@turn:1", outcome.id .. "@turn:4").files == 1, "main.lua is gone")

local _, early = agent.try_query { prompt = "x", model = stand, base = outcome.id .. "@turn:6" }
assert(early.message == "`" .. outcome.id .. "` has had 5 turns only", early.message)
local _, nobody = agent.try_query { prompt = "x", model = stand, base = "agent-ffffffff@turn:1" }
assert(nobody.message == "there is no agent `agent-ffffffff`", nobody.message)
local _, id = agent.try_query { prompt = "x", model = stand, base = outcome.id }
assert(id.message == "`" .. outcome.id .. "` names no commit", id.message)
assert(id.hint:find(outcome.id .. "@turn:1", 1, true), id.hint)

git.merge(outcome.id .. "@turn:3")
local landed = sh.check("git log --format=%s " .. base .. "..main").stdout
assert(landed == outcome.id .. " after turn 3\n", "no turns land: " .. landed)
os.exit(0)
