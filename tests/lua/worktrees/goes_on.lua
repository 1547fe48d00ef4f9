-- repo
-- exit: 1
-- `worktree = x`: an outcome, an ended task or a handle of the script's is worked on in.
local function writer(name, wait)
  return agent.model {
    reply = function(request)
      if wait then
        agent.sleep(0.2)
      end
      if request.turn == 1 then
        return { tools = { { name = "Write", input = { file_path = name, content = name } } } }
      end
      return "done"
    end,
  }
end
local first = agent.query { prompt = "x", model = writer("one"), commit = false }
assert(first.files_changed[1] == "one", "it is not committed")
local second = agent.query { prompt = "x", worktree = first, model = writer("two") }
assert(second.branch == first.branch and second.worktree_path == first.worktree_path, "there")
assert(table.concat(second.files_changed, " ") == "one two", "with what was left there")

local task = agent.spawn { prompt = "x", branch = "task", model = writer("one", true) }
local early, e = pcall(agent.query, { prompt = "x", worktree = task, model = writer("two") })
assert(not early and e.kind == "usage" and e.message:find("has not ended"), tostring(e))
task:await()
local third = agent.query { prompt = "x", worktree = task, model = writer("two") }
assert(third.branch == "task" and fs.exists(third.worktree_path .. "/one"), "the task's")

-- Two at once cannot be in one place.
local settled = agent.all_settled {
  { prompt = "x", worktree = third, model = writer("a", true) },
  { prompt = "x", worktree = third, model = writer("b", true) },
}
local won, lost = settled[1], settled[2]
if not won.ok then
  won, lost = lost, won
end
assert(won.ok and not lost.ok and lost.error.kind == "git", "one of them")
assert(lost.error.message:find("works in the worktree"), lost.error.message)

do
  local wt <close> = git.worktree { branch = "handle" }
  wt:sh("echo mine > mine.txt")
  local agents = agent.spawn { prompt = "x", worktree = wt, model = writer("theirs", true) }
  while not agents.branch do
    agent.sleep(0.01)
  end
  local busy, why = pcall(wt.sh, wt, "true")
  assert(not busy and why.message:find("works in the worktree"), tostring(why))
  local outcome = agents:await()
  assert(outcome.branch == "handle" and outcome.worktree_path == wt.path, "in the handle's")
  assert(#outcome.files_changed == 2, "with what the script wrote there")
  assert(wt:sh("ls").stdout:find("theirs"), "it is the script's again")
end
assert(git.diff("main", "handle").additions == 2, "and is closed as ever")

for _, name in ipairs { "branch", "base", "dirty", "if_exists" } do
  local spec = { prompt = "x", worktree = third, model = writer("x") }
  spec[name] = name == "dirty" and "fail" or name == "if_exists" and "number" or "y"
  local fine, wrong = pcall(agent.query, spec)
  assert(not fine and wrong.kind == "usage" and wrong.message:find(name, 1, true), tostring(wrong))
end

-- Gone is gone, with the way on.
sh.check("git worktree remove --force " .. third.worktree_path)
local _, gone = agent.try_query { prompt = "x", worktree = third, model = writer("x") }
assert(gone.message:find("no worktree at") and gone.hint:find("continue"), gone.message)
local again = agent.query {
  prompt = "x",
  branch = "task",
  if_exists = "continue",
  model = writer("again"),
}
assert(fs.exists(again.worktree_path .. "/two"), "its branch is taken up")
