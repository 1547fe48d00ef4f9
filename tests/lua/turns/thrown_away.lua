-- repo
-- What an agent wrote and threw away again, by mistake perhaps, is still on the snapshots of its turns.
local steps = { "echo precious > notes", "git clean -fdxq; git checkout -q ." }
local outcome = agent.query {
  prompt = "x",
  worktree = true,
  model = agent.model {
    reply = function(request)
      local command = steps[request.turn]
      return command and { tools = { { name = "Bash", input = { command = command } } } } or "done"
    end,
  },
}
assert(#outcome.files_changed == 0, "in the end nothing changed")
assert(#git.worktrees() == 1, "so the worktree went at once")
assert(git.show(outcome.id .. "@turn:1", "notes") == "precious\n", "and the draft is still there")
