-- repo
-- What a handle has not is an error and not nil.
local model = agent.model {
  reply = function()
    return "done"
  end,
}
local task <close> = agent.spawn { prompt = "x", model = model, branch = "topic" }
local function refused(handle, name, hint)
  local ok, e = pcall(function()
    return handle[name]
  end)
  assert(not ok and e.kind == "usage", name .. " is refused")
  assert(e.message:find("has no field `" .. name .. "`", 1, true), e.message)
  assert(e.hint:find(hint, 1, true), e.hint)
end
local id = task:await().id
assert(task.id == id and task.branch == "topic", "its own fields are there")
for _, handle in ipairs { task, agent.get(id) } do
  refused(handle, "result", "task:await().result")
  refused(handle, "reslt", "task:await().result")
  refused(handle, "ok", "task:await().ok")
  refused(handle, "staus", "task:status")
  refused(handle, "zzz", "it has `.branch`, `.id`, `:await()`")
end
local plain = agent.spawn(function() end)
assert(plain.id == nil and plain.branch == nil, "a task without an agent has neither")
plain:await()
local wt <close> = git.worktree { branch = "other" }
assert(wt.branch == "other" and wt.path and wt.base_commit, "the fields of a worktree are there")
refused(wt, "pth", "worktree.path")
