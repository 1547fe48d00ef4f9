-- repo
-- flags: --concurrency 2
-- Six branches by six agents: two conflict with others in their text, one breaks another without a
-- conflict. All of it comes together on one branch, and the target moves once.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
sh.check([[
printf 'one\ntwo\nthree\n' > words; printf 'limit=10\n' > limit; printf '#!/bin/sh\n' > check
printf 'list:\n\nend\n' > list
cat > check <<'X'
test "$(cat limit)" = "limit=10" && test ! -e uses_old && exit 0
. ./limit; test -e uses_old && test "$limit" != 10 && { echo "uses_old needs limit=10"; exit 1; }
exit 0
X
chmod +x check; git add .; git commit -qm base
]])
local base = git_of("rev-parse HEAD")

-- One model for everybody: the first message says who is asked for what.
local commands = {
  ["task a"] = "sed -i 's/two/two by a/' words; sed -i '1a - from a' list",
  ["task b"] = "sed -i 's/two/two by b/' words",
  ["task c"] = "sed -i 's/two/two by c/' words",
  ["task d"] = "printf 'limit=20\\n' > limit",
  ["task e"] = "touch uses_old; printf 'e' > e",
  ["task f"] = "sed -i '1a - from f' list",
}
local calls, owners, repairs = {}, 0, 0
local function reply(request)
  local text = json.encode(request.messages)
  -- What was asked last: who goes on in a conversation has an older question before it.
  local place, asked = 0, nil
  for name in pairs(commands) do
    local at = text:find(name, 1, true)
    if at and at > place then
      place, asked = at, name
    end
  end
  local conflict = text:find("is being merged into", 1, true)
    or text:find("stopped at conflicts", 1, true)
  local repair = text:find("together they do not work", 1, true)
  if #(request.results or {}) > 0 then
    return "done"
  end
  local command = commands[asked]
  if repair then
    repairs = repairs + 1
    assert(text:find("uses_old needs limit=10", 1, true), "what the check wrote is told")
    command = "rm uses_old; printf 'uses_new\\n' > uses_new"
  elseif conflict then
    owners = owners + (text:find("The work you did on", 1, true) and 1 or 0)
    assert(text:find("`words`", 1, true), "the path is named")
    -- Both sides of the place, the markers away.
    command = "sed -i '/^<<<<<<< /d;/^=======$/d;/^>>>>>>> /d' words"
  end
  calls[#calls + 1] = asked or "?"
  return { tools = { { name = "Bash", input = { command = command } } } }
end
local model = agent.model { name = "scripted", reply = reply }

local jobs = {}
for _, name in ipairs { "a", "b", "c", "d", "e", "f" } do
  jobs[#jobs + 1] = { prompt = "task " .. name, branch = "work/" .. name, model = model }
end
local outcomes = agent.all(jobs)
local tips = {}
for i, outcome in ipairs(outcomes) do
  tips[i] = outcome.head_commit
end

local branches = table.pack(table.unpack(outcomes))
branches.n = nil
local done = agent.integrate {
  branches = branches,
  branch = "together",
  into = "main",
  verify = "./check",
  model = model,
  max_turns = 6,
  label = "all of it",
}
assert(done.ok and done.subtype == "success" and done.branch == "together", json.encode(done))
assert(
  done.label == "all of it" and done.base_commit == base and done.num_turns >= 6,
  "like an outcome"
)
assert(done.head_commit == git_of("rev-parse together"), "the branch is there")
assert(git_of("rev-parse main") == done.head_commit, "and main is on it")
assert(git_of("reflog show main -1 --format=%gs"):find("together", 1, true), "by one step")
assert(#done.merges == 6, "a report of each branch")
local how = {}
for _, merge in ipairs(done.merges) do
  for _, one in ipairs(merge.resolved or {}) do
    how[#how + 1] = one.how .. " " .. one.path
  end
end
table.sort(how)
assert(
  table.concat(how, ", ") == "additions list, agent words, agent words",
  table.concat(how, ", ")
)
assert(owners == 2, "the owners were asked, not " .. owners)
assert(repairs == 1, "and one repaired what only the check saw")

-- All of it is there.
local words = fs.read("words")
for _, wanted in ipairs { "two by a", "two by b", "two by c" } do
  assert(words:find(wanted, 1, true), words)
end
assert(
  fs.read("list"):find("- from a\n- from f\n", 1, true)
    or fs.read("list"):find("- from f\n- from a\n", 1, true)
)
assert(fs.exists("uses_new") and fs.exists("e") and fs.read("limit") == "limit=20\n")
assert(sh("./check").ok, "and it is good")
for i, outcome in ipairs(outcomes) do
  assert(git_of("rev-parse " .. outcome.branch) == tips[i], "the branches are as they were")
  assert(sh("git merge-base --is-ancestor " .. tips[i] .. " main").ok, "and merged")
end
assert(git_of("branch --list 'agentlua/*'") == "", "no temporary branch is left")
for _, worktree in ipairs(git.worktrees()) do
  assert(not worktree.path:find("/merge-", 1, true), "nor a temporary worktree")
end
assert(git_of("status --porcelain -uno") == "", "the checkout followed")
