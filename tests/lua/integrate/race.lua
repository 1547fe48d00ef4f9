-- repo
-- Losers of a race leave nothing behind, but what they had written is kept under a ref.
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
local function writer(name, wait)
  return agent.model {
    reply = function(request)
      if #(request.results or {}) > 0 then
        agent.sleep(wait)
        return "done"
      end
      return { tools = { { name = "Write", input = { file_path = name, content = name } } } }
    end,
  }
end
local function query(name, wait)
  return { prompt = name, branch = "race/" .. name, model = writer(name, wait) }
end
local function left(pattern)
  return git_of("for-each-ref --format='%(refname)' '" .. pattern .. "'")
end

local first, key = agent.race({
  quick = query("quick", 0.3),
  slow = query("slow", 60),
  slower = query("slower", 60),
}, { limit = 3 })
assert(key == "quick" and first.branch == "race/quick")
assert(left("refs/heads/race/*") == "refs/heads/race/quick", left("refs/heads/race/*"))
assert(fs.exists(first.worktree_path), "the winner's worktree is there")
assert(#git.worktrees() == 2, "and nobody else's")
local kept = left("refs/agentlua/removed")
local count = select(2, kept:gsub("[^\n]+", ""))
assert(count == 2, "the losers' files are kept: " .. kept)
local files = git_of("ls-tree --name-only " .. kept:match("[^\n]+"))
assert(files:find("slow", 1, true), "and they are theirs: " .. files)

-- The winner is a function; the losers are queued, nested in functions, or a moment too late.
local spawned = agent.spawn(query("spawned", 60))
local value
value, key = agent.race {
  function()
    agent.sleep(1.2)
    return "by hand"
  end,
  query("loser", 60),
  function()
    agent.query(query("nested", 0))
    local task <close> = agent.spawn(query("deeper", 60))
    agent.sleep(60)
  end,
  spawned,
  query("queued1", 60),
  query("queued2", 60),
}
assert(value == "by hand" and key == 1)
assert(left("refs/heads/race/*") == "refs/heads/race/quick", left("refs/heads/race/*"))
assert(#git.worktrees() == 2, "nothing of them is left")
assert(spawned:status() == "cancelled", spawned:status())
assert(left("refs/agentlua/removed"):find("removed/", 1, true))

-- A loser that works in a worktree which is not its own: that stays.
local handle = git.worktree { branch = "mine" }
fs.write(handle.path .. "/own", "own")
local before = agent.query(query("before", 0))
value, key = agent.race {
  { prompt = "lent", worktree = handle, model = writer("lent", 60) },
  { prompt = "goes on", worktree = before, model = writer("goes_on", 60) },
  function()
    agent.sleep(1)
    return true
  end,
}
assert(key == 3 and fs.exists(handle.path .. "/own"), "what was lent is there")
assert(left("refs/heads/mine") ~= "" and left("refs/heads/race/before") ~= "", "with its branch")
assert(fs.exists(before.worktree_path .. "/before"), "and so is what was gone on with")
handle:remove() -- its files were committed for the agent

-- All fail: all of it is there to look at.
local ok, e = pcall(agent.race, {
  { prompt = "no", branch = "race/no", max_turns = 1, model = writer("no", 0) },
})
assert(not ok and e.errors[1].outcome.branch == "race/no")
assert(left("refs/heads/race/no") ~= "", "nobody has won, so nobody has lost")
os.exit(0)
