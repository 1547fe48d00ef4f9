-- repo
-- flags: --concurrency 8
-- What is red before an agent begins is known, once for all siblings of a base.
local model = agent.model {
  reply = function()
    return "Done."
  end,
}
local log = sh.check("pwd").stdout:gsub("\n$", "") .. "/.git/verify.log"
local command = 'echo "$PWD" >> "$LOG"; sleep 0.2; echo x > made; echo y >> README.md; true'
local function spec(extra)
  local query = { prompt = "x", model = model, worktree = true, verify = command }
  query.env = { LOG = log, EXTRA = extra }
  return query
end
local function runs()
  local count, where = 0, {}
  for line in fs.read(log):gmatch("[^\n]+") do
    count = count + 1
    where[line] = true
  end
  return count, where
end
local outcomes = agent.all { spec(), spec(), spec(), spec() }
local count, where = runs()
assert(count == 5, "four of their own and one before, not " .. count)
for _, outcome in ipairs(outcomes) do
  assert(outcome.verify.baseline == "passed" and outcome.verify.ok)
  where[outcome.worktree_path] = nil
end
local throwaway = next(where)
assert(throwaway and not fs.exists(throwaway), "it ran in a worktree that is gone")
agent.query(spec())
assert(runs() == 6, "it is known later in the run too")
agent.query(spec("other"))
assert(runs() == 8, "with another environment it is another one")
sh.check("git commit -q --allow-empty -m next")
agent.query(spec())
assert(runs() == 10, "and on another base")
local function require_nothing_left()
  for _, worktree in ipairs(git.worktrees()) do
    assert(worktree.main or worktree.agent, "nothing else is left: " .. worktree.path)
  end
end
require_nothing_left()

-- The setup comes first, and what it makes is there.
local outcome = agent.query {
  prompt = "x",
  model = model,
  worktree = { setup = "echo ready > .ready" },
  verify = "cat .ready",
}
assert(outcome.verify.baseline == "passed")

-- So are the ignored files that a worktree gets.
sh.check("echo .env > .gitignore && git add .gitignore && git commit -qm ignore && echo A=1 > .env")
outcome = agent.query {
  prompt = "x",
  model = model,
  worktree = { include = { ".env" } },
  verify = "grep A=1 .env",
}
assert(outcome.verify.baseline == "passed")

-- A baseline that cannot be had stops nobody: its setup is a sibling's business.
outcome = agent.query {
  prompt = "x",
  model = model,
  worktree = { setup = 'test -n "$AGENTLUA_AGENT"' },
  verify = "true",
}
assert(outcome.verify.ok and outcome.verify.baseline == nil, "it is not known")

-- Who is called off while it runs leaves it to the next.
local slow = {
  prompt = "x",
  model = model,
  worktree = true,
  verify = 'echo begun >> "$LOG"; test -f "$LOG.go" || sleep 600',
  env = { LOG = log .. "2" },
}
local first = agent.spawn(slow)
while not fs.exists(log .. "2") do
  agent.sleep(0.01)
end
local second = agent.spawn(slow)
agent.sleep(0.05)
fs.write(log .. "2.go", "")
first:cancel()
local none, e = first:try_await()
assert(none == nil and e.kind == "cancelled", tostring(e))
assert(second:await().verify.baseline == "passed")
require_nothing_left()
local third = agent.spawn {
  prompt = "x",
  model = model,
  worktree = true,
  verify = 'echo begun >> "$LOG"; sleep 600',
  env = { LOG = log .. "3" },
}
while not fs.exists(log .. "3") do
  agent.sleep(0.01)
end
third:cancel()
none, e = third:try_await()
assert(none == nil and e.kind == "cancelled" and e.outcome.num_turns == 0, tostring(e))
require_nothing_left()
os.exit(0)
