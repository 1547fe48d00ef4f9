-- repo
-- exit: 1
-- A worktree that is deleted under its agent is a failure, and what it had is told and there.
local outcome_of = function(...)
  local commands = { ... }
  local _, e = agent.try_query {
    prompt = "x",
    branch = "work",
    model = agent.model {
      reply = function(request)
        local command = commands[request.turn]
        return command and { tools = { { name = "Bash", input = { command = command } } } }
          or "done"
      end,
    },
  }
  return e.outcome, e
end
local outcome, e = outcome_of("echo 1 > one", "rm -rf $AGENTLUA_WORKTREE")
assert(e.kind == "git" and outcome.subtype == "error_worktree", tostring(e))
assert(e.message:find("^somebody deleted the worktree `"), e.message)
assert(outcome.worktree_path == nil and outcome.branch == "work", "the branch is there")
assert(#git.diff("main", "work").files == 0, "nothing could be committed")

local rev = e.hint:match('base = "(.-)"')
assert(#git.diff("main", rev).files == 1, "what the last turn before wrote is kept")
