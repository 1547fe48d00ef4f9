-- repo
-- What an agent left goes when nothing is lost with it; by force it goes in any case, and is kept.
local writer = agent.model {
  reply = function(request)
    if request.turn > 1 then
      return "done"
    end
    local name = request.prompt .. ".txt"
    return { tools = { { name = "Write", input = { file_path = name, content = "x" } } } }
  end,
}
local function branches(name)
  return #sh.check("git for-each-ref --format=x refs/heads/" .. name).stdout
end

local merged = agent.query { prompt = "merged", branch = "merged", model = writer }
git.merge(merged)
agent.remove(merged)
assert(branches("merged") == 0, "a merged branch goes")
assert(not fs.exists(merged.worktree_path), "and so does its worktree")
agent.remove(merged)

local open = agent.query { prompt = "open", branch = "open", model = writer }
local _, e = agent.try_remove(open.id)
assert(e.kind == "git" and e.message:find("not merged: 1 commit", 1, true), tostring(e))
assert(e.hint:find("agentlua rm --force " .. open.id, 1, true), e.hint)
assert(branches("open") > 0 and fs.exists(open.worktree_path), "nothing was removed")
agent.remove(open.id, { force = true })
assert(branches("open") == 0, "by force it goes")
local kept = sh.check("git rev-parse refs/agentlua/removed/" .. open.id .. "/branch").stdout
assert(kept:match("%x+") == open.head_commit, "and is kept")

local task <close> = agent.spawn {
  prompt = "task",
  branch = "task",
  model = agent.model {
    reply = function()
      agent.sleep(60)
    end,
  },
}
while not task.branch do
  agent.sleep(0.01)
end
_, e = agent.try_remove(task)
assert(e.kind == "git" and e.message:find("is running", 1, true), tostring(e))
task:cancel()
task:try_await()
agent.remove(task)
assert(branches("task") == 0, "an empty branch goes")

local ok, wrong = pcall(agent.remove, "nope")
assert(
  not ok and wrong.kind == "usage" and wrong.message:find("no agent has the id `nope`", 1, true)
)
ok, wrong = pcall(agent.remove, 1)
assert(not ok and wrong.message:find("an id, an outcome or a task", 1, true), tostring(wrong))

-- What no ref can keep stays even then, and the error says what to do.
local nested = agent.query {
  prompt = "x",
  branch = "nested",
  model = agent.model {
    reply = function(request)
      local command = "git init -q n; cd n; git commit -q --allow-empty -m inner"
      return request.turn == 1 and { tools = { { name = "Bash", input = { command = command } } } }
        or "done"
    end,
  },
}
_, e = agent.try_remove(nested, { force = true })
assert(e.message:find("holds a repository of its own: `n`", 1, true), tostring(e))
assert(e.hint:find("move it away", 1, true) and fs.exists(nested.worktree_path), e.hint)
