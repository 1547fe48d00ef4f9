-- repo
-- What commands of an agent find around them; what the script gives wins.
local function printing(seen, wait)
  return agent.model {
    reply = function(request)
      if request.turn == 1 then
        return { tools = { { name = "Bash", input = { command = "env" } } } }
      end
      agent.sleep(wait or 0)
      for name, value in request.results[1].content:gmatch("([%w_]+)=([^\n]*)") do
        seen[name] = value
      end
      return "done"
    end,
  }
end
local seen = { {}, {}, {} }
local outcomes = agent.all {
  { prompt = "x", branch = "a", model = printing(seen[1], 0.2) },
  { prompt = "x", branch = "b", model = printing(seen[2], 0.2) },
  {
    prompt = "x",
    branch = "c",
    model = printing(seen[3]),
    env = { PORT = "1", AGENTLUA_AGENT = "mine" },
  },
}
for i = 1, 2 do
  local env, outcome = seen[i], outcomes[i]
  assert(env.AGENTLUA_AGENT == outcome.id, env.AGENTLUA_AGENT)
  assert(env.AGENTLUA_RUN == outcome.session_id:match("^[^/]+"), env.AGENTLUA_RUN)
  assert(env.AGENTLUA_BRANCH == outcome.branch and env.AGENTLUA_WORKTREE == outcome.worktree_path)
  assert(env.AGENTLUA_BASE_COMMIT == outcome.base_commit, env.AGENTLUA_BASE_COMMIT)
  assert(env.COMPOSE_PROJECT_NAME == "work-" .. outcome.id, env.COMPOSE_PROJECT_NAME)
  local port = math.tointeger(env.PORT)
  assert(port >= 20000 and port < 30000, env.PORT)
end
assert(seen[1].PORT ~= seen[2].PORT, "no two alike")
assert(seen[3].PORT == "1" and seen[3].AGENTLUA_AGENT == "mine", "the script wins")
