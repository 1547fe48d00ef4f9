-- repo
-- exit: 1
-- An agent that changed nothing: its worktree is gone and the outcome says so; the rest still works.
local idle = agent.model {
  reply = function()
    return "nothing to do"
  end,
}
local none = agent.query { prompt = "x", branch = "none", model = idle }
assert(none.ok and none.branch == "none" and none.worktree_path == nil, "it has no worktree")
assert(none.head_commit == none.base_commit and #none.files_changed == 0, "and no commit")
assert(#git.worktrees() == 1, "it is gone")
assert(
  git.diff(none).patch == "" and git.merge(none).status == "up_to_date",
  "it stands for its branch"
)
agent.remove(none)

local _, e = agent.try_query { prompt = "x", worktree = none, model = idle }
assert(e.message == "no worktree holds the branch `none` any more", e.message)
assert(e.hint == 'branch = "none", if_exists = "continue"', e.hint)
