-- exit: 1
-- What was denied is noted, also when the same turn ends the agent.
local model = agent.model {
  reply = function()
    return {
      tools = {
        { name = "Write", input = { file_path = "x", content = "y" } },
        { name = "Glob", input = { pattern = "*" } },
      },
    }
  end,
}
local _, e = agent.try_query {
  prompt = "x",
  model = model,
  hooks = {
    post_tool_use = function()
      error("a mistake")
    end,
  },
}
assert(e.outcome.subtype == "error_during_execution", e.outcome.subtype)
assert(#e.outcome.permission_denials == 1, "the denied call is there")
