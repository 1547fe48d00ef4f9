-- repo
-- exit: 7
-- An agent's time runs from its place on: a setup or a server that is slow to begin is cut off by it.
local model = agent.model {
  reply = function()
    error("nobody is asked")
  end,
}
for name, query in pairs {
  setup = { worktree = { setup = "sleep 60" } },
  server = { mcp_servers = { slow = { command = "sleep", args = { "60" } } } },
} do
  query.prompt, query.model, query.timeout = name, model, 0.3
  local outcome, e = agent.try_query(query)
  assert(outcome == nil and e.kind == "timeout", tostring(e))
  assert(e.outcome.subtype == "error_timeout", e.outcome.subtype)
  assert(e.message == "the agent was not done after 0.3 s", e.message)
end
os.exit(7)
