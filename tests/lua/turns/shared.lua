-- repo
-- The snapshots of turns bear agentlua's name, also where git writes them: in a repository that is shared.
local function writer()
  return agent.model {
    reply = function(request)
      if request.turn > 2 then
        return "done"
      end
      local input = { file_path = request.turn .. ".txt", content = "x\n" }
      return { tools = { { name = "Write", input = input } } }
    end,
  }
end

local function turns(outcome)
  local ref = sh.check(
    "git for-each-ref --format='%(refname)' 'refs/agentlua/*/" .. outcome.id .. "/turns'"
  ).stdout
  local range = outcome.base_commit .. ".." .. ref
  return sh.check("git log --format='%an <%ae> %cn <%ce>: %s' " .. range).stdout, ref
end

local own = "agentlua <agentlua@localhost> agentlua <agentlua@localhost>: "
local expected = own .. "turn 2\n" .. own .. "turn 1\n"
local plain = turns(agent.query { prompt = "write", model = writer(), branch = "plain" })
assert(plain == expected, plain)

sh.check("git config core.sharedRepository group")
local shared, ref = turns(agent.query { prompt = "write", model = writer(), branch = "shared" })
assert(shared == expected, shared)
local mode = sh.check("stat -c %A .git/" .. ref).stdout
assert(mode:sub(6, 6) == "w", "the group may write what belongs to it: " .. mode)
os.exit(0)
