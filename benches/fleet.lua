-- N agents at once on one task: `fleet.lua COUNT PROMPT` for agents with worktrees of their own,
-- `fleet.lua COUNT PROMPT FOLDER` for agents in FOLDER/1, FOLDER/2, … that are there already.

local count, prompt = math.tointeger(arg[1]), arg[2]
---@type string?
local folder = arg[3]

local queries = {}
for i = 1, count do
  queries[i] = { prompt = prompt, label = "agent " .. i }
  if folder then
    queries[i].cwd = folder .. "/" .. i
    queries[i].allowed_tools = { "Read", "Edit", "Bash" }
  else
    queries[i].worktree = true
  end
end

local done = 0
for _, outcome, err in agent.iter(queries, { limit = count }) do
  if not outcome then
    error(err)
  end
  assert(not outcome.result:find("FAILED"), outcome.result)
  done = done + 1
end
print("done " .. done)
