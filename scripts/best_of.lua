#!/usr/bin/env -S agentlua run
-- Several agents do the same task, each on a branch of its own; a judge reads what they made, and the
-- best one stays. The others go: what they wrote is kept under refs/agentlua/removed.
--
--     agentlua run scripts/best_of.lua "Make the parser report line numbers." [3]
--
-- Names no model: it takes yours (ANTHROPIC_API_KEY, OPENAI_API_KEY, or --model NAME or FILE.lua).

local task = arg[1] or "Find the slowest test of this project and make it faster."
local n = math.tointeger(arg[2] or 3)
if not n or n < 2 then
  print("how many? 2 or more")
  os.exit(2)
end

local tries = {}
for i = 1, n do
  tries["try " .. i] = { prompt = task, worktree = true }
end

---@type agent.Outcome[]
local candidates = {}
for name, outcome, err in agent.iter(tries) do
  if not outcome then
    print(name .. " failed", err.message)
    outcome = err.outcome
    if outcome and outcome.branch then
      agent.remove(outcome, { force = true })
    end
  elseif #outcome.files_changed > 0 then
    candidates[#candidates + 1] = outcome
    print(name, outcome.branch, #outcome.files_changed .. " files")
  end
end
if #candidates == 0 then
  print("Nobody has changed anything.")
  os.exit(1)
end

local shown = {}
for i, outcome in ipairs(candidates) do
  local patch = tostring(git.diff(outcome)):sub(1, 20000)
  shown[i] = "## " .. i .. "\n" .. outcome.result .. "\n\n```diff\n" .. patch .. "\n```"
end
local verdict = agent.query {
  label = "judge",
  prompt = agent.text(
    [[
    ${n} colleagues were given this task:

    ${task}

    Which of their changes would you merge? Look for correctness first, then for simplicity. Answer
    with the number in the first line, and why in the next.

    ${shown}
    ]],
    { n = #candidates, task = task, shown = table.concat(shown, "\n\n") }
  ),
}
local choice = math.tointeger(verdict.result:match("%d+")) or 1
local best = candidates[choice] or candidates[1]
for _, outcome in ipairs(candidates) do
  if outcome ~= best then
    agent.remove(outcome, { force = true })
  end
end
print("\n" .. verdict.result)
print("\nreview it:  git diff HEAD..." .. best.branch)
print("land it:    git merge " .. best.branch)
