-- repo
-- The shape of best-of-n: many try, one is chosen and landed, the others leave nothing behind.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
local number = 0
local model = agent.model {
  reply = function(request)
    if #(request.results or {}) > 0 then
      return "done"
    end
    number = number + 1
    local input = { file_path = "answer", content = string.rep("x", number) }
    return { tools = { { name = "Write", input = input } } }
  end,
}
local function best_of(n, query, judge)
  local tries = {}
  for i = 1, n do
    tries[i] = query
  end
  local best, best_score
  local others = {}
  for _, item in ipairs(agent.all_settled(tries)) do
    local score = item.ok and judge(item.outcome) or -math.huge
    if item.ok and (not best or score > best_score) then
      others[#others + 1], best, best_score = best, item.outcome, score
    else
      others[#others + 1] = item.outcome
    end
  end
  for _, outcome in ipairs(others) do
    agent.remove(outcome, { force = true })
  end
  return best
end

local best = best_of(4, { prompt = "answer", worktree = true, model = model }, function(outcome)
  return #git.show(outcome.branch, "answer")
end)
assert(git.show(best.branch, "answer") == "xxxx", "the best one")
assert(git.merge(best).status == "fast_forward")
agent.remove(best)
assert(fs.read("answer") == "xxxx", "it has landed")
assert(git_of("branch --format='%(refname:short)'") == "main", "one branch is left")
assert(#git.worktrees() == 1, "and one worktree")
assert(#agent.list() == 0, "and no agent has anything")
local kept = git_of("for-each-ref --format=x refs/agentlua/removed")
assert(#kept:gsub("%s", "") == 3, "what the others wrote is kept: " .. kept)
