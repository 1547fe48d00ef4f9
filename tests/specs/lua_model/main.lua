-- repo
-- The whole way with a model in Lua: a worktree, an edit, a branch that is diffed and merged.
local writer = agent.model {
  name = "writer",
  reply = function(request)
    if request.turn == 1 then
      return {
        tools = { { name = "Write", input = { file_path = "new.txt", content = "hello\n" } } },
      }
    end
    assert(not request.results[1].is_error, request.results[1].content)
    return { text = "Written.", usage = { input_tokens = 12, output_tokens = 3 } }
  end,
}
local outcome = agent.query { prompt = "write it", branch = "work/new", model = writer }
print(outcome.ok, outcome.subtype, outcome.result, outcome.branch, outcome.num_turns)
print(outcome.numTurns, table.concat(outcome.files_changed, " "), outcome.usage.input_tokens)
print(select(
  2,
  pcall(function()
    return outcome.worktree_pth
  end)
))
print(git.diff(outcome))
print(fs.exists("new.txt"), git.merge(outcome).status, fs.exists("new.txt"))
local nothing = agent.query {
  prompt = "look",
  worktree = true,
  model = agent.model {
    reply = function()
      return "nothing to do"
    end,
  },
}
print(#nothing.files_changed, #git.diff(nothing).files, git.merge(nothing).status)
for _, a in ipairs(agent.list()) do
  print(a.id, a.status, a.branch)
end
