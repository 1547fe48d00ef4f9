-- repo
-- exit: 1
-- A time limit around a query ends the agent; its work is kept and is in the error.
local slow = agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { tools = { { name = "Write", input = { file_path = "half.txt", content = "x" } } } }
    end
    agent.sleep(3600)
  end,
}
local ok, e = pcall(agent.timeout, 1, agent.query, { prompt = "x", branch = "slow", model = slow })
assert(not ok and e.kind == "timeout", tostring(e))
assert(e.message == "not done after 1 s", e.message)
assert(e.outcome.branch == "slow", "the outcome is in the error")
assert(e.outcome.subtype == "error_cancelled", e.outcome.subtype)
assert(table.concat(e.outcome.files_changed, " ") == "half.txt", "what it did is kept")
assert(#git.log { rev = "main..slow" } == 1, "on its branch")

ok, e = pcall(agent.query, { prompt = "x", branch = "slower", model = slow, timeout = 1 })
assert(not ok and e.kind == "timeout" and e.outcome.subtype == "error_timeout", tostring(e))

local task = agent.spawn { prompt = "x", branch = "slowest", model = slow }
while not fs.exists((task.branch and e.outcome.worktree_path or ".") .. "/half.txt") do
  agent.sleep(0.01)
end
assert(task.branch == "slowest" and task.id:match("^agent%-%x+$"), "a task knows its agent")
task:cancel()
local none, why = task:try_await()
assert(none == nil and why.kind == "cancelled" and why.outcome.branch == "slowest", tostring(why))
error("the end, reached")
