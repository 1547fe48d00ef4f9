-- COUNT agents at once: `life.lua COUNT PROMPT keep|remove` in worktrees of their own,
-- `life.lua COUNT PROMPT FOLDER` in FOLDER/1, FOLDER/2, … that are there already.
local count, prompt, place = math.tointeger(arg[1]), arg[2], arg[3]

local queries = {}
for i = 1, count do
  queries[i] = { prompt = prompt, label = "agent " .. i, max_turns = 100 }
  if place:find("^/") then
    queries[i].cwd = place .. "/" .. i
    queries[i].allowed_tools = { "Write", "Bash" }
  else
    queries[i].worktree = true
  end
end

for _, outcome in ipairs(agent.all(queries)) do
  if place == "remove" then
    agent.remove(outcome, { force = true })
  end
end
print("done " .. count)
