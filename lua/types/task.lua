---@meta

---A task in the background, made by `agent.spawn`, or an agent that `agent.get` has found. Closing it cancels it, if
---it was spawned.
---@class agent.Task
---The agent's id; nil for a function, and before the agent has one.
---@field id? string
---The agent's branch; nil without one, and before the agent has it.
---@field branch? string
local task = {}

---Waits for the end and returns the results; raises what the task raised. Any number of times.
---@async
---@return agent.Outcome|any ...
function task:await() end

---Is `await`, and returns `nil, e` for a failure.
---@async
---@return agent.Outcome|any ...
function task:try_await() end

---Cancels the task, if it has not ended. Its agents keep what they did.
function task:cancel() end

---Returns an iterator over the events of the task's agents: from the first one, whenever it is called, waiting
---for those to come, to the end of the task. Each call starts anew. About the last 4 MiB are kept; a `gap` tells
---how many are not.
---```lua
---local task = agent.spawn { prompt = "Write the changelog.", worktree = true }
---for event in task:events() do
---  print(event.type, event.subtype)
---end
---```
---@return fun(): agent.Event?
---@nodiscard
function task:events() end

---Tells the agent more while it works: it hears that after its next results, or before it would be done.
---Returns whether it will; false when it has ended.
---@param text string
---@return boolean
function task:send(text) end

---Returns what the task is doing. Only an agent of `agent.get` may be `waiting`, or `interrupted`: its process is gone
---and it had not ended.
---@return "queued"|"running"|"waiting"|"completed"|"failed"|"cancelled"|"interrupted"
---@nodiscard
function task:status() end
