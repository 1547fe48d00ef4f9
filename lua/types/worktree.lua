---@meta

---A worktree of the script's own, made by `git.worktree`. Closing it removes it when refs hold all
---of it, else keeps and reports it.
---@class git.Worktree
---Where it is.
---@field path string
---Its branch.
---@field branch string
---The commit that it started from.
---@field base_commit string
local worktree = {}

---Returns what differs from the base, committed or not.
---@async
---@return git.Diff
---@nodiscard
function worktree:diff() end

---Is `diff`, and returns `nil, e` for a failure.
---@async
---@return git.Diff? diff
---@return agent.Error e
function worktree:try_diff() end

---Runs a shell command in the worktree.
---@async
---@param cmd string
---@param options? sh.Options
---@return sh.Result
function worktree:sh(cmd, options) end

---Is `sh`, and returns `nil, e` when the command cannot be run or takes too long.
---@async
---@param cmd string
---@param options? sh.Options
---@return sh.Result? result
---@return agent.Error e
function worktree:try_sh(cmd, options) end

---Commits everything in it and returns the branch's head.
---@async
---@param message string
---@return string commit
function worktree:commit(message) end

---Is `commit`, and returns `nil, e` for a failure.
---@async
---@param message string
---@return string? commit
---@return agent.Error e
function worktree:try_commit(message) end

---Leaves it where it is when it is closed.
---@async
function worktree:keep() end

---Removes it; raises when it holds changes that no commit has.
---@async
function worktree:remove() end

---Is `remove`, and returns `nil, e` for a failure.
---@async
---@return nil
---@return agent.Error e
function worktree:try_remove() end

---Does what `<close>` does, early. A second time does nothing.
---@async
function worktree:close() end

---Is `close`, and returns `nil, e` for a failure.
---@async
---@return nil
---@return agent.Error e
function worktree:try_close() end
