-- repo
-- Work that no commit has cannot be merged; a merge that would bring nothing does not say it did.
local writer = agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { tools = { { name = "Write", input = { file_path = "new", content = "x" } } } }
    end
    return "done"
  end,
}
local outcome = agent.query { prompt = "x", branch = "b", commit = false, model = writer }
assert(outcome.files_changed[1] == "new", "the work is in the worktree")
assert(git.diff(outcome).files[1].path == "new", "its diff shows it")
local merged, e = git.try_merge(outcome)
assert(merged == nil and e.kind == "git", "it is refused")
assert(e.merge.status == "refused" and e.merge.reason == "uncommitted", "with the reason")
